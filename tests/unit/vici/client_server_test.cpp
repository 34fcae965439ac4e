// Our client against our server, in one process, over a real socket.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "tests/unit/vici/io_bench.hpp"
#include "vici/client.hpp"
#include "vici/server.hpp"

namespace sluice::vici {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Answer = Result<Message, Error>;

class ViciClientServer : public IoBench {
 protected:
  ViciClientServer() {
    options.path = socket_path;
    restart();
  }
  void restart() {
    server.emplace(io.get_executor(), options);
    server->command("echo", [](const Message& m) { return m; });
    server->command(
        "refuse", [](const Message&) { return Message().add("success", false).add("errmsg", "not\ntoday"); });
    server->command("agree", [](const Message&) { return Message().add("success", true); });
    server->command("throw", [](const Message&) -> Message { throw std::runtime_error("broke"); });
    server->deferred_command("never",
                             [this](const Request&, Server::Reply reply) { kept = std::move(reply); });
    server->stream_command("list", "item", [](const Message& m) {
      auto left = std::make_shared<std::uint64_t>(m.number("count").value_or(0));
      Server::Stream stream;
      stream.next = [left]() -> std::optional<Message> {
        if (*left == 0) return std::nullopt;
        return Message().add("k", (*left)--);
      };
      stream.answer.add("end", "yes");
      return stream;
    });
    server->declare_event("log");
    ASSERT_EQ(start_error(), "");
  }
  std::string start_error() {
    const auto error = server->start();
    return error ? error->text : "";
  }
  void connect() {
    const auto error = run(client.connect());
    ASSERT_FALSE(error.has_value()) << error->text;
  }
  Result<Message, Error> request(std::string name, Message arguments = {}, Duration timeout = 5s) {
    return run(client.request(std::move(name), std::move(arguments), timeout));
  }

  ServerOptions options;
  std::optional<Server> server;
  Client client{io.get_executor(), "unix://" + socket_path};
  Server::Reply kept;
};

TEST_F(ViciClientServer, AnswersARequest) {
  connect();
  const auto answer = request("echo", Message().add("k", "v"));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value().get("k"), "v");
  EXPECT_EQ(server->read(ServerCounter::kRequests), 1u);
}

TEST_F(ViciClientServer, CarriesTheLargestMessageBothWays) {
  connect();
  Message large;
  for (int i = 0; i < 7; ++i) large.add("n", std::string(65535, 'v'));
  const auto answer = request("echo", large);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value(), large);
}

TEST_F(ViciClientServer, SaysThatACommandIsUnknown) {
  connect();
  const auto answer = request("list-sas");
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kUnknownCommand);
  EXPECT_EQ(server->read(ServerCounter::kUnknownCommands), 1u);
  EXPECT_TRUE(request("echo").ok());
}

TEST_F(ViciClientServer, CommandTurnsNoIntoAnErrorWithItsReason) {
  connect();
  EXPECT_TRUE(run(client.command("agree")).ok());
  const auto answer = run(client.command("refuse"));
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kRefused);
  EXPECT_THAT(answer.error().text, HasSubstr("refused 'refuse': not\\x0atoday"));
}

TEST_F(ViciClientServer, AHandlerThatThrowsAnswersNo) {
  connect();
  const auto answer = run(client.command("throw"));
  ASSERT_FALSE(answer.ok());
  EXPECT_THAT(answer.error().text, HasSubstr("broke"));
}

TEST_F(ViciClientServer, StreamsInOrderAndNotAheadOfTheReader) {
  connect();
  std::vector<std::uint64_t> seen;
  const auto answer = run(client.stream("list", "item", Message().add("count", 20000),
                                        [&](const Message& m) { seen.push_back(m.number("k").value()); }));
  ASSERT_TRUE(answer.ok()) << answer.error().text;
  EXPECT_EQ(answer.value().get("end"), "yes");
  ASSERT_EQ(seen.size(), 20000u);
  EXPECT_TRUE(std::is_sorted(seen.rbegin(), seen.rend()));
}

