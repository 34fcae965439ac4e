#pragma once
// Listener and dialer over real TLS on loopback, and handlers that note what they are told.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>

#include "proto/transport/asio_support.hpp"
#include "proto/transport/channel_dialer.hpp"
#include "proto/transport/channel_listener.hpp"
#include "tests/unit/proto/seeded_random.hpp"
#include "tests/unit/proto/test_pki.hpp"

namespace sluice::transport::ends {

using std::chrono::milliseconds;
constexpr std::uint32_t kEdgeWorkers = 2, kAgentWorkers = 2;

struct Edge final : EdgeChannelHandler {
  bool authorise(const PeerName& agent) override { return agent.name != "banned"; }
  void channel_up(EdgeChannel& channel, const channel::AgentReady& r,
                  std::vector<channel::PathKeys> k) override {
    up = &channel;
    ready = r;
    keys = std::move(k);
    ++ups;
  }
  void paths_renewed(EdgeChannel&, const channel::DataPaths& paths,
                     std::vector<channel::PathKeys> k) override {
    renewed = paths;
    keys = std::move(k);
  }
  void channel_event(EdgeChannel&, const channel::EdgeEvent& event) override { events.push_back(event); }
  void channel_down(EdgeChannel& channel, const channel::Dead& d) override {
    if (up == &channel) up = nullptr;
    dead.push_back(d);
  }
  void connection_failed(const Endpoint&, const std::string& name, const std::string& cause) override {
    failures.push_back(name + "|" + cause);
  }
  void data_link(EdgeChannel&, bool is_up, const std::string& cause) override {
    links.push_back(is_up ? "up" : cause);
  }
  void data_frames(EdgeChannel&, Bytes records) override {
    frames.insert(frames.end(), records.begin(), records.end());
  }
  template <class T>
  std::vector<T> got() const {
    std::vector<T> out;
    for (const auto& event : events) {
      if (const auto* found = std::get_if<T>(&event)) out.push_back(*found);
    }
    return out;
  }

  EdgeChannel* up = nullptr;
  int ups = 0;
  channel::AgentReady ready;
  std::vector<channel::PathKeys> keys;
  std::optional<channel::DataPaths> renewed;
  std::vector<channel::EdgeEvent> events;
  std::vector<channel::Dead> dead;
  std::vector<std::string> failures;
  std::vector<std::string> links;  // "up", or why one went
  ByteVector frames;
};

struct Agent final : AgentChannelHandler {
  void channel_up(ChannelDialer&, const EdgeLink& l, const channel::EdgeReady& r,
                  std::vector<channel::PathKeys> k) override {
    link = l;
    ready = r;
    keys = std::move(k);
    ++ups;
  }
  void paths_renewed(ChannelDialer&, const channel::DataPaths&, std::vector<channel::PathKeys> k) override {
    keys = std::move(k);
    ++renewals;
  }
  void tunnel_open(ChannelDialer& dialer, const channel::TunnelOpen& open) override {
    opens.push_back(open);
    if (open.peer_identity == "refuse me") {
      dialer.refuse(open.relay, "full");
    } else {
      dialer.accept(open.relay);
      dialer.session_up({open.relay, SessionId(1), "user", "pap", IpAddress::v4(1), 5});
    }
  }
  void tunnel_close(ChannelDialer&, const channel::TunnelClose& close) override { closes.push_back(close); }
  void tunnel_end(ChannelDialer& dialer, const channel::TunnelEnd& end) override {
    dialer.close_tunnel(end.relay, channel::CloseCause::kByAgent, end.text);
  }
  void tunnel_resumed(ChannelDialer&, const channel::TunnelResumed& answer) override {
    resumed.push_back(answer);
  }
  void tunnel_lost(ChannelDialer&, const channel::TunnelLost& answer) override { lost.push_back(answer); }
  void channel_down(ChannelDialer&, const channel::Dead& d) override { dead.push_back(d); }
  void data_link(ChannelDialer&, bool is_up, const std::string& cause) override {
    links.push_back(is_up ? "up" : cause);
  }
  void data_frames(ChannelDialer&, Bytes records) override {
    frames.insert(frames.end(), records.begin(), records.end());
  }
  void connection_failed(ChannelDialer&, const std::string& cause, milliseconds retry) override {
    failures.push_back(cause);
    retries.push_back(retry);
  }

  std::optional<EdgeLink> link;
  channel::EdgeReady ready;
  std::vector<channel::PathKeys> keys;
  int ups = 0, renewals = 0;
  std::vector<channel::TunnelOpen> opens;
  std::vector<channel::TunnelClose> closes;
  std::vector<channel::TunnelResumed> resumed;
  std::vector<channel::TunnelLost> lost;
  std::vector<channel::Dead> dead;
  std::vector<std::string> failures;
  std::vector<milliseconds> retries;
  std::vector<std::string> links;
  ByteVector frames;
};

class ChannelTest : public testing::Test {
 protected:
  void listen(std::uint16_t port = 0, std::function<void(ChannelListenerConfig&)> change = {}) {
    ChannelListenerConfig config;
    config.listen = {IpAddress::v4(0x7f000001), port};
    config.control = {
        .edge_name = "edge1", .boot_id = 1, .workers = kEdgeWorkers, .data_port = 6000, .times = {}};
    if (change) change(config);
    auto opened = ChannelListener::open(io_, config, pki_.identity("edge1", Role::kEdge), edge_spis_, edge_);
    ASSERT_TRUE(opened.ok()) << opened.error();
    listener_ = std::move(opened).value();
  }
  std::unique_ptr<ChannelDialer> dialer(AgentChannelHandler& handler, const std::string& name = "agent1",
                                        std::function<void(ChannelDialerConfig&)> change = {}) {
    ChannelDialerConfig config;
    config.host = "127.0.0.1";
    config.port = listener_ ? listener_->local().port : std::uint16_t{9};
    config.edge_name = "edge1";
    config.control.hello = {
        .boot_id = 2, .weight = 10, .workers = kAgentWorkers, .data_port = 7000, .software = "test"};
    config.backoff_min = milliseconds(10);
    config.backoff_max = milliseconds(80);
    if (change) change(config);
    return ChannelDialer::make(io_, config, pki_.identity(name, Role::kAgent), agent_spis_, random_, handler);
  }
  /// Runs the loop until `done` holds.
  template <class F>
  [[nodiscard]] bool until(F&& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(15);
    while (!done() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_one_for(std::chrono::seconds(1));
    }
    return done();
  }
  void connect() {
    listen();
    dialer_ = dialer(agent_);
    dialer_->start();
    ASSERT_TRUE(until([&] { return edge_.up != nullptr && dialer_->up(); }));
  }
  channel::TunnelOpen open(std::uint32_t relay, std::string identity = "peer") {
    channel::TunnelOpen out;
    out.relay = RelayId(relay);
    out.assigned_tunnel = TunnelId(3);
    out.peer_identity = std::move(identity);
    return out;
  }

  net::io_context io_;
  test::TestPki pki_;
  test::SeededRandom random_{5};
  channel::RandomSpiSource edge_spis_{kEdgeWorkers, random_};
  channel::RandomSpiSource agent_spis_{kAgentWorkers, random_};
  Edge edge_;
  Agent agent_;
  std::unique_ptr<ChannelListener> listener_;
  std::unique_ptr<ChannelDialer> dialer_;
};

}  // namespace sluice::transport::ends
