#pragma once
// The edge's operations socket: the state of the edge, asked for and told over the vici protocol
// (docs/operations-socket.md). Thread: control thread.

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <optional>
#include <string>

#include "edge/admin/state_view.hpp"
#include "vici/server.hpp"

namespace sluice::edge {

enum class NoticeLevel : std::uint8_t { kInfo, kWarning, kError };
std::string_view name_of(NoticeLevel level);

/// Something an operator wants to see as it happens.
struct Notice {
  NoticeLevel level = NoticeLevel::kInfo;
  std::string topic;           ///< one word: "ike", "backend", "config", "socket" ...
  std::string correlation_id;  ///< empty when it is about no single client
  std::string text;            ///< a sentence without secrets; peers' strings already escaped
};

class OperationsServer {
 public:
  /// `state` is asked on each command and outlives the server.
  OperationsServer(boost::asio::any_io_executor executor, vici::ServerOptions socket, const StateView& state);

  /// Opens the socket; nothing means done.
  std::optional<vici::Error> start();
  void stop();

  /// Answers `probe-backend`. `reply` may be called later, from the same thread, once.
  using ProbeReply = std::function<void(const ProbeView&)>;
  using Probe = std::function<void(const std::string& name, ProbeReply reply)>;
  void on_probe(Probe probe);
  /// Answers `probe-ike`, likewise.
  using IkeProbeReply = std::function<void(const IkeProbeView&)>;
  void on_probe_ike(std::function<void(IkeProbeReply reply)> probe);

  // Events for whoever registered for them; cheap when nobody did.
  void session_up(const SessionView& session);
  /// `cause` is one word, `text` what an operator reads.
  void session_down(const SessionView& session, const std::string& cause, const std::string& text);
  void backend_up(const BackendView& backend);
  void backend_down(const BackendView& backend, const std::string& cause);
  void notice(const Notice& notice);

  /// For commands of others (probe, reload) on the same socket.
  vici::Server& server() { return server_; }

 private:
  void add_commands();
  void add_lists();
  bool wanted(std::string_view event) const;

  const StateView& state_;
  vici::Server server_;
};

}  // namespace sluice::edge
