#pragma once
// Captures that operators ordered: whose packets are meant, taps in the workers, and what the taps took goes
// to whoever asked. Thread: control.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/admin/capture_command.hpp"
#include "edge/dataplane/messages.hpp"
#include "edge/relay/capture_filter.hpp"

namespace sluice::edge {

struct CapturingContext {
  boost::asio::io_context& io;
  const Peers& peers;
  const Relays& relays;
  std::uint32_t workers = 1;
  std::function<Instant()> now;
  std::function<std::chrono::nanoseconds()> unix_time;
  std::function<void(std::uint32_t worker, Command)> post;
};

class Capturing {
 public:
  /// Each has a tap a worker.
  static constexpr std::size_t kMaxAtOnce = 4;

  explicit Capturing(CapturingContext context) : context_(std::move(context)), timer_(context_.io) {}

  /// Why not; nothing when it runs. It ends by its limits, or when `live` does.
  std::optional<std::string> begin(const CaptureRequest& request, const vici::PeerCredentials& who,
                                   std::shared_ptr<vici::Server::Live> live);
  /// An IKE datagram is about to leave.
  void ike_out(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram);
  /// Ends all.
  void stop();

 private:
  struct Running {
    std::uint32_t id = 0;
    CaptureRequest request;
    std::shared_ptr<vici::Server::Live> live;
    std::vector<std::shared_ptr<CaptureTap>> taps;  ///< one a worker, the last is the control thread's own
    Instant until;
    CaptureTotals totals;
    std::uint64_t unread[kCapturePoints] = {};  ///< dropped because the client does not keep up
  };
  void look();
  void schedule();
  /// Takes what is there; why it is over, if it is.
  std::optional<CaptureEnd> drain(Running& capture);
  void give(Running& capture, const CapturedPacket& packet);
  static std::uint64_t dropped(const Running& capture, CapturePoint point);
  void end(Running& capture, CaptureEnd why);

  CapturingContext context_;
  boost::asio::steady_timer timer_;
  std::uint32_t next_id_ = 1;
  std::vector<Running> running_;
};

}  // namespace sluice::edge
