#include "vici/client_core.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sluice::vici {
namespace {
std::string seconds_text(Duration duration) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  return ms % 1000 == 0 ? std::to_string(ms / 1000) + " s" : std::to_string(ms) + " ms";
}
}  // namespace

OperationId ClientCore::request(std::string name, const Message& arguments, Duration timeout, Instant now,
                                std::string stream_event) {
  Operation operation;
  auto packet = encode_packet(PacketType::kCommandRequest, name, arguments);
  if (packet) {
    operation.command = Secret(Bytes(*packet));
    wipe(*packet);
  } else {
    operation.outcome =
        Failure{Error{ErrorKind::kTooLarge, "the request '" + escaped(name) + "' cannot be sent: it has " +
                                                std::string(describe(packet.error().fault))}};
  }
  operation.name = std::move(name);
  operation.event = std::move(stream_event);
  operation.timeout = timeout;
  return enqueue(std::move(operation), now);
}

OperationId ClientCore::subscribe(std::string event, Duration timeout, Instant now) {
  Operation operation;
  operation.event = std::move(event);
  operation.step = operation.last = Step::kRegister;
  operation.timeout = timeout;
  return enqueue(std::move(operation), now);
}

OperationId ClientCore::unsubscribe(std::string event, Duration timeout, Instant now) {
  Operation operation;
  operation.event = std::move(event);
  operation.step = operation.last = Step::kUnregister;
  operation.timeout = timeout;
  return enqueue(std::move(operation), now);
}

OperationId ClientCore::enqueue(Operation operation, Instant now) {
  const auto id = operation.id = next_id_++;
  operation.deadline = now + operation.timeout;
  if (operation.outcome) {
    events_.push_back(OperationDone{id, std::move(*operation.outcome)});
    return id;
  }
  operations_.push_back(std::move(operation));
  start_next();
  return id;
}

void ClientCore::abandon(OperationId id) {
  const auto at = std::ranges::find(operations_, id, &Operation::id);
  if (at == operations_.end()) return;
  at->reported = true;
  if (!at->on_wire) operations_.erase(at);
}

void ClientCore::start_next() {
  if (broken_ || operations_.empty() || operations_.front().on_wire) return;
  auto& operation = operations_.front();
  // An event that is subscribed anyway needs no registration around the command, and must not lose its own.
  if (!operation.name.empty() && !operation.event.empty() && !subscriptions_.contains(operation.event)) {
    operation.step = Step::kRegister;
    operation.last = Step::kUnregister;
  }
  send_step(operation);
}

void ClientCore::send_step(Operation& operation) {
  operation.on_wire = true;
  if (operation.step == Step::kCommand) {
    transmit_.push_back(std::move(operation.command));
    return;
  }
  const auto type =
      operation.step == Step::kRegister ? PacketType::kEventRegister : PacketType::kEventUnregister;
  auto packet = encode_packet(type, operation.event);
  if (packet) {
    transmit_.push_back(Secret(Bytes(*packet)));
    return;
  }
  report(operation, Failure{Error{ErrorKind::kTooLarge, "the event's name is longer than 255 bytes"}});
  operations_.pop_front();
  start_next();
}

void ClientCore::report(Operation& operation, Result<Message, Error> result) {
  if (std::exchange(operation.reported, true)) return;
  events_.push_back(OperationDone{operation.id, std::move(result)});
}

void ClientCore::on_bytes(Bytes bytes, Instant now) {
  if (broken_) return;
  stream_.feed(bytes);
  while (!broken_) {
    auto packet = stream_.next();
    if (!packet) return;
    if (!*packet) return break_off(packet->error().to_string());
    on_packet(std::move(**packet), now);
  }
}

void ClientCore::on_packet(Packet packet, Instant now) {
  switch (packet.type) {
    case PacketType::kCommandResponse:
      return on_command_answer(std::move(packet.message), now);
    case PacketType::kCommandUnknown:
      return on_command_answer(Failure{Error{ErrorKind::kUnknownCommand, {}}}, now);
    case PacketType::kEventConfirm:
      return on_event_answer(true, now);
    case PacketType::kEventUnknown:
      return on_event_answer(false, now);
    case PacketType::kEvent:
      return on_event_packet(std::move(packet), now);
    case PacketType::kCommandRequest:
    case PacketType::kEventRegister:
    case PacketType::kEventUnregister:
      return break_off("a packet that only a client may send");
  }
}

