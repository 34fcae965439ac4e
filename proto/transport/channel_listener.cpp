#include "proto/transport/channel_listener.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <unordered_map>

#include "base/text.hpp"
#include "proto/transport/asio_support.hpp"
#include "proto/transport/channel_pump.hpp"
#include "proto/transport/data_link.hpp"

namespace sluice::transport {
namespace {

using net::ip::tcp;
using ErrorCode = boost::system::error_code;
using Pump = ChannelPump<channel::EdgeControl>;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);
/// Handshakes that one address may have under way at once.
constexpr std::size_t kMaxHandshakesPerSource = 8;
/// Pause after accept() failed, for want of descriptors mostly.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

class Session;

/// What sessions and the accept loop share. `handler` is null once the listener is gone or stopped.
struct Shared {
  Shared(ChannelListenerConfig c, TlsIdentity i, channel::SpiSource& s, EdgeChannelHandler& h)
      : config(std::move(c)), identity(std::move(i)), spis(&s), handler(&h) {}
  ChannelListenerConfig config;
  TlsIdentity identity;
  channel::SpiSource* spis;
  EdgeChannelHandler* handler;
  CounterArray<ListenerCount> counts;
  std::uint64_t next_id = 1;
  std::map<std::uint64_t, std::shared_ptr<Session>> sessions;  ///< TLS is up
  std::size_t handshakes = 0;
  std::unordered_map<IpAddress, std::size_t> handshakes_by_source;
};

class Session final : public EdgeChannel, public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Shared> shared, TlsStream::Ptr stream)
      : shared_(std::move(shared)),
        stream_(std::move(stream)),
        id_(shared_->next_id++),
        remote_(from_asio(stream_->remote())),
        local_(from_asio(stream_->local()).address) {}

  /// Makes the pump and runs until the channel is over.
  net::awaitable<void> run() {
    const auto keep = shared_from_this();
    pump_ = std::make_shared<Pump>(stream_, shared_->config.control, *shared_->spis,
                                   co_await net::this_coro::executor,
                                   [this](channel::EdgeEvent& event) { on_event(event); });
    stream_->expect_acknowledgement(shared_->config.control.times.acknowledge_timeout);
    shared_->sessions.emplace(id_, keep);
    const Listed listed{*shared_, id_};
    co_await pump_->run();
  }

  std::uint64_t id() const override { return id_; }
  const PeerName& peer() const override { return stream_->peer(); }
  Endpoint remote() const override { return remote_; }
  using EdgeChannel::data_endpoint;
  Endpoint data_endpoint(std::uint32_t agent_worker) const override {
    return {remote_.address, channel::port_of(data_port_, agent_worker)};
  }
  IpAddress local_address() const override { return local_; }
  std::optional<TcpFigures> tcp_figures() const override { return stream_->tcp_figures(); }

  bool open_tunnel(const channel::TunnelOpen& open) override {
    return poked(pump_->core().open_tunnel(open, app::now()));
  }
  bool close_tunnel(RelayId relay, channel::CloseCause cause, const std::string& text) override {
    return poked(pump_->core().close_tunnel(relay, cause, text));
  }
  bool end_tunnel(RelayId relay, const std::string& text) override {
    return poked(pump_->core().end_tunnel(relay, text));
  }
  bool resume_tunnel(const channel::TunnelResumed& resumed) override {
    return poked(pump_->core().resume_tunnel(resumed));
  }
  bool refuse_resume(const channel::TunnelLost& lost) override {
    return poked(pump_->core().refuse_resume(lost));
  }
  bool renew_paths() override { return poked(pump_->core().renew_paths(app::now())); }
  bool send_frames(Bytes records, std::size_t frames) override {
    return link_ && link_->send(records, frames);
  }
  /// Takes the link if it belongs to this channel.
  bool attach(const DataLink::Ptr& link, const channel::StreamToken& token) {
    if (!up_ || !token_ || link->stream().peer().name != peer().name ||
        !equal_constant_time(token_->bytes(), token))
      return false;
    if (const auto former = std::exchange(link_, link)) former->close();
    shared_->handler->data_link(*this, true, "");
    return true;
  }
  void link_frames(const DataLink::Ptr& link, Bytes records) {
    if (up_ && link_ == link && shared_->handler != nullptr) shared_->handler->data_frames(*this, records);
  }
  void detach(const DataLink::Ptr& link, const std::string& cause) {
    if (link_ != link) return;
    link_.reset();
    if (up_ && shared_->handler != nullptr) shared_->handler->data_link(*this, false, cause);
  }
  void close(const std::string& reason) override {
    pump_->core().close(reason);
    pump_->poke();
  }
  void judge_again(const TlsIdentity& identity) {
    if (const auto objection = stream_->objection(identity)) close(*objection);
  }
  /// As close(), but the handler hears of it before this returns.
  void close_now(const std::string& reason) {
    pump_->core().close(reason);
    pump_->drain();
  }
  void abandon_now() {
    pump_->core().on_stream_closed("this edge restarts");
    pump_->drain();
  }

 private:
  /// Takes the session off the list however run() ends, also when the io_context goes under it.
  struct Listed {
    Shared& shared;
    std::uint64_t id;
    Listed(Shared& s, std::uint64_t i) : shared(s), id(i) {}
    Listed(const Listed&) = delete;
    Listed& operator=(const Listed&) = delete;
    ~Listed() { shared.sessions.erase(id); }
  };

  bool poked(bool done) {
    pump_->poke();
    return done;
  }

  std::optional<std::vector<channel::PathKeys>> keys_of(const channel::DataPaths& paths) {
    return channel::derive_path_keys(paths,
                                     [this](std::string_view label, Bytes context, std::size_t length) {
                                       return stream_->export_key(label, context, length);
                                     });
  }

  void on_event(channel::EdgeEvent& event) {
    if (shared_->handler == nullptr) return;
    if (const auto* ready = std::get_if<channel::AgentReady>(&event)) return on_ready(*ready);
    if (const auto* dead = std::get_if<channel::Dead>(&event)) return on_dead(*dead);
    if (!up_) return;
    if (const auto* renewed = std::get_if<channel::PathsRenewed>(&event)) {
      if (auto keys = keys_of(renewed->paths)) {
        shared_->handler->paths_renewed(*this, renewed->paths, std::move(*keys));
      } else {
        pump_->core().close("no keys from TLS");
      }
      return;
    }
    shared_->handler->channel_event(*this, event);
  }

  void on_ready(const channel::AgentReady& ready) {
    auto keys = keys_of(ready.paths);
    if (!keys) return pump_->core().close("no keys from TLS");
    data_port_ = ready.agent.data_port;
    if (ready.carrier != channel::CarrierMode::kUdp)
      token_ = stream_->export_key(channel::kStreamLabel, {}, channel::kTokenBytes);
    up_ = true;
    shared_->counts.add(ListenerCount::kUp);
    shared_->handler->channel_up(*this, ready, std::move(*keys));
  }

  void on_dead(const channel::Dead& dead) {
    if (const auto link = std::exchange(link_, nullptr)) link->close();
    if (up_) {
      up_ = false;
      shared_->counts.add(ListenerCount::kDown);
      shared_->handler->channel_down(*this, dead);
      return;
    }
    shared_->counts.add(ListenerCount::kControlFailed);
    std::string cause(channel::to_string(dead.cause));
    if (!dead.text.empty()) cause += ": " + dead.text;
    shared_->handler->connection_failed(remote_, peer().name, cause);
  }

  std::shared_ptr<Shared> shared_;
  TlsStream::Ptr stream_;
  std::shared_ptr<Pump> pump_;
  std::uint64_t id_;
  Endpoint remote_;
  IpAddress local_;
  std::uint16_t data_port_ = 0;
  std::optional<Secret> token_;  ///< what a TLS data link of this channel says
  DataLink::Ptr link_;
  bool up_ = false;
};

