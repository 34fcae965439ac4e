#pragma once
// The channels to all configured edges: dials them, hands their tunnels and keys to the worker, and carries
// what the agent has to tell back. Thread: control.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend-agent/config/config.hpp"
#include "backend-agent/lns/messages.hpp"
#include "backend-agent/uplink/keeper.hpp"
#include "proto/channel/spi_source.hpp"
#include "proto/transport/channel_dialer.hpp"

namespace sluice::agent {

struct UplinkContext {
  boost::asio::io_context& io;
  RandomSource& random;
  /// To the worker.
  std::function<void(Command)> post;
  /// Why no tunnel is taken just now; nothing when one is.
  std::function<std::optional<std::string>()> refusal;
  /// Data frames for the workers.
  std::function<void(Bytes records)> give_frames{};
  /// How long tunnels wait for an edge whose channel was cut off; zero: they end with it.
  Duration grace = std::chrono::seconds(60);
};

class Uplink final : public transport::AgentChannelHandler {
 public:
  Uplink(UplinkContext context, const std::vector<EdgeAddress>& edges, const transport::TlsIdentity& identity,
         const channel::Hello& hello);
  ~Uplink() override;

  void start();
  /// Says goodbye to every edge and dials no more.
  void stop(const std::string& reason);

  /// For connections made from now on; ends those to edges that it refuses.
  void set_identity(const transport::TlsIdentity& identity);
  void set_load(const channel::LoadReport& load, bool now = false);
  void session_up(ChannelId channel, const channel::SessionUp& up);
  void session_down(ChannelId channel, const channel::SessionDown& down);
  void close_tunnel(const TunnelKey& key, channel::CloseCause cause, const std::string& text);
  void release(Spi spi) { spis_.release(spi); }
  /// A data worker's frames for an edge's TLS data link; dropped and counted where there is none.
  void send_frames(ChannelId channel, Bytes records, std::size_t frames);
  void on_carrier(const LaneCarrier& change);
  /// Each second.
  void tick(Instant now);
  std::uint64_t frames_without_link() const { return frames_without_link_; }
  /// Answers DescribeTunnels: the tunnels are offered to the edge that came back.
  void offer(const TunnelsDescribed& described);
  /// The name in its certificate; empty when the channel is gone.
  std::string edge_name(ChannelId channel) const;
  /// Edges whose channel is up.
  std::size_t up() const { return links_.size(); }

  // transport::AgentChannelHandler
  void channel_up(transport::ChannelDialer& dialer, const transport::EdgeLink& link,
                  const channel::EdgeReady& ready, std::vector<channel::PathKeys> keys) override;
  void paths_renewed(transport::ChannelDialer& dialer, const channel::DataPaths& paths,
                     std::vector<channel::PathKeys> keys) override;
  void tunnel_open(transport::ChannelDialer& dialer, const channel::TunnelOpen& open) override;
  void tunnel_close(transport::ChannelDialer& dialer, const channel::TunnelClose& close) override;
  void tunnel_end(transport::ChannelDialer& dialer, const channel::TunnelEnd& end) override;
  void tunnel_resumed(transport::ChannelDialer& dialer, const channel::TunnelResumed& resumed) override;
  void tunnel_lost(transport::ChannelDialer& dialer, const channel::TunnelLost& lost) override;
  void channel_down(transport::ChannelDialer& dialer, const channel::Dead& dead) override;
  void data_link(transport::ChannelDialer& dialer, bool up, const std::string& cause) override;
  void data_frames(transport::ChannelDialer& dialer, Bytes records) override;
  void connection_failed(transport::ChannelDialer& dialer, const std::string& cause,
                         std::chrono::milliseconds retry_in) override;

 private:
  struct Link {
    transport::ChannelDialer* dialer = nullptr;
    transport::EdgeLink edge;
    channel::CarrierMode carrier = channel::CarrierMode::kUdp;
    std::uint32_t streaming = 0;          ///< pairs of workers whose data goes by TLS
    std::optional<Instant> idle_since{};  ///< none does any more, and the data link is still wanted
    bool data_link_failed = false;        ///< said so in the log
  };
  std::optional<ChannelId> channel_of(const transport::ChannelDialer& dialer) const;
  transport::ChannelDialer* dialer_of(ChannelId channel) const;
  EdgeId edge_id(const transport::ChannelDialer& dialer) const;
  void end_channel(ChannelId channel, const std::string& text);
  /// Nothing of it waits any more: the worker forgets it, and redialling has time again.
  void release_waiting(ChannelId channel, EdgeId edge);
  void watch_grace();

  UplinkContext context_;
  channel::RandomSpiSource spis_;
  std::vector<std::unique_ptr<transport::ChannelDialer>> dialers_;
  std::map<ChannelId, Link> links_;
  TunnelKeeper keeper_;
  std::map<ChannelId, EdgeId> waiting_;  ///< channels that were cut off, and whose they were
  boost::asio::steady_timer grace_timer_;
  std::map<const transport::ChannelDialer*, std::string> last_failure_;
  std::uint32_t last_channel_ = 0;
  std::uint64_t frames_without_link_ = 0;
};

}  // namespace sluice::agent
