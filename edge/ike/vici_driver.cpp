#include "edge/ike/vici_driver.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>

#include "base/app/log.hpp"
#include "edge/ike/connections.hpp"

namespace sluice::edge {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstRetry = 20ms, kLastRetry = 2s;
// Between attempts to load what charon refuses.
constexpr std::chrono::milliseconds kRefusedRetry = 30s;
using Names = std::set<std::string, std::less<>>;

bool lists(const vici::Message& message, std::string_view list_name, const Names& wanted) {
  const auto* list = message.list(list_name);
  if (list == nullptr) return wanted.empty();
  const std::set<std::string_view> there(list->begin(), list->end());
  return std::includes(there.begin(), there.end(), wanted.begin(), wanted.end());
}

}  // namespace

struct ViciDriver::Session : std::enable_shared_from_this<ViciDriver::Session> {
  Session(asio::io_context& context, const std::string& uri, std::shared_ptr<const IkeConfig> settings,
          ViciEvents& sink)
      : io(context),
        config(std::move(settings)),
        events(&sink),
        commands(io.get_executor(), uri),
        listener(io.get_executor(), uri),
        timer(io) {}

  asio::awaitable<void> run();
  asio::awaitable<std::optional<vici::Error>> set_up();
  asio::awaitable<std::optional<vici::Error>> load();
  asio::awaitable<std::optional<vici::Error>> load_once(const IkeConfig& settings);
  asio::awaitable<std::optional<vici::Error>> load_each(const char* command, std::vector<vici::Message> all);
  asio::awaitable<std::optional<vici::Error>> load_keys(std::vector<vici::Message> all);
  asio::awaitable<std::optional<vici::Error>> unload_others(const char* listing, const char* list,
                                                            const char* command, const char* argument,
                                                            const Names& keep);
  asio::awaitable<std::optional<vici::Error>> forget_crls(const IkeConfig& settings);
  asio::awaitable<void> load_anew();
  asio::awaitable<void> watch();
  asio::awaitable<bool> still_loaded();
  asio::awaitable<void> pause(std::chrono::milliseconds time);
  asio::awaitable<void> end_peer(std::uint32_t uid);
  void close();

  asio::io_context& io;
  std::shared_ptr<const IkeConfig> config;  // swapped whole by reload()
  ViciEvents* events;                       // null once stopped
  vici::Client commands, listener;
  asio::steady_timer timer;
  std::shared_ptr<const IkeConfig> loaded;      // what charon has, as far as we know
  Names keys;                                   // charon's names of our private keys
  Names connections, secrets;                   // what charon has to have
  std::optional<std::vector<ByteVector>> crls;  // that this charon has
  bool loading = false;
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
  loaded.reset();
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
  keys.clear();  // another charon has none of them
  crls.reset();
  if (auto error = co_await load()) co_return error;
  // Events come already: what the list says twice is taken once.
  auto listed = co_await commands.stream("list-sas", "list-sa", {}, [this](const vici::Message& message) {
    if (events != nullptr) dispatch_list_sa(message, *events);
  });
  if (!listed) co_return listed.error();
  co_return std::nullopt;
}

asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::load_each(const char* command,
                                                                           std::vector<vici::Message> all) {
  for (auto& arguments : all) {
    const auto done = co_await commands.command(command, std::move(arguments));
    if (!done) co_return done.error();
  }
  co_return std::nullopt;
}

/// charon names private keys itself; those it had before and that are no longer ours go.
asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::load_keys(std::vector<vici::Message> all) {
  auto old = std::exchange(keys, {});
  for (auto& arguments : all) {
    const auto done = co_await commands.command("load-key", std::move(arguments));
    if (!done) co_return done.error();
    keys.insert(std::string(done->get("id")));
  }
  for (const auto& id : old) {
    if (keys.contains(id)) continue;
    const auto done = co_await commands.command("unload-key", vici::Message().add("id", id));
    if (!done) co_return done.error();
  }
  co_return std::nullopt;
}

/// What an earlier configuration left. IKE SAs made with it stay.
asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::unload_others(
    const char* listing, const char* list, const char* command, const char* argument, const Names& keep) {
  const auto there = co_await commands.request(listing);
  if (!there) co_return there.error();
  const auto* found = there->list(list);
  if (found == nullptr) co_return std::nullopt;
  for (const auto& name : *found) {
    if (!is_ours(name) || keep.contains(name)) continue;
    const auto done = co_await commands.command(command, vici::Message().add(argument, name));
    if (!done) co_return done.error();
  }
  co_return std::nullopt;
}