/// Counts a handshake under way while it lives.
class HandshakeSlot {
 public:
  HandshakeSlot(std::shared_ptr<Shared> shared, const IpAddress& source)
      : shared_(std::move(shared)), source_(source) {
    ++shared_->handshakes;
    ++shared_->handshakes_by_source[source_];
  }
  HandshakeSlot(const HandshakeSlot&) = delete;
  HandshakeSlot& operator=(const HandshakeSlot&) = delete;
  ~HandshakeSlot() {
    --shared_->handshakes;
    const auto found = shared_->handshakes_by_source.find(source_);
    if (--found->second == 0) shared_->handshakes_by_source.erase(found);
  }

 private:
  std::shared_ptr<Shared> shared_;
  IpAddress source_;
};

/// A connection for data: until its token came it counts as a handshake.
net::awaitable<void> serve_data(std::shared_ptr<Shared> shared, TlsStream::Ptr stream,
                                std::shared_ptr<HandshakeSlot> slot) {
  std::shared_ptr<Session> owner;
  DataLink::Ptr link;
  net::steady_timer patience(co_await net::this_coro::executor);
  link = std::make_shared<DataLink>(
      stream, std::nullopt,
      DataLink::Events{.token =
                           [&](const channel::StreamToken& token) {
                             patience.cancel();
                             slot.reset();
                             for (const auto& [id, session] : shared->sessions) {
                               if (shared->handler == nullptr || !session->attach(link, token)) continue;
                               owner = session;
                               return true;
                             }
                             return false;
                           },
                       .frames = [&](Bytes records) { owner->link_frames(link, records); }});
  patience.expires_after(shared->config.tls_handshake_timeout);
  patience.async_wait([weak = std::weak_ptr(link)](const ErrorCode& ec) {
    const auto alive = weak.lock();
    if (!ec && alive) alive->close();
  });
  auto cause = co_await link->run();
  if (!owner && patience.expiry() <= std::chrono::steady_clock::now()) cause = "no token in time";
  patience.cancel();
  if (owner) co_return owner->detach(link, cause);
  shared->counts.add(ListenerCount::kControlFailed);
  if (shared->handler != nullptr) {
    shared->handler->connection_failed(from_asio(stream->remote()), stream->peer().name,
                                       "data carrier: " + cause);
  }
}

