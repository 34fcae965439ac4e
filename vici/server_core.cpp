#include "vici/server_core.hpp"

namespace sluice::vici {

void ServerCore::on_bytes(Bytes bytes) {
  if (broken_) return;
  stream_.feed(bytes);
  parse_buffered();
}

void ServerCore::parse_buffered() {
  while (!broken_ && !busy_) {
    auto packet = stream_.next();
    if (!packet) return;
    if (!*packet) {
      broken_ = true;
      const auto& error = packet->error();
      events_.push_back(ProtocolBroken{error.to_string(), error.fault == PacketFault::kOversize});
      return;
    }
    on_packet(std::move(**packet));
  }
}

void ServerCore::on_packet(Packet packet) {
  switch (packet.type) {
    case PacketType::kCommandRequest:
      busy_ = true;
      events_.push_back(CommandAsked{std::move(packet.name), std::move(packet.message)});
      return;
    case PacketType::kEventRegister: {
      const bool known = known_event_(packet.name);
      if (known) registered_.insert(std::move(packet.name));
      return answer_registration(known);
    }
    case PacketType::kEventUnregister:
      return answer_registration(registered_.erase(packet.name) > 0);
    case PacketType::kCommandResponse:
    case PacketType::kCommandUnknown:
    case PacketType::kEventConfirm:
    case PacketType::kEventUnknown:
    case PacketType::kEvent:
      broken_ = true;
      events_.push_back(ProtocolBroken{"a packet that only a daemon may send", false});
      return;
  }
}

void ServerCore::answer_registration(bool known) {
  if (auto packet = encode_packet(known ? PacketType::kEventConfirm : PacketType::kEventUnknown)) {
    queue(std::move(*packet));
  }
}

bool ServerCore::respond(const Message& answer) {
  auto packet = encode_packet(PacketType::kCommandResponse, {}, answer);
  const bool fits = packet.ok();
  if (!fits) {
    Message excuse;
    excuse.add("success", false).add("errmsg", "the answer does not fit a packet of 512 KiB; ask for less");
    packet = encode_packet(PacketType::kCommandResponse, {}, excuse);
  }
  if (packet) queue(std::move(*packet));
  busy_ = false;
  parse_buffered();
  return fits;
}

void ServerCore::respond_unknown() {
  if (auto packet = encode_packet(PacketType::kCommandUnknown)) queue(std::move(*packet));
  busy_ = false;
  parse_buffered();
}

bool ServerCore::send_event(std::string_view name, const Message& message) {
  if (!registered(name)) return false;
  auto packet = encode_packet(PacketType::kEvent, name, message);
  if (!packet) return false;
  queue(std::move(*packet));
  return true;
}

bool ServerCore::send_encoded_event(std::string_view name, const ByteVector& packet) {
  if (!registered(name)) return false;
  queue(packet);
  return true;
}

void ServerCore::queue(ByteVector packet) {
  queued_bytes_ += packet.size();
  transmit_.push_back(std::move(packet));
}

std::optional<ByteVector> ServerCore::poll_transmit() {
  if (transmit_.empty()) return std::nullopt;
  auto out = std::move(transmit_.front());
  transmit_.pop_front();
  queued_bytes_ -= out.size();
  return out;
}

std::optional<ServerEvent> ServerCore::poll_event() {
  if (events_.empty()) return std::nullopt;
  auto out = std::move(events_.front());
  events_.pop_front();
  return out;
}

}  // namespace sluice::vici