/// charon goes on using a CRL that it verified with before, so all credentials go and come back at once. Only
/// then: a handshake in these milliseconds fails.
asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::forget_crls(const IkeConfig& settings) {
  const bool ours = settings.attach.empty();
  if (!ours) {
    app::log_warning(
        "ike.crl-cached",
        "charon may go on using a CRL that it has; swanctl --load-creds --clear makes it forget");
  }
  const char* const command = ours ? "clear-creds" : "flush-certs";
  const auto done = co_await commands.command(command, {});
  if (!done) co_return done.error();
  if (ours) keys.clear();
  co_return std::nullopt;
}

asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::load_once(const IkeConfig& settings) {
  auto objects = charon_objects(settings);
  if (crls && *crls != settings.crls) {
    if (auto error = co_await forget_crls(settings)) co_return error;
  }
  crls = settings.crls;
  connections.clear();
  secrets.clear();
  for (const auto& connection : objects.connections) connections.insert(connection.entries().front().name);
  for (const auto& secret : objects.secrets) secrets.emplace(secret.get("id"));
  // Secrets first: one that was taken away is to be gone even where something else is refused.
  if (auto error = co_await load_each("load-shared", std::move(objects.secrets))) co_return error;
  if (auto error = co_await unload_others("get-shared", "keys", "unload-shared", "id", secrets))
    co_return error;
  if (auto error = co_await load_each("load-cert", objects.certificates)) co_return error;
  if (auto error = co_await load_keys(std::move(objects.private_keys))) co_return error;
  if (auto error = co_await load_each("load-conn", std::move(objects.connections))) co_return error;
  co_return co_await unload_others("get-conns", "conns", "unload-conn", "name", connections);
}

/// Again when reload() brought another configuration meanwhile.
asio::awaitable<std::optional<vici::Error>> ViciDriver::Session::load() {
  loading = true;
  loaded.reset();
  std::optional<vici::Error> error;
  for (std::shared_ptr<const IkeConfig> settings; settings != config;) {
    settings = config;
    error = co_await load_once(*settings);
  }
  if (!error) loaded = config;
  loading = false;
  co_return error;
}

asio::awaitable<void> ViciDriver::Session::load_anew() {
  const auto self = shared_from_this();
  if (loading) co_return;
  if (const auto error = co_await load()) {
    app::log_error("ike.load-failed", "loading into charon failed", {{"cause", error->text}});
  } else {
    app::log_info("ike.loaded", "charon has the IKE configuration");
  }
}

asio::awaitable<bool> ViciDriver::Session::still_loaded() {
  const auto connections_there = co_await commands.request("get-conns");
  const auto shared = co_await commands.request("get-shared");
  const auto private_keys = co_await commands.request("get-keys");
  if (!connections_there || !shared || !private_keys) co_return true;  // no answer is no proof
  co_return lists(*shared, "keys", secrets) && lists(*private_keys, "keys", keys) &&
      lists(*connections_there, "conns", connections);
}

/// Until the connection is lost.
asio::awaitable<void> ViciDriver::Session::watch() {
  while (!lost && events != nullptr) {
    co_await pause(loaded == config ? std::chrono::milliseconds(config->check_interval) : kRefusedRetry);
    if (lost || events == nullptr || loading) continue;
    if (loaded == config) {
      const bool there = co_await still_loaded();
      if (there || loading) continue;  // reload() may be at it by now
      app::log_warning("ike.unloaded", "charon no longer has our connections or keys, loading them again");
    }
    co_await load_anew();
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
        app::log_error("ike.refused-configuration", "charon refuses its configuration",
                       {{"cause", error->text}});
        retry = kLastRetry;
      }
      close();
    } else {
      retry = kFirstRetry;
      ready = true;
      events->vici_ready();
      if (loaded != config) co_await load_anew();  // a reload came while we listed the SAs
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
  if (!done)
    app::log_debug("ike.terminate-failed", "terminating an IKE SA failed",
                   {{"uid", uid}, {"cause", done.error().text}});
}

ViciDriver::ViciDriver(asio::io_context& io, std::string uri, std::shared_ptr<const IkeConfig> config,
                       ViciEvents& events)
    : session_(std::make_shared<Session>(io, uri, std::move(config), events)) {}

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

void ViciDriver::reload(std::shared_ptr<const IkeConfig> config) {
  session_->config = std::move(config);
  // Otherwise it is loaded once charon is there.
  if (session_->ready) asio::co_spawn(session_->io, session_->load_anew(), asio::detached);
}

bool ViciDriver::ready() const {
  return session_->ready;
}

void ViciDriver::terminate(std::uint32_t uid) {
  asio::co_spawn(session_->io, session_->end_peer(uid), asio::detached);
}

}  // namespace sluice::edge