net::awaitable<void> serve(std::shared_ptr<Shared> shared, tcp::socket socket,
                           std::shared_ptr<HandshakeSlot> slot) {
  ErrorCode ignored;
  const Endpoint remote = from_asio(socket.remote_endpoint(ignored));
  std::string name;
  TlsOptions options;
  options.protocol = kDataProtocol;
  options.handshake_timeout = shared->config.tls_handshake_timeout;
  options.authorise = [&name, shared](const PeerName& peer) {
    name = peer.name;
    return shared->handler != nullptr && shared->handler->authorise(peer);
  };
  auto stream = co_await TlsStream::accept(std::move(socket), shared->identity, std::move(options));
  // The identity may have changed under the handshake.
  if (stream) {
    if (auto objection = (*stream)->objection(shared->identity)) {
      (*stream)->abort();
      stream = Failure{TlsError{TlsFailure::kCertificate, std::move(*objection)}};
    }
  }
  if (!stream) {
    slot.reset();
    shared->counts.add(ListenerCount::kTlsFailed);
    const auto& error = stream.error();
    if (shared->handler != nullptr) {
      shared->handler->connection_failed(
          remote, name, std::string(to_string(error.failure)) + ": " + escaped(error.text, 512));
    }
    co_return;
  }
  if (shared->handler == nullptr) {
    (*stream)->abort();
    co_return;
  }
  if ((*stream)->protocol() == kDataProtocol)
    co_return co_await serve_data(shared, std::move(*stream), std::move(slot));
  slot.reset();
  co_await std::make_shared<Session>(shared, std::move(*stream))->run();
}

