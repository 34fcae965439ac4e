#pragma once
// The agent's side of the channel to one edge: dials, redials with growing and jittered waits, runs an
// AgentControl. Thread: the io_context's. Handlers are called from its loop, never from within a call into
// this class.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/ip.hpp"
#include "base/random.hpp"
#include "proto/channel/control_session.hpp"
#include "proto/channel/data_keys.hpp"
#include "proto/transport/identity.hpp"
#include "proto/transport/tls_stream.hpp"

namespace sluice::transport {

struct ChannelDialerConfig {
  std::string host;  ///< address or DNS name of the edge
  std::uint16_t port = 0;
  std::string edge_name;  ///< the name its certificate must have; empty: any edge of our CA
  channel::AgentControlConfig control;
  std::chrono::milliseconds connect_timeout{5000};  ///< TCP, then the same again for TLS
  std::chrono::milliseconds backoff_min{500};
  std::chrono::milliseconds backoff_max{15000};
  /// Instead of both while tunnels wait for the edge to come back (set_urgent).
  std::chrono::milliseconds backoff_urgent_min{100}, backoff_urgent_max{800};
};

/// Where the edge is, once the channel is up.
struct EdgeLink {
  PeerName peer;
  Endpoint control;  ///< of the control stream
  Endpoint data;     ///< where the edge's first worker takes data frames
  IpAddress local;   ///< our address as the edge sees it, unless it is translated: the source of data frames

  /// Where one of the edge's workers takes data frames.
  Endpoint data_of(std::uint32_t edge_worker) const {
    return {data.address, channel::port_of(data.port, edge_worker)};
  }
};

class ChannelDialer;

class AgentChannelHandler {
 public:
  virtual ~AgentChannelHandler() = default;
  virtual void channel_up(ChannelDialer& dialer, const EdgeLink& link, const channel::EdgeReady& ready,
                          std::vector<channel::PathKeys> keys) = 0;
  virtual void paths_renewed(ChannelDialer& dialer, const channel::DataPaths& paths,
                             std::vector<channel::PathKeys> keys) = 0;
  virtual void tunnel_open(ChannelDialer& dialer, const channel::TunnelOpen& open) = 0;
  virtual void tunnel_close(ChannelDialer& dialer, const channel::TunnelClose& close) = 0;
  virtual void tunnel_end(ChannelDialer& dialer, const channel::TunnelEnd& end) = 0;
  virtual void tunnel_resumed(ChannelDialer& dialer, const channel::TunnelResumed& resumed) = 0;
  virtual void tunnel_lost(ChannelDialer& dialer, const channel::TunnelLost& lost) = 0;
  virtual void channel_down(ChannelDialer& dialer, const channel::Dead& dead) = 0;
  /// The TLS data link came, or went, or could not be made (`cause`: why); while the channel is up only.
  virtual void data_link(ChannelDialer& /*dialer*/, bool /*up*/, const std::string& /*cause*/) {}
  /// Data frames that came by it (proto/channel/data_stream.hpp), as they are.
  virtual void data_frames(ChannelDialer& /*dialer*/, Bytes /*records*/) {}
  /// An attempt that failed, and when the next is made: one line for the log.
  virtual void connection_failed(ChannelDialer& dialer, const std::string& cause,
                                 std::chrono::milliseconds retry_in) = 0;
};

class ChannelDialer {
 public:
  /// `spis`, `random` and `handler` outlive the dialer.
  static std::unique_ptr<ChannelDialer> make(net::io_context& io, ChannelDialerConfig config,
                                             TlsIdentity identity, channel::SpiSource& spis,
                                             RandomSource& random, AgentChannelHandler& handler);
  virtual ~ChannelDialer() = default;
  virtual void start() = 0;
  /// Says goodbye and dials no more; channel_down() is called before this returns if the channel was up
  /// (but after, when called from a handler).
  virtual void stop(const std::string& reason) = 0;
  virtual bool up() const = 0;
  virtual const ChannelDialerConfig& config() const = 0;
  /// For connections made from now on: a renewed certificate. One that stands goes on, unless the edge's
  /// certificate is refused by it: then channel_down() follows, and dialling goes on.
  virtual void set_identity(TlsIdentity identity) = 0;

  /// As in channel::AgentControl; each is false while the channel is down.
  virtual bool accept(RelayId relay) = 0;
  virtual bool refuse(RelayId relay, const std::string& reason) = 0;
  virtual bool close_tunnel(RelayId relay, channel::CloseCause cause, const std::string& text) = 0;
  virtual bool session_up(const channel::SessionUp& up) = 0;
  virtual bool session_down(const channel::SessionDown& down) = 0;
  virtual bool resume_tunnel(const channel::TunnelResume& resume) = 0;
  /// Whether a TLS connection for data is held beside the control stream, until the channel goes down.
  /// Nothing while it is down, or where the two agreed on UDP alone.
  virtual void want_data_link(bool wanted) = 0;
  /// Whole data frames by it; false: there is none, or the edge does not take them: they are dropped.
  virtual bool send_frames(Bytes records, std::size_t frames) = 0;
  /// Tunnels wait for this edge: redial in shorter intervals from the next attempt on.
  virtual void set_urgent(bool urgent) = 0;
  /// What the load reports say from now on; kept over reconnections. `now` sends one out of turn.
  virtual void set_load(const channel::LoadReport& load, bool now = false) = 0;
};

}  // namespace sluice::transport
