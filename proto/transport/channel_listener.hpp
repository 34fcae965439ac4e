#pragma once
// The edge's side of the channel: takes agents' connections, authenticates them, runs one EdgeControl for
// each. Thread: the io_context's. Handlers are called from its loop, never from within a call into this
// class.

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/counters.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"
#include "proto/channel/control_session.hpp"
#include "proto/channel/data_keys.hpp"
#include "proto/transport/identity.hpp"
#include "proto/transport/tls_stream.hpp"

namespace sluice::transport {

/// One agent's established channel. Valid from channel_up() until channel_down() returned.
class EdgeChannel {
 public:
  virtual ~EdgeChannel() = default;
  virtual std::uint64_t id() const = 0;  ///< never reused
  virtual const PeerName& peer() const = 0;
  virtual Endpoint remote() const = 0;  ///< of the control stream
  /// Where one of the agent's workers takes data frames: the control stream's address, a port of the worker's
  /// own.
  virtual Endpoint data_endpoint(std::uint32_t agent_worker) const = 0;
  Endpoint data_endpoint() const { return data_endpoint(0); }
  /// Of the control stream; nothing where it is not known.
  virtual std::optional<TcpFigures> tcp_figures() const { return std::nullopt; }
  virtual IpAddress local_address() const = 0;  ///< which the agent dialled: the source of data frames

  /// As in channel::EdgeControl.
  virtual bool open_tunnel(const channel::TunnelOpen& open) = 0;
  virtual bool close_tunnel(RelayId relay, channel::CloseCause cause, const std::string& text) = 0;
  virtual bool end_tunnel(RelayId relay, const std::string& text) = 0;
  virtual bool resume_tunnel(const channel::TunnelResumed& resumed) = 0;
  virtual bool refuse_resume(const channel::TunnelLost& lost) = 0;
  virtual bool renew_paths() = 0;
  /// Whole data frames (proto/channel/data_stream.hpp) by the TLS data link; false: there is none, or the
  /// agent does not take them: they are dropped.
  virtual bool send_frames(Bytes records, std::size_t frames) = 0;
  /// Goodbye, then close; channel_down() follows.
  virtual void close(const std::string& reason) = 0;
};

class EdgeChannelHandler {
 public:
  virtual ~EdgeChannelHandler() = default;
  /// Is an agent of this name wanted? Asked within the TLS handshake.
  virtual bool authorise(const PeerName& agent) = 0;
  virtual void channel_up(EdgeChannel& channel, const channel::AgentReady& ready,
                          std::vector<channel::PathKeys> keys) = 0;
  virtual void paths_renewed(EdgeChannel& channel, const channel::DataPaths& paths,
                             std::vector<channel::PathKeys> keys) = 0;
  /// Anything but AgentReady, PathsRenewed and Dead.
  virtual void channel_event(EdgeChannel& channel, const channel::EdgeEvent& event) = 0;
  virtual void channel_down(EdgeChannel& channel, const channel::Dead& dead) = 0;
  /// The TLS data link came or went (`cause`: why); between channel_up and channel_down only.
  virtual void data_link(EdgeChannel& /*channel*/, bool /*up*/, const std::string& /*cause*/) {}
  /// Data frames that came by it, as they are.
  virtual void data_frames(EdgeChannel& /*channel*/, Bytes /*records*/) {}
  /// A connection that never came up: one line for the log. `name` is empty where no certificate was
  /// accepted.
  virtual void connection_failed(const Endpoint& remote, const std::string& name,
                                 const std::string& cause) = 0;
};

struct ChannelListenerConfig {
  Endpoint listen;  ///< port 0: any
  channel::EdgeControlConfig control;
  std::size_t max_connections = 1024;
  std::size_t max_handshakes = 64;  ///< not yet authenticated, at once; more are closed unanswered
  std::chrono::milliseconds tls_handshake_timeout{5000};
};

enum class ListenerCount : std::uint8_t { kAccepted, kTlsFailed, kShed, kControlFailed, kUp, kDown, kCount };

class ChannelListener {
 public:
  /// `spis` and `handler` outlive the listener. Errors name the address and the cause.
  static Result<std::unique_ptr<ChannelListener>, std::string> open(net::io_context& io,
                                                                    ChannelListenerConfig config,
                                                                    TlsIdentity identity,
                                                                    channel::SpiSource& spis,
                                                                    EdgeChannelHandler& handler);
  virtual ~ChannelListener() = default;
  virtual Endpoint local() const = 0;
  /// For connections made from now on: a renewed certificate. Those that stand go on, but for agents whose
  /// certificate it refuses; their channel_down() follows.
  virtual void set_identity(TlsIdentity identity) = 0;
  /// Takes no more connections, says goodbye on all; channel_down() is called for each before this returns,
  /// so do not call it from a handler.
  virtual void stop(const std::string& reason) = 0;
  /// The same without a goodbye, as if this program had died: agents keep their tunnels for its successor.
  virtual void abandon() = 0;
  virtual const CounterArray<ListenerCount>& counts() const = 0;
};

}  // namespace sluice::transport