TEST_F(ViciClientServer, LiveCommandSendsAsThingsHappenAndThenAnswers) {
  std::shared_ptr<Server::Live> live;
  server->live_command("watch", "sight", [&](const Request&, std::shared_ptr<Server::Live> l) { live = l; });
  connect();
  std::vector<std::string> seen;
  std::optional<Answer> answer;
  start<Answer>(client.stream("watch", "sight", {}, [&](const Message& m) { seen.emplace_back(m.get("k")); }),
                [&](Answer got) { answer.emplace(std::move(got)); });
  run_until([&] { return live != nullptr; });
  for (const auto* word : {"one", "two"}) {
    EXPECT_TRUE(live->send(Message().add("k", word)));
    run_until([&] { return !seen.empty() && seen.back() == word; });
  }
  EXPECT_TRUE(live->open());
  live->finish(Message().add("end", "yes"));
  EXPECT_FALSE(live->open());
  EXPECT_FALSE(live->send(Message().add("k", "late")));
  live->finish(Message().add("end", "again"));
  run_until([&] { return answer.has_value(); });
  ASSERT_TRUE(answer->ok()) << answer->error().text;
  EXPECT_EQ(answer->value().get("end"), "yes");
  EXPECT_THAT(seen, ElementsAre("one", "two"));
}

TEST_F(ViciClientServer, LiveCommandWithoutRegistrationIsRefused) {
  server->live_command("watch", "sight",
                       [](const Request&, const std::shared_ptr<Server::Live>&) { FAIL(); });
  connect();
  const auto answer = run(client.command("watch"));
  ASSERT_FALSE(answer.ok());
  EXPECT_THAT(answer.error().text, HasSubstr("register for the event 'sight'"));
}

TEST_F(ViciClientServer, LiveCommandNoticesThatItsClientLeft) {
  std::shared_ptr<Server::Live> live;
  server->live_command("watch", "sight", [&](const Request&, std::shared_ptr<Server::Live> l) { live = l; });
  {
    auto leaving = raw();
    send(leaving, packet(PacketType::kEventRegister, "sight"));
    send(leaving, packet(PacketType::kCommandRequest, "watch"));
    run_until([&] { return live != nullptr; });
    EXPECT_TRUE(live->open());
  }
  run_until([&] { return !live->open(); });
}

TEST_F(ViciClientServer, LiveCommandTellsOfAClientThatDoesNotReadAndKeepsIt) {
  std::shared_ptr<Server::Live> live;
  server->live_command("watch", "sight", [&](const Request&, std::shared_ptr<Server::Live> l) { live = l; });
  auto slow = raw();
  send(slow, packet(PacketType::kEventRegister, "sight"));
  send(slow, packet(PacketType::kCommandRequest, "watch"));
  run_until([&] { return live != nullptr; });
  const auto large = Message().add("k", std::string(60000, 'x'));
  std::size_t sent = 0;
  while (live->send(large)) ASSERT_LT(++sent, 10'000U);
  EXPECT_GT(sent, 10U);
  EXPECT_TRUE(live->open());
}

TEST_F(ViciClientServer, StreamWithoutRegistrationIsJustTheAnswer) {
  connect();
  const auto answer = request("list", Message().add("count", 5));
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value().get("end"), "yes");
  EXPECT_EQ(server->read(ServerCounter::kEvents), 0u);
}

TEST_F(ViciClientServer, EventsReachSubscribersOnly) {
  connect();
  std::vector<std::string> seen;
  client.on_event([&](const std::string& name, const Message& m) {
    seen.push_back(name + " " + std::string(m.get("k")));
  });
  server->raise("log", Message().add("k", "0"));
  EXPECT_FALSE(server->has_subscribers("log"));
  EXPECT_FALSE(run(client.subscribe({"log"})).has_value());
  EXPECT_TRUE(server->has_subscribers("log"));
  server->raise("log", Message().add("k", "1"));
  server->raise("log", Message().add("k", "2"));
  run_until([&] { return seen.size() == 2; });
  EXPECT_FALSE(run(client.unsubscribe({"log"})).has_value());
  server->raise("log", Message().add("k", "3"));
  EXPECT_TRUE(request("echo").ok());
  EXPECT_THAT(seen, ElementsAre("log 1", "log 2"));
}

