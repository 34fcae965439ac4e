#include "proto/transport/channel_dialer.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/text.hpp"
#include "proto/transport/asio_support.hpp"
#include "proto/transport/channel_pump.hpp"
#include "proto/transport/data_dialer.hpp"

namespace sluice::transport {
namespace {

using net::ip::tcp;
using ErrorCode = boost::system::error_code;
using Pump = ChannelPump<channel::AgentControl>;
using std::chrono::milliseconds;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);

std::string text_of(const channel::Dead& dead) {
  std::string text(channel::to_string(dead.cause));
  if (!dead.text.empty()) text += ": " + dead.text;
  return text;
}

/// What lives as long as a coroutine of the dialer runs. `owner` is null once the dialer is gone.
struct State : std::enable_shared_from_this<State> {
  State(net::io_context& io, ChannelDialerConfig c, TlsIdentity i, channel::SpiSource& s, RandomSource& r,
        AgentChannelHandler& h)
      : config(std::move(c)),
        identity(std::move(i)),
        spis(s),
        random(r),
        handler(h),
        timer(io),
        socket(io),
        resolver(io) {}

  net::awaitable<void> run();
  net::awaitable<std::optional<std::string>> attempt();
  net::awaitable<std::optional<std::string>> connect();
  net::awaitable<Result<std::vector<tcp::endpoint>, std::string>> resolve();
  void on_event(channel::AgentEvent& event);
  void on_ready(const channel::EdgeReady& ready);
  void dial_data();
  void stop_data() {
    if (const auto former = std::exchange(data, nullptr)) former->stop();
  }
  std::optional<std::vector<channel::PathKeys>> keys_of(const channel::DataPaths& paths);
  milliseconds jittered(milliseconds wait);
  bool wanted() const { return owner != nullptr && !stopped; }

