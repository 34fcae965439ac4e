#include "lab/swarm/hand_keys.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "base/app/unique_fd.hpp"
#include "edge/ike/connections.hpp"

namespace sluice::swarm {
namespace {

namespace feed = edge::feed;
constexpr int kBurst = 64;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint16_t kL2tpPort = 1701;
constexpr std::uint32_t kFirstSpi = 0x1000;

std::string reason() {
  return std::generic_category().message(errno);
}

vici::Message good() {
  return vici::Message().add("success", "yes");
}

/// The name of the only section of load-conn.
std::string section_name(const vici::Message& message) {
  for (const auto& entry : message.entries()) {
    if (entry.section() != nullptr) return entry.name;
  }
  return {};
}

vici::Message listing(const char* list, const std::set<std::string>& names) {
  return vici::Message().add_list(list, {names.begin(), names.end()});
}

}  // namespace

HandKeys::HandKeys(boost::asio::io_context& io, HandKeysConfig config, RandomSource& random,
                   KeyingEvents& events)
    : io_(io),
      config_(std::move(config)),
      random_(random),
      events_(events),
      feed_(io),
      buffer_(SF_MAX_FRAME) {}

HandKeys::~HandKeys() {
  stop();
}

void HandKeys::start() {
  serve_vici();
  connect_feed();
}

// What the edge asks of a charon that is not its own: it loads its connections, looks whether they are still
// there, lists SAs and ends them.
void HandKeys::serve_vici() {
  std::error_code ignored;
  std::filesystem::create_directories(config_.vici.parent_path(), ignored);
  vici::ServerOptions options;
  options.path = config_.vici.native();
  options.mode = 0600;
  vici_ = std::make_unique<vici::Server>(io_.get_executor(), std::move(options));
  for (const char* event : {"ike-updown", "child-updown", "ike-rekey", "child-rekey"})
    vici_->declare_event(event);
  for (const char* name : {"load-cert", "load-key", "unload-key", "clear-creds", "flush-certs"}) {
    vici_->command(name, [](const vici::Message&) { return good(); });
  }
  vici_->command("load-conn", [this](const vici::Message& told) {
    connections_.insert(section_name(told));
    return good();
  });
  vici_->command("unload-conn", [this](const vici::Message& told) {
    connections_.erase(std::string(told.get("name")));
    return good();
  });
  vici_->command("load-shared", [this](const vici::Message& told) {
    secrets_.emplace(told.get("id"));
    return good();
  });
  vici_->command("unload-shared", [this](const vici::Message& told) {
    secrets_.erase(std::string(told.get("id")));
    return good();
  });
  vici_->command("get-conns", [this](const vici::Message&) { return listing("conns", connections_); });
  vici_->command("get-shared", [this](const vici::Message&) { return listing("keys", secrets_); });
  vici_->command("get-keys", [](const vici::Message&) { return listing("keys", {}); });
  vici_->stream_command("list-sas", "list-sa", [](const vici::Message&) {
    return vici::Server::Stream{[] { return std::optional<vici::Message>(); }, vici::Message()};
  });
  vici_->command("terminate", [this](const vici::Message& told) {
    const auto uid = told.number("ike-id").value_or(0);
    boost::asio::post(io_, [this, uid, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) end_uid(static_cast<std::uint32_t>(uid));
    });
    return good();
  });
  if (const auto error = vici_->start()) throw std::runtime_error(error->text);
}

void HandKeys::connect_feed() {
  app::UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string& path = config_.feed.native();
  if (path.size() >= sizeof name.sun_path)
    throw std::runtime_error("the path of the sa-feed is too long: " + path);
  std::memcpy(name.sun_path, path.data(), path.size());
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    throw std::runtime_error("the edge's sa-feed at " + path + ": " + reason() +
                             "; is the edge up, its ike.attach set to " + config_.vici.native() +
                             ", and this run as root?");
  }
  feed_.assign(fd.release());
  std::uint64_t boot = (std::uint64_t{random_.u32()} << 32) | random_.u32();
  feed::Hello hello;
  hello.boot = boot;
  hello.pid = static_cast<std::uint32_t>(::getpid());
  send({0, hello});
  read_later();
}