TEST_F(ViciClientServer, AnUnknownEventIsAnError) {
  connect();
  const auto error = run(client.subscribe({"log", "no-such"}));
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind, ErrorKind::kUnknownEvent);
  EXPECT_THAT(error->text, HasSubstr("no-such"));
}

TEST_F(ViciClientServer, HandlersLearnWhoAsks) {
  PeerCredentials seen;
  server->deferred_command("who", [&](const Request& request, const Server::Reply& reply) {
    seen = request.peer;
    reply({});
    reply(Message().add("k", "twice"));
  });
  connect();
  const auto answer = request("who");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value().get("k"), "");
  EXPECT_EQ(seen.pid, ::getpid());
  EXPECT_EQ(seen.uid, ::getuid());
  EXPECT_TRUE(request("echo").ok());
}

TEST_F(ViciClientServer, ALateAnswerIsNotTakenForTheNextOne) {
  connect();
  const auto answer = request("never", {}, 20ms);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kTimeout);
  kept(Message().add("k", "late"));
  const auto next = request("echo", Message().add("k", "mine"));
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(next.value().get("k"), "mine");
}

TEST_F(ViciClientServer, ACancelledRequestLeavesTheConnectionInOrder) {
  connect();
  asio::cancellation_signal signal;
  bool ended = false;
  start<Answer>(
      client.request("never"), [&](const Answer&) { ended = true; }, signal.slot());
  run_until([&] { return kept != nullptr; });
  signal.emit(asio::cancellation_type::all);
  run_until([&] { return ended; });
  kept(Message().add("k", "late"));
  EXPECT_EQ(request("echo", Message().add("k", "mine")).value().get("k"), "mine");
}

TEST_F(ViciClientServer, LossIsReportedAtOnceToEveryone) {
  connect();
  std::vector<std::string> order;
  client.on_closed([&](const Error& error) { order.push_back("closed: " + error.text); });
  start<Answer>(client.request("never", {}, 60s), [&](const Answer& r) {
    EXPECT_EQ(r.error().kind, ErrorKind::kClosed);
    order.push_back("request");
  });
  run_until([&] { return kept != nullptr; });
  server->stop();
  run_until([&] { return order.size() == 2; });
  EXPECT_THAT(order, ElementsAre(HasSubstr("was lost"), "request"));
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(request("echo").error().kind, ErrorKind::kClosed);
  kept({});  // the client is gone: nothing happens
}

TEST_F(ViciClientServer, CloseEndsRequestsAndIsNotALoss) {
  connect();
  bool lost = false;
  client.on_closed([&](const Error&) { lost = true; });
  std::optional<ErrorKind> ended;
  start<Answer>(client.request("never"), [&](const Answer& r) { ended = r.error().kind; });
  run_until([&] { return kept != nullptr; });
  client.close();
  run_until([&] { return ended.has_value() && server->connections() == 0; });
  EXPECT_EQ(ended, ErrorKind::kClosed);
  EXPECT_FALSE(lost);
}

TEST_F(ViciClientServer, AClientMayDieWithRequestsOpen) {
  std::optional<ErrorKind> ended;
  {
    Client mortal(io.get_executor(), socket_path);
    ASSERT_FALSE(run(mortal.connect()).has_value());
    start<Answer>(mortal.request("never"), [&](const Answer& r) { ended = r.error().kind; });
    run_until([&] { return kept != nullptr; });
  }
  run_until([&] { return ended.has_value(); });
  EXPECT_EQ(ended, ErrorKind::kClosed);
}

TEST_F(ViciClientServer, ConnectsAgainAfterARestart) {
  connect();
  server->stop();
  run_until([&] { return !client.connected(); });
  const auto refused = run(client.connect());
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->kind, ErrorKind::kUnreachable);
  restart();
  connect();
  EXPECT_TRUE(request("echo").ok());
}

TEST_F(ViciClientServer, ClosingFromWithinACallbackIsSafe) {
  connect();
  client.on_event([&](const std::string&, const Message&) { client.close(); });
  ASSERT_FALSE(run(client.subscribe({"log"})).has_value());
  server->raise("log", {});
  server->raise("log", {});
  run_until([&] { return !client.connected() && server->connections() == 0; });
}