void ClientCore::on_event_packet(Packet packet, Instant now) {
  auto* running = operations_.empty() ? nullptr : &operations_.front();
  if (running && running->on_wire && running->step == Step::kCommand && running->event == packet.name) {
    running->deadline = now + running->timeout;
    if (!running->reported) events_.push_back(StreamItem{running->id, std::move(packet.message)});
    return;
  }
  // A daemon may raise the event before it confirms the registration.
  const bool registering = running && running->on_wire && running->name.empty() &&
                           running->step == Step::kRegister && running->event == packet.name;
  if (registering || subscriptions_.contains(packet.name)) {
    events_.push_back(EventRaised{std::move(packet.name), std::move(packet.message)});
  }
}

void ClientCore::on_event_answer(bool known, Instant now) {
  if (operations_.empty() || !operations_.front().on_wire || operations_.front().step == Step::kCommand) {
    return break_off("an answer to an event registration that was not asked for");
  }
  auto& operation = operations_.front();
  if (operation.name.empty()) {
    if (known && operation.step == Step::kRegister) subscriptions_.insert(operation.event);
    if (operation.step == Step::kUnregister) subscriptions_.erase(operation.event);
  }
  if (!known && operation.step == Step::kRegister) {
    operation.outcome =
        Failure{Error{ErrorKind::kUnknownEvent, where_ + " knows no event '" + escaped(operation.event) +
                                                    "': is it an older version?"}};
    operation.last = Step::kRegister;
  }
  step_done(operation, now);
}

void ClientCore::on_command_answer(Result<Message, Error> answer, Instant now) {
  if (operations_.empty() || !operations_.front().on_wire || operations_.front().step != Step::kCommand) {
    return break_off("an answer to a command that was not asked");
  }
  auto& operation = operations_.front();
  if (answer) {
    operation.outcome = std::move(answer);
  } else {
    operation.outcome =
        Failure{Error{answer.error().kind, where_ + " knows no command '" + escaped(operation.name) +
                                               "': is it another daemon, or an older version?"}};
  }
  step_done(operation, now);
}

void ClientCore::step_done(Operation& operation, Instant now) {
  if (operation.step != operation.last) {
    operation.step = operation.step == Step::kRegister ? Step::kCommand : Step::kUnregister;
    operation.deadline = now + operation.timeout;
    send_step(operation);
    return;
  }
  report(operation, operation.outcome ? std::move(*operation.outcome) : Result<Message, Error>(Message()));
  operations_.pop_front();
  start_next();
}

void ClientCore::on_timeout(Instant now) {
  for (auto& operation : operations_) {
    if (operation.reported || operation.deadline > now) continue;
    const std::string what = operation.name.empty()
                                 ? "the registration of event '" + escaped(operation.event) + "'"
                                 : "'" + escaped(operation.name) + "'";
    report(operation,
           Failure{Error{ErrorKind::kTimeout,
                         where_ + " did not answer " + what + " within " + seconds_text(operation.timeout) +
                             (operation.on_wire ? ": is the daemon hanging or overloaded?"
                                                : ": earlier requests were still waiting")}});
  }
  std::erase_if(operations_, [](const Operation& o) { return o.reported && !o.on_wire; });
}

void ClientCore::on_closed(const Error& error) {
  for (auto& operation : operations_) report(operation, Failure{error});
  operations_.clear();
  subscriptions_.clear();
  transmit_.clear();
  stream_ = PacketStream();
  broken_ = false;
}

void ClientCore::break_off(const std::string& what) {
  broken_ = true;
  const Error error{
      ErrorKind::kMalformed,
      where_ + " sent " + what + ": is that socket a vici socket, and the daemon's version one we know?"};
  for (auto& operation : operations_) report(operation, Failure{error});
  operations_.clear();
  transmit_.clear();
  events_.push_back(Broken{error});
}

std::optional<Secret> ClientCore::poll_transmit() {
  if (transmit_.empty()) return std::nullopt;
  auto out = std::move(transmit_.front());
  transmit_.pop_front();
  return out;
}

std::optional<ClientEvent> ClientCore::poll_event() {
  if (events_.empty()) return std::nullopt;
  auto out = std::move(events_.front());
  events_.pop_front();
  return out;
}

std::optional<Instant> ClientCore::next_timeout() const {
  std::optional<Instant> earliest;
  for (const auto& operation : operations_) {
    if (!operation.reported && (!earliest || operation.deadline < *earliest)) earliest = operation.deadline;
  }
  return earliest;
}

std::size_t ClientCore::open_operations() const {
  return static_cast<std::size_t>(std::ranges::count(operations_, false, &Operation::reported));
}

}  // namespace sluice::vici