void HandKeys::stop() {
  boost::system::error_code ignored;
  feed_.close(ignored);
  vici_.reset();
  broken_ = true;
}

void HandKeys::broken(const std::string& why) {
  if (std::exchange(broken_, true)) return;
  boost::system::error_code ignored;
  feed_.close(ignored);
  boost::asio::post(io_, [this, why, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) events_.keying_broken(why);
  });
}

void HandKeys::send(const feed::Frame& frame) {
  if (broken_) return;
  unsent_.push_back(feed::serialize(frame));
  if (!writing_) write_queue();
}

void HandKeys::write_queue() {
  writing_ = false;
  while (!unsent_.empty()) {
    const Bytes packet = unsent_.front().bytes();
    if (::send(feed_.native_handle(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
      unsent_.pop_front();
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return broken("the sa-feed broke: " + reason());
    writing_ = true;
    feed_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                     [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
                       if (!error && !alive.expired()) write_queue();
                     });
    return;
  }
}

void HandKeys::read_later() {
  feed_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                   [this, alive = std::weak_ptr<bool>(alive_)](const boost::system::error_code& error) {
                     if (error || alive.expired() || broken_) return;
                     read_now();
                     if (!broken_) read_later();
                   });
}

void HandKeys::read_now() {
  for (int i = 0; i < kBurst && !broken_; ++i) {
    const ssize_t size = ::recv(feed_.native_handle(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size <= 0)
      return broken("the edge closed its sa-feed; has it ended, or does another charon feed it?");
    const auto frame = feed::parse(Bytes(buffer_).first(static_cast<std::size_t>(size)));
    if (!frame)
      return broken(std::string("the edge sent a frame that is none: ") + feed::describe(frame.error()));
    take(frame.value());
  }
}

void HandKeys::take(const feed::Frame& frame) {
  if (std::holds_alternative<feed::Welcome>(frame.body)) {
    send({0, feed::Restored{}});
    return events_.keying_ready();
  }
  if (const auto* reserve = std::get_if<feed::Reserve>(&frame.body)) {
    return send({0, feed::Reserved{reserve->destination, reserve->spi, reserve->last, true}});
  }
  const auto* reply = std::get_if<feed::Reply>(&frame.body);
  if (reply == nullptr) return;  // IKE, expiries and roaming peers: nothing to do where there is no IKE
  if (const auto request = requests_.extract(frame.id)) answered(request.mapped(), *reply);
}

void HandKeys::ask(feed::Body body, Request request) {
  const std::uint32_t id = next_request_++;
  if (next_request_ == 0) next_request_ = 1;
  requests_[id] = request;
  send({id, std::move(body)});
}

void HandKeys::connect(const Dialler& dialler) {
  Pair pair;
  pair.uid = next_uid_++;
  pair.source = dialler.source;
  pair.identity = dialler.identity;
  by_uid_[pair.uid] = dialler.client;
  feed::GetSpi get;
  get.source = pair.source;
  get.destination = config_.edge;
  get.ike_uid = pair.uid;
  get.peer_id = pair.identity;
  ask(get, {Step::kSpi, dialler.client, pair.uid});
  pairs_[dialler.client] = std::move(pair);
}

void HandKeys::answered(const Request& request, const feed::Reply& reply) {
  const auto found = pairs_.find(request.client);
  if (request.step == Step::kOther || found == pairs_.end() || found->second.uid != request.uid) return;
  Pair& pair = found->second;
  if (reply.status != SF_OK) {
    disconnect(request.client);
    return events_.keys_over(request.client, "the edge refused the SAs");
  }
  if (request.step == Step::kSpi) {
    pair.to_edge = reply.spi;
    return add_sas(request.client, pair);
  }
  if (++pair.added < 2) return;
  tell_ike(pair, true);
  auto own = own_.extract(request.client);
  if (!own) return;
  for (auto& spec : own.mapped()) events_.sa_added(request.client, std::move(spec));
}

edge::SaSpec HandKeys::spec_of(const Pair& pair, bool to_edge, Bytes encryption, Bytes integrity) const {
  const auto& suite = esp::suite(config_.suite);
  edge::SaSpec spec;
  spec.spi = to_edge ? pair.to_edge : pair.to_client;
  spec.ike_sa = edge::IkeSaId(pair.uid);
  spec.peer_identity = pair.identity;
  spec.source = to_edge ? pair.source : config_.edge;
  spec.destination = to_edge ? config_.edge : pair.source;
  spec.udp_encapsulated = true;
  spec.encryption = suite.encryption_id;
  spec.integrity = suite.integrity_id;
  spec.encryption_key = Secret(encryption);
  spec.integrity_key = Secret(integrity);
  spec.ike_version = 2;
  spec.reqid = pair.uid;
  spec.local_port = kL2tpPort;
  spec.remote_port = kL2tpPort;
  spec.protocol = kUdp;
  return spec;
}

void HandKeys::add_sas(ClientId client, Pair& pair) {
  const auto& suite = esp::suite(config_.suite);
  do {
    pair.to_client = Spi(random_.u32());
  } while (pair.to_client.value() < kFirstSpi || !to_clients_.insert(pair.to_client).second);
  auto& own = own_[client];
  own.clear();
  for (const bool to_edge : {true, false}) {
    Secret encryption(suite.keying_size()), integrity(std::size_t{suite.integrity_key_size});
    random_.fill(encryption.mutable_bytes());
    random_.fill(integrity.mutable_bytes());
    feed::AddSa add;
    add.spec = spec_of(pair, to_edge, encryption.bytes(), integrity.bytes());
    add.spec.inbound = to_edge;
    own.push_back(spec_of(pair, to_edge, encryption.bytes(), integrity.bytes()));
    own.back().inbound = !to_edge;
    ask(std::move(add), {to_edge ? Step::kToEdge : Step::kToClient, client, pair.uid});
  }
}

void HandKeys::remove_sas(const Pair& pair) {
  if (!pair.to_client) return;
  feed::DelSa inbound{{pair.source, config_.edge, pair.to_edge}};
  inbound.sa.inbound = true;
  ask(inbound, {});
  ask(feed::DelSa{{config_.edge, pair.source, pair.to_client}}, {});
}

void HandKeys::disconnect(ClientId client) {
  const auto pair = pairs_.extract(client);
  if (!pair) return;
  own_.erase(client);
  by_uid_.erase(pair.mapped().uid);
  to_clients_.erase(pair.mapped().to_client);
  remove_sas(pair.mapped());
  tell_ike(pair.mapped(), false);
}

vici::Message HandKeys::ike_message(const Pair& pair) const {
  vici::Message ike;
  ike.add("uniqueid", pair.uid)
      .add("version", 2)
      .add("state", "ESTABLISHED")
      .add("local-host", config_.edge.address.to_string())
      .add("local-port", config_.edge.port)
      .add("remote-host", pair.source.address.to_string())
      .add("remote-port", pair.source.port)
      .add("remote-id", pair.identity)
      .add("nat-any", "yes");
  return ike;
}

void HandKeys::tell_ike(const Pair& pair, bool up) {
  if (!vici_) return;
  vici::Message told;
  if (up) told.add("up", "yes");
  told.add_section(std::string(edge::kNamePrefix) + "swarm", ike_message(pair));
  vici_->raise("ike-updown", told);
}

void HandKeys::end_uid(std::uint32_t uid) {
  const auto found = by_uid_.find(uid);
  if (found == by_uid_.end()) return;
  const ClientId client = found->second;
  disconnect(client);
  events_.keys_over(client, "the edge ended the IKE SA");
}

void HandKeys::on_ike(const Endpoint&, const Endpoint&, bool, Bytes) {
  // Nobody here speaks it.
}

}  // namespace sluice::swarm