TEST_F(ViciClientServer, ManyRequestsInFlightAreAnsweredInOrder) {
  connect();
  std::vector<std::string> answers;
  for (int i = 0; i < 50; ++i) {
    start<Answer>(client.request("echo", Message().add("k", i)),
                  [&](const Answer& r) { answers.emplace_back(r.value().get("k")); });
  }
  run_until([&] { return answers.size() == 50; });
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(answers[i], std::to_string(i));
}

class ViciServer : public ViciClientServer {
 protected:
  void run_until_dropped(std::size_t connections = 0) {
    run_until([this, connections] { return server->connections() == connections; });
  }
};

TEST_F(ViciServer, PipelinedRequestsAreAllAnswered) {
  auto socket = raw();
  ByteVector requests;
  constexpr std::size_t kRequests = 30000;
  for (std::size_t i = 0; i < kRequests; ++i) {
    const auto one = packet(PacketType::kCommandRequest, "agree");
    requests.insert(requests.end(), one.begin(), one.end());
  }
  const auto one_answer = packet(PacketType::kCommandResponse, {}, Message().add("success", true));
  ByteVector answers(one_answer.size() * kRequests);
  bool done = false;
  asio::async_write(socket, asio::buffer(requests), [](const boost::system::error_code&, std::size_t) {});
  asio::async_read(socket, asio::buffer(answers),
                   [&](const boost::system::error_code& e, std::size_t) { done = !e; });
  run_until([&] { return done; });
  EXPECT_EQ(server->read(ServerCounter::kRequests), kRequests);
}

TEST_F(ViciServer, DropsAndCountsWhoDoesNotReadEvents) {
  auto socket = raw();
  send(socket, packet(PacketType::kEventRegister, "log"));
  connect();
  ASSERT_FALSE(run(client.subscribe({"log"})).has_value());
  run_until([&] { return server->has_subscribers("log"); });
  std::size_t seen = 0;
  client.on_event([&](const std::string&, const Message&) { ++seen; });
  const auto message = Message().add("k", std::string(60000, 'x'));
  std::size_t raised = 0;
  while (server->connections() == 2) {
    server->raise("log", message);
    ++raised;
    run_until([&] { return seen == raised; });  // the one that reads loses nothing
    ASSERT_LT(raised, 1000u);
  }
  EXPECT_EQ(server->read(ServerCounter::kSlowReaders), 1u);
  EXPECT_TRUE(client.connected());
}