class Listener final : public ChannelListener {
 public:
  Listener(net::io_context& io, tcp::acceptor acceptor, std::shared_ptr<Shared> shared)
      : io_(io), acceptor_(std::make_shared<tcp::acceptor>(std::move(acceptor))), shared_(std::move(shared)) {
    ErrorCode ignored;
    local_ = from_asio(acceptor_->local_endpoint(ignored));
    net::co_spawn(io_, accept_loop(acceptor_, shared_), net::detached);
  }
  ~Listener() override {
    shared_->handler = nullptr;
    stop("edge stopping");
  }

  Endpoint local() const override { return local_; }
  void set_identity(TlsIdentity identity) override {
    shared_->identity = std::move(identity);
    for (const auto& [id, session] : shared_->sessions) session->judge_again(shared_->identity);
  }
  void stop(const std::string& reason) override {
    ErrorCode ignored;
    acceptor_->close(ignored);
    const auto sessions = shared_->sessions;
    for (const auto& [id, session] : sessions) session->close_now(reason);
    shared_->handler = nullptr;
  }
  void abandon() override {
    ErrorCode ignored;
    acceptor_->close(ignored);
    shared_->handler = nullptr;
    const auto sessions = shared_->sessions;
    for (const auto& [id, session] : sessions) session->abandon_now();
  }
  const CounterArray<ListenerCount>& counts() const override { return shared_->counts; }

 private:
  static net::awaitable<void> accept_loop(std::shared_ptr<tcp::acceptor> acceptor,
                                          std::shared_ptr<Shared> shared) {
    const auto executor = co_await net::this_coro::executor;
    while (acceptor->is_open()) {
      auto [ec, socket] = co_await acceptor->async_accept(kAwait);
      if (!acceptor->is_open()) co_return;
      if (ec) {
        net::steady_timer pause(executor, kAcceptPause);
        co_await pause.async_wait(kAwait);
        continue;
      }
      shared->counts.add(ListenerCount::kAccepted);
      const auto source = from_asio(socket.remote_endpoint(ec)).address;
      const auto known = shared->handshakes_by_source.find(source);
      const bool greedy =
          known != shared->handshakes_by_source.end() && known->second >= kMaxHandshakesPerSource;
      if (ec || greedy || shared->handshakes >= shared->config.max_handshakes ||
          shared->sessions.size() >= shared->config.max_connections) {
        shared->counts.add(ListenerCount::kShed);
        continue;
      }
      net::co_spawn(executor,
                    serve(shared, std::move(socket), std::make_shared<HandshakeSlot>(shared, source)),
                    net::detached);
    }
  }

  net::io_context& io_;
  std::shared_ptr<tcp::acceptor> acceptor_;
  std::shared_ptr<Shared> shared_;
  Endpoint local_;
};

}  // namespace

Result<std::unique_ptr<ChannelListener>, std::string> ChannelListener::open(net::io_context& io,
                                                                            ChannelListenerConfig config,
                                                                            TlsIdentity identity,
                                                                            channel::SpiSource& spis,
                                                                            EdgeChannelHandler& handler) {
  const tcp::endpoint at(to_asio(config.listen.address), config.listen.port);
  tcp::acceptor acceptor(io);
  ErrorCode ec;
  acceptor.open(at.protocol(), ec);
  if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
  if (!ec && config.listen.address.is_v6()) acceptor.set_option(net::ip::v6_only(true), ec);
  if (!ec) acceptor.bind(at, ec);
  if (!ec) acceptor.listen(net::socket_base::max_listen_connections, ec);
  if (ec) {
    return Failure{"cannot listen for agents on " + config.listen.to_string() + ": " + ec.message() +
                   (ec == net::error::address_in_use ? " (another program has the port: see ss -tlpn)" : "")};
  }
  auto shared = std::make_shared<Shared>(std::move(config), std::move(identity), spis, handler);
  return std::unique_ptr<ChannelListener>(
      std::make_unique<Listener>(io, std::move(acceptor), std::move(shared)));
}

}  // namespace sluice::transport
