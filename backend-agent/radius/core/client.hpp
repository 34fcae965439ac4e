#pragma once
// A RADIUS client for one service (authentication or accounting): several servers, retransmission, fail-over,
// dead time, Status-Server. No I/O: requests, datagrams and time go in; datagrams and events come out.
// Standards: RFC 2865 §2.4, RFC 5080 §2.2, RFC 5997. Thread: whichever owns it.

#include <deque>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>

#include "backend-agent/radius/core/sign.hpp"
#include "base/counters.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/time.hpp"

namespace sluice::radius {

/// One request from submit() to its answer; never reused. 0 means none.
using Ticket = StrongId<struct TicketTag, std::uint64_t>;

struct Server {
  Endpoint endpoint;
  Secret secret;
  std::uint32_t priority = 1;  ///< the lowest that lives is asked; equals share the load
};

struct ClientSettings {
  std::vector<Server> servers;
  Duration first_timeout = std::chrono::seconds(1);  ///< doubles with each try, give or take a tenth
  Duration max_timeout = std::chrono::seconds(8);
  unsigned tries = 3;                             ///< at each server
  Duration dead_time = std::chrono::seconds(60);  ///< a silent server is passed over so long
  bool status_server = true;                      ///< ask a dead server whether it lives again
  Duration probe_interval = std::chrono::seconds(5);
  std::size_t sockets = 4;         ///< source ports: 256 requests can be under way on each to each server
  std::size_t max_waiting = 8192;  ///< requests beyond that are refused at once
  /// Answers without Message-Authenticator are dropped. For accounting most servers send none.
  bool demand_message_authenticator = true;
};

enum class ReplyDrop : std::uint8_t {
  kMalformed,               ///< not a RADIUS packet
  kUnknownServer,           ///< from an address that is no server's
  kUnexpected,              ///< nothing is asked with that id, or not with an answer of that code
  kBadAuthenticator,        ///< Response Authenticator wrong: another secret, or an answer to something else
  kNoMessageAuthenticator,  ///< demanded and not there
  kBadMessageAuthenticator,
  kCount
};
std::string_view to_string(ReplyDrop reason);

/// A proven answer: Access-Accept, -Reject, -Challenge, Accounting-Response.
struct Answered {
  Ticket ticket;
  std::size_t server = 0;
  ByteVector packet;  ///< Packet::parse() of it does not fail
};
enum class Unanswered : std::uint8_t { kTimeout, kTooLong, kOverload };
/// Nobody answered; what came and was refused instead, if anything did.
struct NoAnswer {
  Ticket ticket;
  Unanswered why = Unanswered::kTimeout;
  std::optional<ReplyDrop> refused;
};
/// A server went silent, or speaks again.
struct ServerState {
  std::size_t server = 0;
  bool alive = false;
  std::optional<ReplyDrop> refused;  ///< the last thing it said, if that was refused
};
using ClientEvent = std::variant<ServerState, NoAnswer, Answered>;

class Client {
 public:
  struct Outgoing {
    std::size_t socket = 0;
    Endpoint to;
    ByteVector bytes;
  };

  /// `random` outlives it. At least one server.
  Client(ClientSettings settings, RandomSource& random);

  /// Asks; exactly one Answered or NoAnswer follows, unless it is cancelled. With `only` that server alone.
  Ticket submit(Draft draft, Instant now, std::optional<std::size_t> only = std::nullopt);
  void cancel(Ticket ticket, Instant now);
  void on_datagram(std::size_t socket, const Endpoint& from, Bytes datagram, Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const;

  std::optional<Outgoing> poll_transmit();
  /// All that happened since the last call, in order.
  std::vector<ClientEvent> take_events() { return std::exchange(events_, {}); }

  std::size_t sockets() const { return settings_.sockets; }
  std::size_t servers() const { return hosts_.size(); }
  std::size_t pending() const { return requests_.size(); }
  bool alive(std::size_t server) const { return !hosts_[server].dead; }
  const Endpoint& endpoint(std::size_t server) const { return settings_.servers[server].endpoint; }
  const CounterArray<ReplyDrop>& drops() const { return drops_; }

 private:
  /// A place on the wire to one server: socket * 256 + id.
  using Slot = std::uint32_t;
  struct Host {
    std::deque<Slot> free;  ///< longest unused first
    std::unordered_map<Slot, Ticket> used;
    std::deque<Ticket> waiting;  ///< for a free slot; some may have been cancelled
    Instant heard{};             ///< a proven answer
    bool dead = false;
    Instant dead_until{}, probe_at{};
    Ticket probe;
    std::optional<ReplyDrop> refused;
  };
  struct Request {
    explicit Request(Draft d) : draft(std::move(d)) {}
    Draft draft;
    std::optional<std::size_t> only;
    std::set<std::size_t> tried;
    std::size_t server = 0;
    std::optional<Slot> slot;
    Authenticator authenticator{};
    ByteVector bytes;
    unsigned tries_left = 0;
    Duration timeout{};
    Instant first_sent{}, due{};
    std::optional<ReplyDrop> refused;
    bool probe = false;
  };

  void start(Ticket ticket, Request& request, Instant now);
  void send_first(Ticket ticket, Request& request, std::size_t server, Instant now);
  void transmit(Ticket ticket, Request& request, Instant now);
  void timed_out(Ticket ticket, Instant now);
  std::optional<std::size_t> choose(const Request& request, Instant now) const;
  void release(Request& request);
  void fail(Ticket ticket, Unanswered why);
  void give_way(Instant now);
  void start_next(Host& host, Instant now);
  void drop(ReplyDrop reason, std::size_t server, Ticket ticket);
  void heard_from(std::size_t server, Instant now);
  void mark_dead(std::size_t server, Instant now);
  void probe(std::size_t server, Instant now);
  Duration jitter(Duration base);
  void forget_timer(Ticket ticket, const Request& request) { timers_.erase({request.due, ticket}); }

  ClientSettings settings_;
  RandomSource& random_;
  std::vector<Host> hosts_;
  std::map<Ticket, Request> requests_;
  std::set<std::pair<Instant, Ticket>> timers_;
  std::deque<Outgoing> out_;
  std::vector<ClientEvent> events_;
  std::uint64_t last_ticket_ = 0;
  CounterArray<ReplyDrop> drops_;
};

}  // namespace sluice::radius