TEST_F(ViciServer, DropsWhoStopsReadingAStream) {
  options.write_timeout = 50ms;
  server->stop();
  restart();
  auto socket = raw();
  send(socket, packet(PacketType::kEventRegister, "item"));
  send(socket, packet(PacketType::kCommandRequest, "list", Message().add("count", 10'000'000)));
  run_until([&] { return server->read(ServerCounter::kSlowReaders) == 1; });
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(ViciServer, ClosesAndCountsWhatIsNotVici) {
  auto malformed = raw();
  send(malformed, ByteVector{0, 0, 0, 1, 99});
  run_until([&] { return server->read(ServerCounter::kMalformed) == 1; });
  auto oversize = raw();
  send(oversize, as_bytes("GET / HTTP/1.1\r\n\r\n"));
  run_until([&] { return server->read(ServerCounter::kOversize) == 1; });
  EXPECT_EQ(server->connections(), 0u);
}

TEST_F(ViciServer, TurnsAwayMoreThanItsLimit) {
  options.max_connections = 2;
  server->stop();
  restart();
  auto a = raw();
  auto b = raw();
  auto c = raw();
  run_until([&] { return server->read(ServerCounter::kTooMany) == 1; });
  EXPECT_EQ(server->connections(), 2u);
  a.close();
  run_until_dropped(1);
}

TEST_F(ViciServer, SocketHasItsModeAndGoesWithTheServer) {
  EXPECT_EQ(std::filesystem::status(socket_path).permissions(), std::filesystem::perms(0660));
  server->stop();
  EXPECT_FALSE(std::filesystem::exists(socket_path));
}

TEST_F(ViciServer, RefusesAPathWhereAnotherListens) {
  Server second(io.get_executor(), options);
  const auto error = second.start();
  ASSERT_TRUE(error.has_value());
  EXPECT_THAT(error->text, HasSubstr("another process listens there"));
  second.stop();
  connect();
  EXPECT_TRUE(request("echo").ok());
}

TEST_F(ViciServer, ReplacesADeadSocketButNoOtherFile) {
  server->stop();
  { asio::local::stream_protocol::acceptor dead(io, asio::local::stream_protocol::endpoint(socket_path)); }
  ASSERT_TRUE(std::filesystem::exists(socket_path));
  restart();
  connect();
  server->stop();
  std::filesystem::create_directory(socket_path);
  EXPECT_THAT(start_error(), HasSubstr("a file that is no socket is in its place"));
  EXPECT_TRUE(std::filesystem::is_directory(socket_path));
}

TEST_F(ViciServer, DoesNotRemoveItsSuccessorsSocket) {
  std::filesystem::remove(socket_path);
  Server second(io.get_executor(), options);
  ASSERT_FALSE(second.start().has_value());
  server->stop();
  EXPECT_TRUE(std::filesystem::exists(socket_path));
}

TEST_F(ViciServer, SaysWhenItsFolderIsMissingOrItsPathTooLong) {
  options.path = (folder / "missing" / "x.sock").string();
  Server missing(io.get_executor(), options);
  EXPECT_THAT(missing.start()->text, HasSubstr("its folder does not exist"));
  options.path = "/" + std::string(150, 'x');
  Server lengthy(io.get_executor(), options);
  EXPECT_THAT(lengthy.start()->text, HasSubstr("at most 103 bytes"));
}

class ViciClient : public ViciClientServer {
 protected:
  Error connect_error(const std::string& uri) {
    Client other(io.get_executor(), uri);
    return run(other.connect()).value();
  }
};

TEST_F(ViciClient, SaysWhyItCannotConnect) {
  const auto missing = connect_error((folder / "missing.sock").string());
  EXPECT_EQ(missing.kind, ErrorKind::kUnreachable);
  EXPECT_THAT(missing.text, HasSubstr("missing.sock"));
  EXPECT_THAT(missing.text, HasSubstr("not running"));
  { asio::local::stream_protocol::acceptor dead(io, (folder / "dead.sock").string()); }
  EXPECT_THAT(connect_error((folder / "dead.sock").string()).text, HasSubstr("no daemon listens"));
}

TEST_F(ViciClient, RefusesAddressesItDoesNotKnow) {
  for (const auto* uri : {"", "relative.sock", "http://localhost", "tcp://localhost:80", "tcp://127.0.0.1"}) {
    EXPECT_EQ(connect_error(uri).kind, ErrorKind::kAddress) << uri;
  }
  EXPECT_EQ(connect_error("/" + std::string(120, 'x')).kind, ErrorKind::kAddress);
}

TEST_F(ViciClient, EndsAConnectionToWhatIsNotVici) {
  const std::string path = (folder / "http.sock").string();
  asio::local::stream_protocol::acceptor acceptor(io, path);
  Client other(io.get_executor(), path);
  ASSERT_FALSE(run(other.connect()).has_value());
  auto accepted = acceptor.accept();
  std::optional<ErrorKind> closed;
  other.on_closed([&](const Error& error) { closed = error.kind; });
  send(accepted, as_bytes("SSH-2.0-OpenSSH\r\n"));
  run_until([&] { return closed.has_value(); });
  EXPECT_EQ(closed, ErrorKind::kMalformed);
  EXPECT_FALSE(other.connected());
}

TEST_F(ViciClient, SpeaksTcpToo) {
  asio::ip::tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  Client other(io.get_executor(), "tcp://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  ASSERT_FALSE(run(other.connect()).has_value());
  auto accepted = acceptor.accept();
  const auto answer = packet(PacketType::kCommandResponse, {}, Message().add("k", "v"));
  std::optional<std::string> got;
  start<Answer>(other.request("x"), [&](const Answer& r) { got = std::string(r.value().get("k")); });
  ByteVector asked(4 + 3);
  asio::async_read(accepted, asio::buffer(asked), [&](const boost::system::error_code&, std::size_t) {
    asio::write(accepted, asio::buffer(answer));
  });
  run_until([&] { return got.has_value(); });
  EXPECT_EQ(got, "v");
}

}  // namespace
}  // namespace sluice::vici
