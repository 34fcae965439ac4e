#include "world.hpp"

#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <fstream>

#include "base/app/clock.hpp"
#include "edge/ike/charon_settings.hpp"

namespace sluice::edge::test {
namespace asio = boost::asio;
using namespace std::chrono_literals;

TempDir::TempDir() {
  std::string name = "/tmp/sluice-ike-XXXXXX";
  path_ = ::mkdtemp(name.data());
}
TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::optional<Spi> FakePlane::allocate_spi(IkeSaId, const std::string&, const Endpoint&, const Endpoint&) {
  return Spi(next_spi_++);
}
std::optional<SaError> FakePlane::add_sa(SaSpec spec) {
  if (refuse) return SaError::kFailed;
  sas.push_back(std::move(spec));
  return std::nullopt;
}
std::optional<SaError> FakePlane::update_sa(Spi spi, bool inbound, const Endpoint& source,
                                            const Endpoint& destination, bool encap) {
  for (auto& sa : sas) {
    if (sa.spi != spi || sa.inbound != inbound) continue;
    sa.source = source;
    sa.destination = destination;
    sa.udp_encapsulated = encap;
    return std::nullopt;
  }
  return SaError::kNotFound;
}
std::optional<SaError> FakePlane::remove_sa(Spi spi, bool inbound, const Endpoint& destination) {
  const auto found = std::find_if(sas.begin(), sas.end(), [&](const SaSpec& sa) {
    return sa.spi == spi && sa.inbound == inbound && sa.destination.address == destination.address;
  });
  if (found == sas.end()) return SaError::kNotFound;
  removed.push_back(std::move(*found));
  sas.erase(found);
  return std::nullopt;
}
std::optional<SaUsage> FakePlane::query_sa(Spi spi, bool inbound, const Endpoint&) {
  ++queries;
  for (const auto& sa : sas) {
    if (sa.spi == spi && sa.inbound == inbound) return SaUsage{1000, 10, 0};
  }
  return std::nullopt;
}
const SaSpec* FakePlane::find(bool inbound) const {
  for (const auto& sa : sas) {
    if (sa.inbound == inbound) return &sa;
  }
  return nullptr;
}
std::size_t FakePlane::count(bool inbound) const {
  return static_cast<std::size_t>(
      std::count_if(sas.begin(), sas.end(), [&](const SaSpec& sa) { return sa.inbound == inbound; }));
}

Client::Client(asio::io_context& io, Options wanted) : options(std::move(wanted)), io_(io) {
  IkeConfig config;
  const CharonPaths paths{dir_.path() / "feed.sock", dir_.path() / "vici.sock"};
  std::ofstream(dir_.path() / "strongswan.conf") << charon_settings(config, paths);
  start_feed();
  CharonProcess::Options process;
  process.program = "/usr/sbin/charon-systemd";
  process.settings = dir_.path() / "strongswan.conf";
  process.preload = SLUICE_PLUGIN_FILE;
  process.folder = dir_.path();
  process_ = std::make_unique<CharonProcess>(io, process);
  process_->on_line = [](const std::string& line) {
    if (std::getenv("SLUICE_TEST_VERBOSE") != nullptr) std::fprintf(stderr, "client: %s\n", line.c_str());
  };
  process_->start();
  vici_ = std::make_unique<vici::Client>(io.get_executor(), paths.vici_socket.native());
  asio::co_spawn(io, load(), asio::detached);
}

Client::~Client() = default;

void Client::start_feed() {
  feed_ = std::make_unique<feed::FeedServer>(
      io_, feed::FeedServer::Options{.socket = dir_.path() / "feed.sock", .uids = {}}, *this);
  feed_->start();
}

asio::awaitable<void> Client::load() {
  asio::steady_timer timer(io_);
  while (co_await vici_->connect()) {
    timer.expires_after(20ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
  vici::Message secret;
  secret.add("type", "IKE").add_secret("data", as_bytes(options.psk));
  vici::Message child;
  child.add("mode", "transport")
      .add_list("local_ts", {"dynamic[udp/1701]"})
      .add_list("remote_ts", {"dynamic[udp/" + options.remote_port + "]"})
      .add_list("esp_proposals", {options.esp_proposal})
      .add("rekey_time", "0s");
  vici::Message local, connection;
  local.add("auth", "psk");
  if (!options.own_id.empty()) local.add("id", options.own_id);
  connection.add("version", options.version)
      .add_list("local_addrs", {options.address})
      .add_list("remote_addrs", {"203.0.113.1"})
      .add_list("proposals", {options.ike_proposal})
      .add("mobike", "no")
      .add_section("local", local)
      .add_section("remote", vici::Message().add("auth", "psk").add("id", options.server_id));
  connection.open("children").add_section("c", std::move(child));
  vici::Message message;
  message.add_section("home", std::move(connection));
  const auto first = co_await vici_->command("load-shared", std::move(secret));
  const auto second = co_await vici_->command("load-conn", std::move(message));
  loaded = first.ok() && second.ok();
}

void Client::dial() {
  command("initiate", vici::Message().add("child", "c").add("timeout", "15000").add("loglevel", -1));
}

void Client::command(const std::string& name, vici::Message arguments) {
  outcome.reset();
  asio::co_spawn(
      io_,
      [](Client& self, std::string what, vici::Message with) -> asio::awaitable<void> {
        const auto done = co_await self.vici_->command(what, std::move(with), 20s);
        self.outcome = done ? std::string() : done.error().text;
      }(*this, name, std::move(arguments)),
      asio::detached);
}

void Client::deliver(const Endpoint& source, const Endpoint& destination, bool marker, Bytes datagram) {
  if (!feed_) return;
  feed::IkeIn frame;
  frame.source = source;
  frame.destination = destination;
  frame.marker = marker;
  frame.datagram = datagram;
  feed_->send({0, frame});
}

void Client::feed_request(feed::Body& request, feed::Reply& reply) {
  if (std::holds_alternative<feed::GetSpi>(request)) {
    reply.spi = *plane.allocate_spi({}, {}, {}, {});
  } else if (auto* add = std::get_if<feed::AddSa>(&request)) {
    plane.add_sa(std::move(add->spec));
  } else if (const auto* del = std::get_if<feed::DelSa>(&request)) {
    const auto& sa = del->sa;
    if (plane.remove_sa(sa.spi, true, sa.destination)) plane.remove_sa(sa.spi, false, sa.destination);
  }
}

void Client::feed_message(const feed::Body& message) {
  if (const auto* ike = std::get_if<feed::IkeOut>(&message)) on_send(*ike);
  if (const auto* alert = std::get_if<feed::Alert>(&message)) {
    alerts.push_back(*alert);
    if (alert->cause == SF_CAUSE_PEER_ERROR) notified.push_back(alert->notify);
  }
}

World::World(std::function<void(IkeConfig&)> adjust) {
  make_provider(adjust);
  events.on_send = [this](const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) {
    sent.push_back({remote, {datagram.begin(), datagram.end()}});
    if (deaf) return;
    for (const auto& link : links_) {
      if (link.outside != remote) continue;
      // Copied and posted: a network does not call back.
      asio::post(io, [link, local, marker, copy = ByteVector(datagram.begin(), datagram.end())] {
        link.client->deliver(local, link.inside, marker, copy);
      });
      return;
    }
  };
}

void World::make_provider(const std::function<void(IkeConfig&)>& adjust) {
  IkeConfig config;
  config.run_dir = dir.path() / "ike";
  config.plugin_path = SLUICE_PLUGIN_FILE;
  config.psks.push_back({{}, Secret(std::string_view("correct horse"))});
  if (adjust) adjust(config);
  provider = std::make_unique<CharonProvider>(io, std::move(config), plane, events);
}

World::~World() {
  if (provider) provider->stop();
}

Endpoint World::translate(Client& client, const Endpoint& inside) {
  for (const auto& link : links_) {
    if (link.client == &client && link.inside == inside) return link.outside;
  }
  Endpoint outside = inside;
  if (const auto nat = nat_.find(&client); nat != nat_.end())
    outside = Endpoint{nat->second.address, nat->second.port++};
  links_.push_back({&client, inside, outside});
  return outside;
}

Client& World::add_client(Client::Options options, std::optional<Endpoint> nat) {
  auto& client = *clients.emplace_back(std::make_unique<Client>(io, std::move(options)));
  if (nat) nat_[&client] = *nat;
  client.on_send = [this, &client](const feed::IkeOut& ike) {
    if (deaf) return;
    const Endpoint outside = translate(client, ike.source);
    asio::post(io, [this, outside, destination = ike.destination, marker = ike.marker,
                    copy = ByteVector(ike.datagram.begin(), ike.datagram.end())] {
      provider->ike_receive(destination, outside, marker, copy);
    });
  };
  return client;
}

bool World::wait(const std::function<bool()>& holds, std::chrono::milliseconds limit) {
  const Instant deadline = app::now() + limit;
  while (!holds()) {
    const auto left = deadline - app::now();
    if (left <= Duration{}) return false;
    io.restart();
    io.run_one_for(left);
  }
  return true;
}

void World::start() {
  provider->start();
  wait([&] {
    return provider->ready() && std::all_of(clients.begin(), clients.end(), [](const auto& client) {
             return client->loaded && client->connected;
           });
  });
}

bool World::connect(Client& client) {
  const auto before = events.children_up.size();
  client.dial();
  return wait([&] { return client.outcome.has_value(); }) && client.outcome == "" &&
         wait([&] { return events.children_up.size() > before; });
}

}  // namespace sluice::edge::test
