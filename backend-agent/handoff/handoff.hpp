#pragma once
// All tunnels that go to an L2TP server which is there already: each by a socket of its own, from an address
// of its own. Thread: the data worker.

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "backend-agent/handoff/handoff_tunnel.hpp"
#include "backend-agent/handoff/sources.hpp"
#include "backend-agent/lns/messages.hpp"
#include "base/app/unique_fd.hpp"
#include "base/counters.hpp"
#include "base/time.hpp"

namespace sluice::agent {

struct HandoffSettings {
  Endpoint server;  ///< IPv4
  AddressRange sources;
  std::uint32_t worker = 0;  ///< part of each session's serial
};

class Handoff {
 public:
  using Emit = std::function<void(Event)>;
  /// A packet for a client; the bytes may be changed and stay until it returns.
  using ToClient = std::function<void(const TunnelKey&, std::uint32_t edge_worker, Bytes l2tp)>;
  Handoff(HandoffSettings settings, Emit emit);
  ~Handoff();

  /// Readable while a server's packets wait.
  int fd() const { return epoll_.get(); }

  void open_tunnel(const TunnelSpec& spec, Instant now);
  /// The client is gone: the server is told so in its name.
  void close_tunnel(const TunnelKey& key, std::string_view text);
  /// The same, and its client is told in the server's name.
  void end_tunnel(const TunnelKey& key, std::string_view text, const ToClient& to_client, Instant now);
  void close_channel(ChannelId channel, std::string_view text);
  /// While a channel is cut off its tunnels wait by themselves: the server goes on asking, and nobody
  /// answers.
  TunnelsDescribed describe_tunnels(ChannelId channel) const;
  /// A tunnel that waited goes on under another key; nothing happens when it is gone.
  void rebind(const RebindTunnel& rebind);
  /// The client is told in the server's name, the server in the client's.
  /// empty() once they have acknowledged it or are given up.
  void close_all(std::string_view text, const ToClient& to_client, Instant now);

  void from_edge(const TunnelKey& key, MutableBytes l2tp, const ToClient& to_client, Instant now);
  /// Hands on what servers have sent; true when there may be more.
  bool receive(const ToClient& to_client, Instant now);

  void on_timeout(const ToClient& to_client, Instant now);
  std::optional<Instant> next_timeout() const;

  std::size_t tunnels() const { return tunnels_.size(); }
  std::size_t sessions_up() const { return sessions_up_; }
  bool empty() const { return tunnels_.empty(); }
  const CounterArray<HandoffDrop>& drops() const { return drops_; }

 private:
  struct Tunnel;
  struct Burst;
  enum class Stage : std::uint8_t {
    kRelaying,
    kEnding,   ///< a StopCCN has passed and waits for its acknowledgement
    kFarewell  ///< the client is being told in the server's name
  };
  std::optional<std::string> connect(Tunnel& tunnel);
  bool drain(Tunnel& tunnel, const ToClient& to_client, Instant now);
  void follow(Tunnel& tunnel, Instant now);
  void session_up(Tunnel& tunnel, const l2tp::ObservedSession& seen);
  void session_closed(Tunnel& tunnel);
  void session_gone(const Tunnel& tunnel, SessionSerial serial, SessionId id, std::string_view cause,
                    std::string_view text);
  void end_sessions(Tunnel& tunnel, std::string_view cause, std::string_view text);
  void server_gone(Tunnel& tunnel, const ToClient& to_client, Instant now);
  void farewell(Tunnel& tunnel, std::string_view cause, std::string_view text, const ToClient& to_client,
                Instant now);
  void speak_for_server(Tunnel& tunnel, std::string_view cause, std::string_view text,
                        const ToClient& to_client, Instant now);
  void say_farewell(Tunnel& tunnel, const ToClient& to_client, Instant now);
  void end(Tunnel& tunnel, bool by_client);
  void wake(Tunnel& tunnel, Instant at);
  void forget(const TunnelKey& key);

  HandoffSettings settings_;
  Emit emit_;
  Sources sources_;
  app::UniqueFd epoll_;
  std::unique_ptr<Burst> burst_;
  std::unordered_map<TunnelKey, std::unique_ptr<Tunnel>> tunnels_;
  std::set<std::pair<Instant, TunnelKey>> wakes_;
  std::uint64_t last_serial_ = 0;
  std::size_t sessions_up_ = 0;
  CounterArray<HandoffDrop> drops_;
};

}  // namespace sluice::agent
