#include "backend-agent/radius/core/client.hpp"

#include <algorithm>
#include <cassert>
#include <variant>

namespace sluice::radius {
namespace {

constexpr std::uint32_t kIds = 256;

bool answers(Code request, Code reply) {
  switch (request) {
    case Code::kAccessRequest:
      return reply == Code::kAccessAccept || reply == Code::kAccessReject || reply == Code::kAccessChallenge;
    case Code::kAccountingRequest:
      return reply == Code::kAccountingResponse;
    case Code::kStatusServer:  // RFC 5997 §2.1: whatever the port's service answers with; a refusal lives,
                               // too
      return reply == Code::kAccessAccept || reply == Code::kAccessReject ||
             reply == Code::kAccountingResponse;
    default:
      return false;
  }
}

std::optional<ReplyDrop> refusal_of(Proof proof) {
  switch (proof) {
    case Proof::kGood:
      return std::nullopt;
    case Proof::kBadAuthenticator:
      return ReplyDrop::kBadAuthenticator;
    case Proof::kNoMessageAuthenticator:
      return ReplyDrop::kNoMessageAuthenticator;
    case Proof::kBadMessageAuthenticator:
      return ReplyDrop::kBadMessageAuthenticator;
  }
  return ReplyDrop::kBadAuthenticator;
}

}  // namespace

std::string_view to_string(ReplyDrop reason) {
  switch (reason) {
    case ReplyDrop::kMalformed:
      return "malformed";
    case ReplyDrop::kUnknownServer:
      return "unknown-server";
    case ReplyDrop::kUnexpected:
      return "unexpected";
    case ReplyDrop::kBadAuthenticator:
      return "bad-authenticator";
    case ReplyDrop::kNoMessageAuthenticator:
      return "no-message-authenticator";
    case ReplyDrop::kBadMessageAuthenticator:
      return "bad-message-authenticator";
    case ReplyDrop::kCount:
      break;
  }
  return "unknown";
}

Client::Client(ClientSettings settings, RandomSource& random)
    : settings_(std::move(settings)), random_(random), hosts_(settings_.servers.size()) {
  assert(!hosts_.empty());
  const auto slots = static_cast<Slot>(settings_.sockets * kIds);
  for (auto& host : hosts_) {
    // Ids in turn over all sockets, from a place nobody can guess.
    const Slot first = random_.u32() % slots;
    for (Slot i = 0; i < slots; ++i) host.free.push_back((first + i) % slots);
  }
}

Ticket Client::submit(Draft draft, Instant now, std::optional<std::size_t> only) {
  const Ticket ticket(++last_ticket_);
  if (requests_.size() >= settings_.max_waiting) {
    events_.push_back(NoAnswer{ticket, Unanswered::kOverload, std::nullopt});
    return ticket;
  }
  Request& request = requests_.emplace(ticket, Request(std::move(draft))).first->second;
  request.only = only;
  start(ticket, request, now);
  return ticket;
}

void Client::cancel(Ticket ticket, Instant now) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return;
  release(found->second);
  forget_timer(ticket, found->second);
  requests_.erase(found);
  give_way(now);
}

/// The living server of the lowest priority number that has not been asked, the least busy among equals. A
/// request that nobody has been asked yet goes to a dead one rather than nowhere.
std::optional<std::size_t> Client::choose(const Request& request, Instant now) const {
  if (request.only) {
    if (request.tried.contains(*request.only)) return std::nullopt;
    return request.only;
  }
  std::optional<std::size_t> best;
  const auto rank = [&](std::size_t i) {
    const bool dead = hosts_[i].dead && hosts_[i].dead_until > now;
    return std::tuple(dead, settings_.servers[i].priority, hosts_[i].used.size());
  };
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (request.tried.contains(i)) continue;
    if (std::get<0>(rank(i)) && !request.tried.empty()) continue;
    if (!best || rank(i) < rank(*best)) best = i;
  }
  return best;
}

