#include "proto/channel/control_core.hpp"

#include <cassert>
#include <utility>

#include "base/text.hpp"

namespace sluice::channel {

std::string_view to_string(DeadCause cause) {
  switch (cause) {
    case DeadCause::kPeerGoodbye:
      return "peer said goodbye";
    case DeadCause::kLocalClose:
      return "closed by us";
    case DeadCause::kStreamClosed:
      return "stream closed";
    case DeadCause::kSilent:
      return "silent";
    case DeadCause::kHandshakeTimeout:
      return "handshake timeout";
    case DeadCause::kVersionMismatch:
      return "no common version";
    case DeadCause::kCarrierMismatch:
      return "no common carrier";
    case DeadCause::kBadFrame:
      return "bad frame";
    case DeadCause::kMalformed:
      return "malformed message";
    case DeadCause::kBadField:
      return "field out of range";
    case DeadCause::kUnexpected:
      return "unexpected message";
    case DeadCause::kBadPaths:
      return "wrong data paths";
    case DeadCause::kStalled:
      return "peer does not read";
    case DeadCause::kFlood:
      return "peer floods";
    case DeadCause::kCount:
      break;
  }
  return "";
}

void ControlCore::on_bytes(Bytes bytes, Instant now) {
  if (dead_) return;
  decoder_.feed(bytes);
  while (!dead_) {
    const auto frame = decoder_.next();
    if (!frame) return fail(DeadCause::kBadFrame, std::string(to_string(frame.error())));
    if (!*frame) return;
    counts_.add(ControlCount::kFramesIn);
    overslept_ = false;
    if (flooded(now)) return fail(DeadCause::kFlood, "too many messages in a second");
    auto message = decode(**frame);
    if (!message) {
      const auto& error = message.error();
      return fail(error.malformed ? DeadCause::kMalformed : DeadCause::kBadField, error.field);
    }
    if (std::holds_alternative<UnknownMessage>(*message)) {
      counts_.add(ControlCount::kUnknownMessage);
    } else if (const auto* goodbye = std::get_if<Goodbye>(&*message)) {
      die(DeadCause::kPeerGoodbye, escaped(goodbye->reason));
    } else {
      on_message(std::move(*message), now);
    }
  }
}

bool ControlCore::flooded(Instant now) {
  if (now - second_began_ >= std::chrono::seconds(1)) {
    second_began_ = now;
    in_this_second_ = 0;
  }
  return ++in_this_second_ > kMaxPerSecond;
}

void ControlCore::on_stream_closed(std::string text) {
  out_.clear();
  die(DeadCause::kStreamClosed, std::move(text));
}

void ControlCore::on_silent(std::string text) {
  out_.clear();
  die(DeadCause::kSilent, std::move(text));
}

void ControlCore::on_stalled(std::string text) {
  out_.clear();
  die(DeadCause::kStalled, std::move(text));
}

ByteVector ControlCore::poll_transmit() {
  return std::exchange(out_, {});
}

void ControlCore::close(const std::string& reason) {
  if (dead_) return;
  send(Goodbye{reason});
  die(DeadCause::kLocalClose, reason);
}

void ControlCore::send(const Message& message) {
  if (dead_) return;
  counts_.add(ControlCount::kFramesOut);
  // Nothing we build is empty or too long: strings are cut, paths are limited by kMaxWorkers.
  const bool framed = append_frame(out_, encode(message));
  assert(framed);
  static_cast<void>(framed);
  if (out_.size() > kMaxPending) {
    out_.clear();
    die(DeadCause::kStalled, std::to_string(kMaxPending) + " bytes wait unread");
  }
}

void ControlCore::fail(DeadCause cause, std::string text) {
  if (dead_) return;
  std::string reason(to_string(cause));
  if (!text.empty()) reason += ": " + text;
  send(Goodbye{reason});
  die(cause, std::move(text));
}

void ControlCore::die(DeadCause cause, std::string text) {
  if (dead_) return;
  dead_ = true;
  push_dead(Dead{cause, std::move(text)});
}

void ControlCore::unexpected(const Message& message) {
  fail(DeadCause::kUnexpected, std::string(name_of(message)));
}

bool ControlCore::expired(Instant& deadline, Instant now) {
  constexpr auto kLate = std::chrono::milliseconds(500);
  if (now < deadline) {
    return false;
  }
  if (now - deadline < kLate || overslept_) return true;
  overslept_ = true;
  deadline = now + kLate;
  return false;
}

}  // namespace sluice::channel
