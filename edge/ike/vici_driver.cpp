#include "edge/ike/vici_driver.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/app/log.hpp"
#include "edge/ike/charon_settings.hpp"

namespace sluice::edge {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstRetry = 20ms, kLastRetry = 2s;

bool lists(const vici::Message& message, std::string_view list_name, std::string_view wanted) {
  const auto* list = message.list(list_name);
  return list != nullptr && std::find(list->begin(), list->end(), wanted) != list->end();
}

}  // namespace

struct ViciDriver::Session : std::enable_shared_from_this<ViciDriver::Session> {
  Session(asio::io_context& context, const std::string& uri, const IkeConfig& settings, ViciEvents& sink)
      : io(context),
        config(settings),
        events(&sink),
        commands(io.get_executor(), uri),
        listener(io.get_executor(), uri),
        timer(io) {}

  asio::awaitable<void> run();
  asio::awaitable<std::optional<vici::Error>> set_up();
  asio::awaitable<std::optional<vici::Error>> load();
  asio::awaitable<void> watch();
  asio::awaitable<bool> still_loaded();
  asio::awaitable<void> pause(std::chrono::milliseconds time);
  asio::awaitable<void> end_peer(std::uint32_t uid);
  void close();

  asio::io_context& io;
  const IkeConfig& config;
  ViciEvents* events;  // null once stopped
  vici::Client commands, listener;
  asio::steady_timer timer;
  bool ready = false;
  bool lost = false;
};

void ViciDriver::Session::close() {
  lost = true;
  commands.close();
  listener.close();
  timer.cancel();
}

asio::awaitable<void> ViciDriver::Session::pause(std::chrono::milliseconds time) {
  timer.expires_after(time);
  co_await timer.async_wait(kTuple);
}

asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::set_up() {
  lost = false;
  if (auto error = co_await commands.connect()) co_return error;
  if (auto error = co_await listener.connect()) co_return error;
  const auto on_closed = [weak = weak_from_this()](const vici::Error&) {
    if (const auto self = weak.lock()) self->close();
  };
  commands.on_closed(on_closed);
  listener.on_closed(on_closed);
  listener.on_event([weak = weak_from_this()](const std::string& name, const vici::Message& message) {
    const auto self = weak.lock();
    if (self && self->events != nullptr) dispatch_vici_event(name, message, *self->events);
  });
  std::vector<std::string> names{"ike-updown", "child-updown", "ike-rekey", "child-rekey"};
  if (auto error = co_await listener.subscribe(std::move(names))) co_return error;
  if (auto error = co_await load()) co_return error;
  // Events come already: what the list says twice is taken once.
  auto listed = co_await commands.stream("list-sas", "list-sa", {}, [this](const vici::Message& message) {
    if (events != nullptr) dispatch_list_sa(message, *events);
  });
  if (!listed) co_return listed.error();
  co_return std::nullopt;
}

asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::load() {
  for (auto& secret : secret_messages(config)) {
    const auto done = co_await commands.command("load-shared", std::move(secret));
    if (!done) co_return done.error();
  }
  const auto done = co_await commands.command("load-conn", connection_message(config));
  if (!done) co_return done.error();
  co_return std::nullopt;
}

asio::awaitable<bool> ViciDriver::Session::still_loaded() {
  const auto connections = co_await commands.request("get-conns");
  const auto keys = co_await commands.request("get-shared");
  if (!connections || !keys) co_return true;  // no answer is no proof
  for (const auto& secret : secret_messages(config)) {
    if (!lists(*keys, "keys", secret.get("id"))) co_return false;
  }
  co_return lists(*connections, "conns", kConnectionName);
}

/// Until the connection is lost.
asio::awaitable<void> ViciDriver::Session::watch() {
  while (!lost && events != nullptr) {
    co_await pause(config.check_interval);
    if (lost || events == nullptr || co_await still_loaded()) continue;
    app::log_warning("charon no longer has our connection or keys, loading them again");
    if (const auto error = co_await load())
      app::log_error("loading into charon failed", {{"why", error->text}});
  }
}

asio::awaitable<void> ViciDriver::Session::run() {
  const auto self = shared_from_this();  // lives as long as this does
  auto retry = kFirstRetry;
  while (events != nullptr) {
    const auto error = co_await set_up();
    if (events == nullptr) break;
    if (error) {
      // While charon starts there is no socket yet; a refusal will not heal by itself.
      if (error->kind == vici::ErrorKind::kRefused) {
        app::log_error("charon refuses its configuration", {{"why", error->text}});
        retry = kLastRetry;
      }
      close();
    } else {
      retry = kFirstRetry;
      ready = true;
      events->vici_ready();
      co_await watch();
      ready = false;
      close();
      if (events != nullptr) events->vici_lost();
    }
    if (events == nullptr) break;
    co_await pause(retry);
    retry = std::min(retry * 2, kLastRetry);
  }
}

asio::awaitable<void> ViciDriver::Session::end_peer(std::uint32_t uid) {
  const auto self = shared_from_this();
  vici::Message arguments;
  // No waiting for the peer's answer to the DELETE, and no log over this connection.
  arguments.add("ike-id", uid).add("force", "yes").add("timeout", "-1").add("loglevel", "-1");
  const auto done = co_await commands.command("terminate", std::move(arguments));
  if (!done) app::log_debug("terminating an IKE SA failed", {{"uid", uid}, {"why", done.error().text}});
}

ViciDriver::ViciDriver(asio::io_context& io, std::string uri, const IkeConfig& config, ViciEvents& events)
    : session_(std::make_shared<Session>(io, uri, config, events)) {}

ViciDriver::~ViciDriver() {
  stop();
}

void ViciDriver::start() {
  asio::co_spawn(session_->io, session_->run(), asio::detached);
}

void ViciDriver::stop() {
  session_->events = nullptr;
  session_->ready = false;
  session_->close();
}

bool ViciDriver::ready() const {
  return session_->ready;
}

void ViciDriver::terminate(std::uint32_t uid) {
  asio::co_spawn(session_->io, session_->end_peer(uid), asio::detached);
}

}  // namespace sluice::edge