/// `request` may be gone afterwards.
void Client::start(Ticket ticket, Request& request, Instant now) {
  const auto server = choose(request, now);
  if (!server) return fail(ticket, Unanswered::kTimeout);
  if (hosts_[*server].free.empty()) return hosts_[*server].waiting.push_back(ticket);
  send_first(ticket, request, *server, now);
}

void Client::send_first(Ticket ticket, Request& request, std::size_t server, Instant now) {
  Host& host = hosts_[server];
  const Slot slot = host.free.front();
  if (request.draft.code() != Code::kAccountingRequest) random_.fill(request.authenticator);
  auto packet = sign_request(request.draft, static_cast<std::uint8_t>(slot % kIds), request.authenticator,
                             settings_.servers[server].secret.bytes());
  if (!packet) return fail(ticket, Unanswered::kTooLong);
  host.free.pop_front();
  host.used[slot] = ticket;
  request.server = server;
  request.slot = slot;
  request.tried.insert(server);
  request.bytes = std::move(*packet);
  request.tries_left = request.probe ? 1 : settings_.tries;
  request.timeout = settings_.first_timeout;
  request.first_sent = now;
  transmit(ticket, request, now);
}

/// The same octets each time (RFC 5080 §2.2.1): a server may know them again.
void Client::transmit(Ticket ticket, Request& request, Instant now) {
  --request.tries_left;
  out_.push_back({*request.slot / kIds, settings_.servers[request.server].endpoint, request.bytes});
  request.due = now + jitter(request.timeout);
  request.timeout = std::min(request.timeout * 2, settings_.max_timeout);
  timers_.insert({request.due, ticket});
}

Duration Client::jitter(Duration base) {
  constexpr std::int64_t kSteps = 2000;  // RFC 5080 §2.2.1: from -10 % to +10 %
  const auto step = static_cast<std::int64_t>(random_.u32() % (kSteps + 1)) - kSteps / 2;
  return base + Duration(base.count() / (10 * kSteps / 2) * step);
}

void Client::on_timeout(Instant now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const Ticket ticket = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timed_out(ticket, now);
  }
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    Host& host = hosts_[i];
    if (host.dead && settings_.status_server && !host.probe && host.probe_at <= now) probe(i, now);
  }
  give_way(now);
}

void Client::timed_out(Ticket ticket, Instant now) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return;
  Request& request = found->second;
  Host& host = hosts_[request.server];
  if (request.probe) {
    host.probe = Ticket{};
    host.probe_at = now + jitter(settings_.probe_interval);
    release(request);
    requests_.erase(found);
    return;
  }
  // A server that others found dead is not worth the rest of the tries, if there is another.
  const bool hopeless = host.dead && host.dead_until > now && hosts_.size() > 1 && !request.only;
  if (request.tries_left > 0 && !hopeless) return transmit(ticket, request, now);
  // One lost request says nothing of a server that answered others meanwhile.
  if (!host.dead ? host.heard <= request.first_sent : host.dead_until <= now) mark_dead(request.server, now);
  release(request);
  start(ticket, request, now);
}

void Client::mark_dead(std::size_t server, Instant now) {
  Host& host = hosts_[server];
  host.dead_until = now + settings_.dead_time;
  if (std::exchange(host.dead, true)) return;
  host.probe_at = now + jitter(settings_.probe_interval);
  events_.push_back(ServerState{server, false, host.refused});
  for (std::size_t left = host.waiting.size(); left > 0; --left)
    start_next(host, now);  // elsewhere, if may be
}

void Client::heard_from(std::size_t server, Instant now) {
  Host& host = hosts_[server];
  host.heard = now;
  host.refused.reset();
  if (std::exchange(host.dead, false)) events_.push_back(ServerState{server, true, std::nullopt});
}