  ChannelDialerConfig config;
  TlsIdentity identity;
  channel::SpiSource& spis;
  RandomSource& random;
  AgentChannelHandler& handler;
  ChannelDialer* owner = nullptr;
  bool started = false;
  bool stopped = false;
  bool up = false;
  bool was_up = false;  ///< in this attempt
  bool urgent = false;
  std::string failure;  ///< why this attempt failed before it was up
  channel::LoadReport load;
  net::steady_timer timer;
  tcp::socket socket;
  tcp::resolver resolver;
  std::shared_ptr<Pump> pump;
  channel::CarrierMode carrier = channel::CarrierMode::kUdp;  ///< of the channel that is up
  std::shared_ptr<DataDialer> data;                           ///< while it is wanted
};

net::awaitable<void> State::run() {
  const auto keep = shared_from_this();
  milliseconds wait = config.backoff_min;
  while (wanted()) {
    was_up = false;
    const auto cause = co_await attempt();
    pump.reset();
    if (!wanted()) co_return;
    if (was_up) wait = urgent ? config.backoff_urgent_min : config.backoff_min;
    const milliseconds pause = jittered(wait);
    if (cause) handler.connection_failed(*owner, *cause, pause);
    if (!wanted()) co_return;
    timer.expires_after(pause);
    co_await timer.async_wait(kAwait);
    wait = std::min(wait * 2, urgent ? config.backoff_urgent_max : config.backoff_max);
  }
}

/// Between half of `wait` and all of it, so that agents do not come back in step.
milliseconds State::jittered(milliseconds wait) {
  const auto half = wait.count() / 2;
  return milliseconds(half + static_cast<milliseconds::rep>(random.u32()) % (half + 1));
}

/// One connection from dialling to its end; the cause if it never came up.
net::awaitable<std::optional<std::string>> State::attempt() {
  if (auto cause = co_await connect()) co_return cause;
  TlsOptions options;
  options.handshake_timeout = config.connect_timeout;
  options.authorise = [name = config.edge_name](const PeerName& peer) {
    return name.empty() || peer.name == name;
  };
  auto stream = co_await TlsStream::connect(std::move(socket), identity, std::move(options));
  if (!stream)
    co_return std::string(to_string(stream.error().failure)) + ": " + escaped(stream.error().text, 512);
  if (!wanted()) {
    (*stream)->abort();
    co_return "stopped";
  }
  // The identity may have changed under the handshake.
  if (auto objection = (*stream)->objection(identity)) {
    (*stream)->abort();
    co_return std::move(*objection);
  }
  failure.clear();
  pump = std::make_shared<Pump>(std::move(*stream), config.control, spis, timer.get_executor(),
                                [this](channel::AgentEvent& event) { on_event(event); });
  pump->core().set_load(load);
  // Held here as well: stop() and the destructor let go of the member.
  const auto running = pump;
  co_await running->run();
  if (was_up) co_return std::nullopt;
  co_return failure;
}

net::awaitable<Result<std::vector<tcp::endpoint>, std::string>> State::resolve() {
  if (const auto address = IpAddress::parse(config.host)) {
    co_return std::vector<tcp::endpoint>{tcp::endpoint(to_asio(*address), config.port)};
  }
  const auto [ec, found] = co_await resolver.async_resolve(config.host, std::to_string(config.port), kAwait);
  if (ec) co_return Failure{"cannot resolve " + config.host + ": " + ec.message()};
  std::vector<tcp::endpoint> out;
  for (const auto& entry : found) out.push_back(entry.endpoint());
  co_return out;
}

net::awaitable<std::optional<std::string>> State::connect() {
  const auto endpoints = co_await resolve();
  if (!endpoints) co_return endpoints.error();
  std::string cause = "no address for " + config.host;
  for (const auto& endpoint : *endpoints) {
    if (!wanted()) co_return "stopped";
    const auto late = std::make_shared<bool>(false);
    socket = tcp::socket(timer.get_executor());
    timer.expires_after(config.connect_timeout);
    timer.async_wait([weak = weak_from_this(), late, this](const ErrorCode& ec) {
      const auto alive = weak.lock();
      if (ec || !alive) return;
      *late = true;
      ErrorCode ignored;
      socket.close(ignored);
    });
    const auto [ec] = co_await socket.async_connect(endpoint, kAwait);
    if (!ec && !*late) {
      timer.cancel();
      co_return std::nullopt;
    }
    cause =
        "cannot connect to " + from_asio(endpoint).to_string() + ": " + (*late ? "no answer" : ec.message());
    timer.cancel();
  }
  co_return cause;
}

std::optional<std::vector<channel::PathKeys>> State::keys_of(const channel::DataPaths& paths) {
  return channel::derive_path_keys(paths, [this](std::string_view label, Bytes context, std::size_t length) {
    return pump->stream().export_key(label, context, length);
  });
}

void State::on_ready(const channel::EdgeReady& ready) {
  auto keys = keys_of(ready.paths);
  if (!keys) return pump->core().close("no keys from TLS");
  const auto& stream = pump->stream();
  const Endpoint control = from_asio(stream.remote());
  const EdgeLink link{
      stream.peer(), control, {control.address, ready.edge.data_port}, from_asio(stream.local()).address};
  up = was_up = true;
  carrier = ready.edge.carrier;
  handler.channel_up(*owner, link, ready, std::move(*keys));
}

void State::dial_data() {
  if (data || !up || carrier == channel::CarrierMode::kUdp) return;
  const auto& stream = pump->stream();
  const auto token = stream.export_key(channel::kStreamLabel, {}, channel::kTokenBytes);
  if (token.size() != channel::kTokenBytes) return pump->core().close("no token from TLS");
  DataDialer::Config dial{
      .remote = stream.remote(), .identity = identity, .edge_name = stream.peer().name, .token = {}};
  std::copy(token.bytes().begin(), token.bytes().end(), dial.token.begin());
  data = DataDialer::start(timer.get_executor(), std::move(dial),
                           {.frames =
                                [this](Bytes records) {
                                  if (owner != nullptr) handler.data_frames(*owner, records);
                                },
                            .changed =
                                [this](bool is_up, const std::string& cause) {
                                  if (owner != nullptr) handler.data_link(*owner, is_up, cause);
                                }});
}

void State::on_event(channel::AgentEvent& event) {
  if (owner == nullptr) return;
  if (const auto* ready = std::get_if<channel::EdgeReady>(&event)) {
    on_ready(*ready);
  } else if (const auto* dead = std::get_if<channel::Dead>(&event)) {
    failure = text_of(*dead);
    stop_data();
    if (std::exchange(up, false)) handler.channel_down(*owner, *dead);
  } else if (const auto* renewed = std::get_if<channel::PathsRenewed>(&event)) {
    auto keys = keys_of(renewed->paths);
    if (!keys) return pump->core().close("no keys from TLS");
    handler.paths_renewed(*owner, renewed->paths, std::move(*keys));
  } else if (const auto* open = std::get_if<channel::TunnelOpen>(&event)) {
    handler.tunnel_open(*owner, *open);
  } else if (const auto* close = std::get_if<channel::TunnelClose>(&event)) {
    handler.tunnel_close(*owner, *close);
  } else if (const auto* end = std::get_if<channel::TunnelEnd>(&event)) {
    handler.tunnel_end(*owner, *end);
  } else if (const auto* resumed = std::get_if<channel::TunnelResumed>(&event)) {
    handler.tunnel_resumed(*owner, *resumed);
  } else if (const auto* lost = std::get_if<channel::TunnelLost>(&event)) {
    handler.tunnel_lost(*owner, *lost);
  }
}

class Dialer final : public ChannelDialer {
 public:
  Dialer(net::io_context& io, std::shared_ptr<State> state) : io_(io), state_(std::move(state)) {
    state_->owner = this;
  }
  ~Dialer() override {
    state_->owner = nullptr;
    stop("agent stopping");
  }

