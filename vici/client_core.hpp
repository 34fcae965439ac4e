#pragma once
// The client's side of one vici connection, without I/O. Bytes and commands go in; packets and events are
// drained.
//
// The protocol has no numbers on requests, so one operation is on the wire at a time and others wait in
// order. A timed-out operation is reported at once but keeps the wire until its late answer came, which is
// thrown away.

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "vici/error.hpp"
#include "vici/packet.hpp"

namespace sluice::vici {

/// The caller's number for one operation.
using OperationId = std::uint64_t;

/// An operation ended: the daemon's answer (empty for subscriptions), or why there is none.
struct OperationDone {
  OperationId id;
  Result<Message, Error> result;
};
/// A message streamed while operation `id` runs.
struct StreamItem {
  OperationId id;
  Message message;
};
/// An event of a subscription.
struct EventRaised {
  std::string name;
  Message message;
};
/// The daemon broke the protocol; the connection must be closed. Every open operation was already reported.
struct Broken {
  Error error;
};
using ClientEvent = std::variant<OperationDone, StreamItem, EventRaised, Broken>;

class ClientCore {
 public:
  /// `where` names the daemon in error texts, for instance its socket's path.
  explicit ClientCore(std::string where) : where_(std::move(where)) {}

  /// Asks for a command. With `stream_event` the event is registered for as long as the command runs and its
  /// messages come as StreamItem. `timeout` is the longest silence accepted, counted anew from each streamed
  /// message.
  OperationId request(std::string name, const Message& arguments, Duration timeout, Instant now,
                      std::string stream_event = {});
  OperationId subscribe(std::string event, Duration timeout, Instant now);
  OperationId unsubscribe(std::string event, Duration timeout, Instant now);
  /// The caller no longer wants the answer; nothing more is reported for it.
  void abandon(OperationId id);

  void on_bytes(Bytes bytes, Instant now);
  void on_timeout(Instant now);
  /// The connection ended: every open operation is reported with this error and the core starts afresh.
  void on_closed(const Error& error);

  /// The next packet for the stream; it may carry keys.
  std::optional<Secret> poll_transmit();
  std::optional<ClientEvent> poll_event();
  std::optional<Instant> next_timeout() const;
  /// Operations not yet reported.
  std::size_t open_operations() const;

 private:
  enum class Step : std::uint8_t { kRegister, kCommand, kUnregister };
  struct Operation {
    OperationId id = 0;
    std::string name;   // command; empty for subscriptions
    std::string event;  // to register around the command, or to subscribe
    Secret command;     // encoded; it may carry keys
    Step step = Step::kCommand;
    Step last = Step::kCommand;
    bool on_wire = false;
    bool reported = false;
    Duration timeout{};
    Instant deadline{};
    std::optional<Result<Message, Error>> outcome;
  };

  OperationId enqueue(Operation operation, Instant now);
  void start_next();
  void send_step(Operation& operation);
  void step_done(Operation& operation, Instant now);
  void report(Operation& operation, Result<Message, Error> result);
  void on_packet(Packet packet, Instant now);
  void on_event_packet(Packet packet, Instant now);
  void on_event_answer(bool known, Instant now);
  void on_command_answer(Result<Message, Error> answer, Instant now);
  void break_off(const std::string& what);

  std::string where_;
  OperationId next_id_ = 1;
  std::deque<Operation> operations_;  // the front one is on the wire
  std::set<std::string, std::less<>> subscriptions_;
  std::deque<Secret> transmit_;
  std::deque<ClientEvent> events_;
  PacketStream stream_;
  bool broken_ = false;
};

}  // namespace sluice::vici