/// RFC 5997 §3: nothing in it but Message-Authenticator and who asks; it is not sent again.
void Client::probe(std::size_t server, Instant now) {
  Host& host = hosts_[server];
  host.probe_at = now + jitter(settings_.probe_interval);
  if (host.free.empty()) return;
  const Ticket ticket(++last_ticket_);
  Request& request = requests_.emplace(ticket, Request(Draft(Code::kStatusServer))).first->second;
  request.only = server;
  request.probe = true;
  host.probe = ticket;
  send_first(ticket, request, server, now);
}

void Client::on_datagram(std::size_t socket, const Endpoint& from, Bytes datagram, Instant now) {
  const auto packet = Packet::parse(datagram);
  if (!packet) return drops_.add(ReplyDrop::kMalformed);
  const auto same = [&](const Server& s) { return s.endpoint == from; };
  const auto found = std::find_if(settings_.servers.begin(), settings_.servers.end(), same);
  if (found == settings_.servers.end()) return drops_.add(ReplyDrop::kUnknownServer);
  const auto server = static_cast<std::size_t>(found - settings_.servers.begin());
  Host& host = hosts_[server];
  const auto used = host.used.find(static_cast<Slot>(socket) * kIds + packet->id());
  if (used == host.used.end()) return drops_.add(ReplyDrop::kUnexpected);
  const Ticket ticket = used->second;
  Request& request = requests_.at(ticket);
  if (!answers(request.draft.code(), packet->code())) return drop(ReplyDrop::kUnexpected, server, ticket);
  const Proof proof = check_reply(*packet, request.authenticator, found->secret.bytes(),
                                  settings_.demand_message_authenticator);
  if (const auto refused = refusal_of(proof)) return drop(*refused, server, ticket);
  if (!request.probe) {
    const Bytes whole = packet->bytes();
    events_.push_back(Answered{ticket, server, ByteVector(whole.begin(), whole.end())});
  } else {
    host.probe = Ticket{};
  }
  forget_timer(ticket, request);
  release(request);
  requests_.erase(ticket);
  heard_from(server, now);
  give_way(now);
}

/// Refused answers do not end the wait: the true one may still come.
void Client::drop(ReplyDrop reason, std::size_t server, Ticket ticket) {
  drops_.add(reason);
  hosts_[server].refused = reason;
  requests_.at(ticket).refused = reason;
}

void Client::release(Request& request) {
  if (!request.slot) return;
  Host& host = hosts_[request.server];
  host.used.erase(*request.slot);
  host.free.push_back(*request.slot);
  request.slot.reset();
}

void Client::fail(Ticket ticket, Unanswered why) {
  const auto found = requests_.find(ticket);
  if (found->second.probe) {
    hosts_[found->second.server].probe = Ticket{};
  } else {
    events_.push_back(NoAnswer{ticket, why, found->second.refused});
  }
  requests_.erase(found);
}

/// Requests that waited for a slot; each server has its own queue, so that a full one holds up nobody else.
void Client::give_way(Instant now) {
  for (Host& host : hosts_) {
    while (!host.free.empty() && !host.waiting.empty()) start_next(host, now);
  }
}

void Client::start_next(Host& host, Instant now) {
  const Ticket ticket = host.waiting.front();
  host.waiting.pop_front();
  const auto found = requests_.find(ticket);
  if (found != requests_.end()) start(ticket, found->second, now);
}

std::optional<Instant> Client::next_timeout() const {
  std::optional<Instant> next;
  if (!timers_.empty()) next = timers_.begin()->first;
  for (const auto& host : hosts_) {
    if (!host.dead || !settings_.status_server || host.probe) continue;
    if (!next || host.probe_at < *next) next = host.probe_at;
  }
  return next;
}

std::optional<Client::Outgoing> Client::poll_transmit() {
  if (out_.empty()) return std::nullopt;
  std::optional<Outgoing> first(std::move(out_.front()));
  out_.pop_front();
  return first;
}

}  // namespace sluice::radius
