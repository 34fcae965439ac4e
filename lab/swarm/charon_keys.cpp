#include "lab/swarm/charon_keys.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "base/text.hpp"

namespace sluice::swarm {
namespace {

constexpr std::uint16_t kIkePort = 500;
constexpr std::uint32_t kFirstSpi = 0x1000;
constexpr std::size_t kMarker = 4;

/// Of version 1 what Windows offers second: it has no AEAD, and of x25519 it knows nothing.
const char* quick_proposal(int version) {
  return version == 1 ? "aes128-sha1-ecp256" : "aes128gcm16-prfsha256-x25519";
}

std::string connection_name(ClientId client) {
  return "client-" + std::to_string(client);
}

}  // namespace

CharonKeys::CharonKeys(boost::asio::io_context& io, CharonKeysConfig config, RandomSource& random,
                       KeyingEvents& events)
    : io_(io), config_(std::move(config)), random_(random), events_(events) {
  if (config_.ike_proposal.empty()) config_.ike_proposal = quick_proposal(config_.version);
}

CharonKeys::~CharonKeys() {
  stop();
}

template <class F>
void CharonKeys::later(F action) {
  boost::asio::post(io_, [action = std::move(action), alive = std::weak_ptr<bool>(alive_)]() mutable {
    if (!alive.expired()) action();
  });
}

void CharonKeys::start() {
  const auto socket = config_.ike.run_dir / "vici.sock";
  edge::DataPlane& data_plane = *this;
  edge::IkeEvents& ike_events = *this;
  provider_ = std::make_unique<edge::CharonProvider>(io_, std::move(config_.ike), data_plane, ike_events);
  provider_->start();
  vici_ = std::make_unique<vici::Client>(io_.get_executor(), "unix://" + socket.native());
}

void CharonKeys::stop() {
  if (std::exchange(stopped_, true)) return;
  if (vici_) vici_->close();
  if (provider_) provider_->stop();
}

// --- what charon is told ---

vici::Message CharonKeys::connection_message(const Dialler& dialler) const {
  vici::Message child;
  child.add("mode", "transport")
      .add_list("local_ts", {"dynamic[udp/1701]"})
      .add_list("remote_ts", {"dynamic[udp/1701]"})
      .add_list("esp_proposals", {config_.esp_proposal})
      .add("rekey_time", "0s")
      .add("life_time", "0s")
      .add("policies", "no")
      .add("mark_in", "%unique")
      .add("mark_out", "%unique");
  vici::Message connection;
  connection.add("version", config_.version)
      .add_list("local_addrs", {dialler.source.address.to_string()})
      .add_list("remote_addrs", {config_.edge.to_string()})
      .add("local_port", dialler.source.port)
      .add("remote_port", kIkePort)
      .add_list("proposals", {config_.ike_proposal})
      .add("encap", "yes")  // our ports are no IKE ports: ESP goes in UDP as from behind a NAT
      .add("mobike", "no")
      .add("unique", "never")
      .add("dpd_delay", "0s")
      .add("keyingtries", 1)
      .add("rekey_time", "0s")
      .add("reauth_time", "0s")
      .add("over_time", "0s")
      .add("send_certreq", "no");
  connection.add_section("local", vici::Message().add("auth", "psk").add("id", dialler.identity));
  connection.add_section("remote", vici::Message().add("auth", "psk").add("id", "%any"));
  connection.open("children").add_section("l2tp", std::move(child));
  vici::Message out;
  out.add_section(connection_name(dialler.client), std::move(connection));
  return out;
}

void CharonKeys::order(const char* command, vici::Message arguments) {
  orders_.push_back({command, std::move(arguments)});
  if (std::exchange(carrying_out_, true)) return;
  boost::asio::co_spawn(io_, carry_out(), boost::asio::detached);
}

boost::asio::awaitable<void> CharonKeys::carry_out() {
  const std::weak_ptr<bool> alive = alive_;
  while (!orders_.empty()) {
    Order next = std::move(orders_.front());
    orders_.pop_front();
    const auto done = co_await vici_->command(next.command, std::move(next.arguments));
    if (alive.expired() || stopped_) co_return;
    // A connection that is gone already, or an IKE SA, is no trouble; one that cannot begin is.
    if (!done && std::string_view(next.command) != "terminate") events_.keying_trouble(done.error().text);
  }
  carrying_out_ = false;
}

void CharonKeys::connect(const Dialler& dialler) {
  connections_[dialler.client] = {dialler.source, dialler.identity, {}};
  by_source_[dialler.source] = dialler.client;
  order("load-conn", connection_message(dialler));
  // -1: no waiting for the outcome, which comes as events.
  vici::Message initiate;
  initiate.add("child", "l2tp")
      .add("ike", connection_name(dialler.client))
      .add("timeout", "-1")
      .add("loglevel", "-1");
  order("initiate", std::move(initiate));
  // The attempt keeps what it needs of it; charon searches all that are loaded at each step.
  order("unload-conn", vici::Message().add("name", connection_name(dialler.client)));
}

void CharonKeys::disconnect(ClientId client) {
  const auto found = connections_.extract(client);
  if (!found) return;
  end(client, found.mapped());
}

void CharonKeys::end(ClientId client, const Connection& connection) {
  by_ike_.erase(connection.ike_sa);
  if (const auto at = by_source_.find(connection.source); at != by_source_.end() && at->second == client) {
    by_source_.erase(at);
  }
  if (connection.ike_sa) return provider_->terminate(connection.ike_sa);
  vici::Message terminate;
  terminate.add("ike", connection_name(client))
      .add("force", "yes")
      .add("timeout", "-1")
      .add("loglevel", "-1");
  order("terminate", std::move(terminate));
}

// --- what charon tells ---

std::optional<Spi> CharonKeys::allocate_spi(edge::IkeSaId ike_sa, const std::string&, const Endpoint& local,
                                            const Endpoint&) {
  const auto client = by_source_.find(local);
  if (client == by_source_.end()) return std::nullopt;
  name(client->second, ike_sa);
  for (;;) {
    const Spi spi(random_.u32());
    if (spi.value() >= kFirstSpi && inbound_.emplace(spi, client->second).second) return spi;
  }
}

void CharonKeys::name(ClientId client, edge::IkeSaId ike_sa) {
  const auto found = connections_.find(client);
  if (!ike_sa || found == connections_.end()) return;
  found->second.ike_sa = ike_sa;
  by_ike_[ike_sa] = client;
}

std::optional<edge::SaError> CharonKeys::add_sa(edge::SaSpec spec) {
  const auto client = by_source_.find(spec.inbound ? spec.destination : spec.source);
  if (client == by_source_.end()) return edge::SaError::kNotFound;
  name(client->second, spec.ike_sa);
  later([this, id = client->second, told = std::make_shared<edge::SaSpec>(std::move(spec))] {
    events_.sa_added(id, std::move(*told));
  });
  return std::nullopt;
}

std::optional<edge::SaError> CharonKeys::update_sa(Spi, bool, const Endpoint&, const Endpoint&, bool) {
  return std::nullopt;  // nobody moves
}

std::optional<edge::SaError> CharonKeys::remove_sa(Spi spi, bool inbound, const Endpoint&) {
  if (!inbound) return std::nullopt;
  const auto found = inbound_.extract(spi);
  if (!found) return edge::SaError::kNotFound;
  later([this, id = found.mapped(), spi] { events_.sa_removed(id, spi); });
  return std::nullopt;
}

std::optional<edge::SaUsage> CharonKeys::query_sa(Spi, bool, const Endpoint&) {
  return edge::SaUsage{};
}

void CharonKeys::ike_up(const edge::IkePeer& peer) {
  if (const auto client = by_source_.find(peer.local); client != by_source_.end())
    name(client->second, peer.ike_sa);
}

void CharonKeys::ike_rekeyed(edge::IkeSaId old_sa, const edge::IkePeer& peer) {
  if (const auto client = by_ike_.extract(old_sa)) name(client.mapped(), peer.ike_sa);
}

void CharonKeys::ike_down(edge::IkeSaId ike_sa) {
  const auto client = by_ike_.extract(ike_sa);
  if (!client) return;
  const auto found = connections_.find(client.mapped());
  if (found == connections_.end() || found->second.ike_sa != ike_sa) return;
  by_source_.erase(found->second.source);
  connections_.erase(found);
  later([this, id = client.mapped()] { events_.keys_over(id, "the IKE SA was ended"); });
}

void CharonKeys::ike_failed(const edge::IkeFailure& failure) {
  events_.keying_trouble("IKE: " + escaped(failure.cause));
}

void CharonKeys::ike_ready(bool ready) {
  if (!ready) {
    if (told_ready_ && !stopped_)
      later([this] { events_.keying_broken("charon ended; its log is above, see --ike-log"); });
    return;
  }
  if (std::exchange(told_ready_, true)) return;
  boost::asio::co_spawn(
      io_,
      [this, alive = std::weak_ptr<bool>(alive_)]() -> boost::asio::awaitable<void> {
        const auto error = co_await vici_->connect();
        if (alive.expired() || stopped_) co_return;
        if (error) {
          events_.keying_broken("charon's vici socket: " + error->text);
        } else {
          events_.keying_ready();
        }
      },
      boost::asio::detached);
}

// --- datagrams ---

// RFC 3948 §2.2: the marker is there where neither port is 500; ours never is.
void CharonKeys::ike_send(const Endpoint& local, const Endpoint& remote, bool, Bytes datagram) {
  datagram_.assign(remote.port == kIkePort ? 0 : kMarker, 0);
  datagram_.insert(datagram_.end(), datagram.begin(), datagram.end());
  events_.send_ike(local, remote, datagram_);
}

void CharonKeys::on_ike(const Endpoint& local, const Endpoint& remote, bool marker, Bytes message) {
  provider_->ike_receive(local, remote, marker, message);
}

}  // namespace sluice::swarm