  void start() override {
    if (std::exchange(state_->started, true)) return;
    net::co_spawn(io_, state_->run(), net::detached);
  }
  void stop(const std::string& reason) override {
    state_->stopped = true;
    state_->stop_data();
    ErrorCode ignored;
    state_->timer.cancel();
    state_->resolver.cancel();
    state_->socket.close(ignored);
    if (const auto pump = state_->pump) {
      pump->core().close(reason);
      pump->drain();
    }
  }
  bool up() const override { return state_->up; }
  const ChannelDialerConfig& config() const override { return state_->config; }
  void set_identity(TlsIdentity identity) override {
    state_->identity = std::move(identity);
    if (const auto pump = state_->pump) {
      if (const auto objection = pump->stream().objection(state_->identity)) {
        pump->core().close(*objection);
        pump->poke();
      }
    }
  }

  bool accept(RelayId relay) override {
    return command([&](auto& core) { return core.accept(relay); });
  }
  bool refuse(RelayId relay, const std::string& reason) override {
    return command([&](auto& core) { return core.refuse(relay, reason); });
  }
  bool close_tunnel(RelayId relay, channel::CloseCause cause, const std::string& text) override {
    return command([&](auto& core) { return core.close_tunnel(relay, cause, text); });
  }
  bool session_up(const channel::SessionUp& up) override {
    return command([&](auto& core) { return core.session_up(up); });
  }
  bool session_down(const channel::SessionDown& down) override {
    return command([&](auto& core) { return core.session_down(down); });
  }
  bool resume_tunnel(const channel::TunnelResume& resume) override {
    return command([&](auto& core) { return core.resume_tunnel(resume); });
  }
  void want_data_link(bool wanted) override { wanted ? state_->dial_data() : state_->stop_data(); }
  bool send_frames(Bytes records, std::size_t frames) override {
    return state_->data && state_->data->send(records, frames);
  }
  void set_urgent(bool urgent) override { state_->urgent = urgent; }
  void set_load(const channel::LoadReport& load, bool now) override {
    state_->load = load;
    command([&](auto& core) {
      core.set_load(load);
      if (now) core.report_now();
      return true;
    });
  }

 private:
  template <class F>
  bool command(F&& call) {
    const auto pump = state_->pump;
    if (!state_->up || !pump) return false;
    const bool done = call(pump->core());
    pump->poke();
    return done;
  }

  net::io_context& io_;
  std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<ChannelDialer> ChannelDialer::make(net::io_context& io, ChannelDialerConfig config,
                                                   TlsIdentity identity, channel::SpiSource& spis,
                                                   RandomSource& random, AgentChannelHandler& handler) {
  return std::make_unique<Dialer>(
      io, std::make_shared<State>(io, std::move(config), std::move(identity), spis, random, handler));
}

}  // namespace sluice::transport
