// An operations socket with a state of one of everything behind it, so that the real sluicectl can be run
// against it. Says "ready" when it listens; ends when its standard input does.
//   fake_edge SOCKET            answers
//   fake_edge SOCKET --moving   its counters grow
//   fake_edge SOCKET --cut      goes away in the middle of list-drops
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <iostream>
#include <set>
#include <string>

#include "edge/admin/journal_commands.hpp"
#include "edge/admin/operations_server.hpp"
#include "edge/admin/placement_commands.hpp"
#include "tests/unit/edge_admin/fake_state.hpp"

namespace sluice {
namespace {

constexpr auto kStep = std::chrono::milliseconds(50);

/// Every optional value is there.
void fill(edge::FakeState& state) {
  auto& backend = state.backend_rows[0];
  backend.l2tp = edge::L2tpState::kSilent;
  backend.l2tp_text = "SCCRQ was not answered";
  backend.l2tp_checked = 1700000000;
  for (int i = 3; i < 12; ++i) {
    auto session = state.session_rows[0];
    session.correlation_id = "c-" + std::to_string(i);
    session.user = "user" + std::to_string(i);
    session.client.port = static_cast<std::uint16_t>(40000 + i);
    state.session_rows.push_back(session);
  }
}

edge::PlacementHandlers placement() {
  edge::PlacementAgentView good;
  good.name = "agent1";
  good.chosen = good.eligible = true;
  good.free_addresses = 12;
  edge::PlacementAgentView bad;
  bad.name = "agent2";
  bad.why = "draining";
  edge::PlacementView answer;
  answer.agents = {good, bad};
  answer.chosen = "agent1";
  answer.policy = "least-loaded";
  answer.text = "agent1: its score is the lowest";
  const edge::DrainView drain{.agent = "agent1",
                              .since = 1700000000,
                              .deadline = 1700000060,
                              .kick_rate = 10,
                              .began_with = 3,
                              .tunnels = 0,
                              .sessions = 0,
                              .state = "empty"};
  return {.explain = [answer](const edge::PlacementQuestion&) { return answer; },
          .drain = [](const edge::DrainRequest& request) -> std::optional<std::string> {
            if (request.agent == "nobody") return "no agent of this name was ever connected";
            return std::nullopt;
          },
          .undrain = [](const std::string&) -> std::optional<std::string> { return std::nullopt; },
          .drains = [drain] { return std::vector{drain}; }};
}

/// A client whose password was wrong, and who then got in.
void fill(edge::Journal& journal) {
  using enum edge::JournalKind;
  auto say = [&, now = std::int64_t{1'700'000'000'000}](
                 edge::JournalKind kind, const std::string& correlation, const std::string& cause,
                 std::vector<edge::JournalEntry::Detail> details) mutable {
    edge::JournalEntry entry;
    entry.time_ms = now += 100;
    entry.kind = kind;
    entry.correlation = correlation;
    entry.cause = cause;
    entry.details = std::move(details);
    journal.add(std::move(entry));
  };
  journal.ike_packet("c", "198.51.100.7:500", 1'700'000'000'000);
  say(kIkeUp, "c", "",
      {{"client", "198.51.100.7:4500"}, {"identity", edge::kHostileIdentity}, {"version", "1"}});
  say(kPlaced, "c-1", "", {{"agent", "agent1"}});
  say(kSessionDown, "c-1", "wrong-password", {{"user", "alice"}});
  say(kSessionUp, "c-1", "", {{"user", "alice"}, {"address", "10.99.0.2"}});
}

class FakeEdge {
 public:
  FakeEdge(const std::string& socket, const std::set<std::string>& wishes)
      : server_(io_.get_executor(), {.path = socket, .owner = {}, .group = {}}, state_) {
    fill(state_);
    fill(journal_);
    edge::add_placement_commands(server_.server(), placement());
    server_.on_probe([](const std::string& name, const edge::OperationsServer::ProbeReply& reply) {
      const bool known = name == "agent1";
      reply({name, known ? edge::L2tpState::kSpeaks : edge::L2tpState::kSilent,
             known ? "" : "SCCRQ was not answered", std::chrono::milliseconds(12)});
    });
    server_.on_probe_ike([](const edge::OperationsServer::IkeProbeReply& reply) {
      reply({"answers", "IKE_SA_INIT was accepted", std::chrono::milliseconds(12), 1700000000});
    });
    if (wishes.contains("--cut")) cut();
    if (wishes.contains("--moving")) move();
  }

  int run() {
    if (const auto error = server_.start()) {
      std::cerr << error->text << "\n";
      return 1;
    }
    std::cout << "ready" << std::endl;
    wait_for_end();
    io_.run();
    return 0;
  }

 private:
  void cut() {
    server_.server().stream_command("list-drops", "list-drop", [this](const vici::Message&) {
      vici::Server::Stream stream;
      stream.next = [this, sent = 0]() mutable -> std::optional<vici::Message> {
        if (++sent == 5000) server_.stop();
        return vici::Message().add("stage", "esp").add("reason", "replayed").add("count", sent);
      };
      return stream;
    });
  }
  void move() {
    for (auto& session : state_.session_rows) {
      session.traffic.bytes_in += 10000 * (session.client.port % 16);
      session.traffic.bytes_out += 20000 * (session.client.port % 16);
      session.traffic.packets_in += 10;
      session.traffic.packets_out += 20;
    }
    state_.traffic.bytes_in += 1'000'000;
    state_.traffic.packets_in += 1000;
    state_.drops_in_all += 3;
    timer_.expires_after(kStep);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) move();
    });
  }
  void wait_for_end() {
    input_.async_read_some(
        boost::asio::buffer(byte_),
        [this](const boost::system::error_code& error, std::size_t) { error ? io_.stop() : wait_for_end(); });
  }

  boost::asio::io_context io_;
  edge::FakeState state_;
  edge::Journal journal_;
  edge::OperationsServer server_;
  edge::JournalCommands journal_commands_{
      server_.server(), {.state = state_, .journal = journal_, .kick = [](const edge::KickRequest& request) {
                           return request.relays.size();
                         }}};
  boost::asio::steady_timer timer_{io_};
  boost::asio::posix::stream_descriptor input_{io_, ::dup(STDIN_FILENO)};
  char byte_[1]{};
};

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return sluice::FakeEdge(argv[1], {argv + 2, argv + argc}).run();
}
