#pragma once
// The control thread's tables joined as in the daemon, with commands to workers and messages to agents
// written down.

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "edge/relay/relays.hpp"
#include "l2tp/lac.hpp"

namespace sluice::edge::testing {

class SeededRandom final : public RandomSource {
 public:
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }

 private:
  std::mt19937 engine_{3};
};

/// An agent's channel that writes down what it is told.
class FakeChannel final : public transport::EdgeChannel {
 public:
  using EdgeChannel::data_endpoint;
  FakeChannel(std::uint64_t id, std::string name)
      : id_(id), name_{std::move(name), transport::Role::kAgent, "", 0} {}
  std::uint64_t id() const override { return id_; }
  const transport::PeerName& peer() const override { return name_; }
  Endpoint remote() const override { return *Endpoint::parse("10.0.0.2:33333"); }
  Endpoint data_endpoint(std::uint32_t) const override { return *Endpoint::parse("10.0.0.2:4700"); }
  IpAddress local_address() const override { return *IpAddress::parse("10.0.0.1"); }
  bool open_tunnel(const channel::TunnelOpen& open) override {
    opened.push_back(open);
    return takes;
  }
  bool close_tunnel(RelayId relay, channel::CloseCause cause, const std::string&) override {
    closed[relay] = cause;
    return true;
  }
  bool end_tunnel(RelayId relay, const std::string& text) override {
    ended[relay] = text;
    return takes;
  }
  bool resume_tunnel(const channel::TunnelResumed& answer) override {
    resumed.push_back(answer);
    return true;
  }
  bool refuse_resume(const channel::TunnelLost& answer) override {
    lost.push_back(answer);
    return true;
  }
  bool renew_paths() override { return false; }
  bool send_frames(Bytes, std::size_t) override { return false; }
  void close(const std::string& reason) override { close_reason = reason; }

  bool takes = true;
  std::vector<channel::TunnelOpen> opened;
  std::vector<channel::TunnelResumed> resumed;
  std::vector<channel::TunnelLost> lost;
  std::map<RelayId, channel::CloseCause> closed;
  std::map<RelayId, std::string> ended;
  std::string close_reason;

 private:
  std::uint64_t id_;
  transport::PeerName name_;
};

struct Tables {
  explicit Tables(std::uint32_t workers = 2, TunnelLimits limits = {});

  /// An IKE SA and one child SA pair, as the provider brings them; gives the inbound SPI.
  Spi dial_in(std::uint32_t ike, const char* remote, const std::string& identity = "192.168.1.10");
  SaSpec spec(Spi spi, std::uint32_t ike, const char* remote, bool inbound,
              const std::string& identity) const;
  FakeChannel& add_agent(const std::string& name, std::uint32_t weight = 1, std::uint64_t boot = 1);
  void cut_off(FakeChannel& channel);
  void lose_agent(FakeChannel& channel);
  /// The client's SCCRQ comes out of ESP.
  void sccrq(PeerId peer, std::uint16_t tunnel, std::uint16_t port = 1701);
  void agent_says(FakeChannel& channel, const channel::EdgeEvent& event) {
    backends.channel_event(channel, event);
  }
  PeerId peer_of(std::uint32_t ike) const { return peers.find(IkeSaId(ike))->id; }

  template <class T>
  std::vector<const T*> posted() const {
    std::vector<const T*> out;
    for (const auto& [worker, command] : commands) {
      if (const auto* value = std::get_if<T>(&command)) out.push_back(value);
    }
    return out;
  }

  SeededRandom random;
  Instant now{std::chrono::hours(1)};
  std::deque<std::pair<std::uint32_t, Command>> commands;
  std::vector<PeerId> ended;
  std::vector<std::string> ups, downs;
  std::vector<JournalEntry> notes;
  std::string contact;  ///< what contacts say of every place
  Peers peers;
  Backends backends;
  Relays relays;
  std::deque<FakeChannel> channels;
};

}  // namespace sluice::edge::testing
