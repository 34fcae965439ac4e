#pragma once
// The daemon's side of one vici connection, without I/O. Bytes and answers go in; requests and packets are
// drained.
//
// One command runs at a time: while one is unanswered, further input waits in the buffer, unparsed.

#include <deque>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <variant>

#include "base/time.hpp"
#include "vici/packet.hpp"

namespace sluice::vici {

/// A client's command; answer it with respond() or respond_unknown() before the next is handed out.
struct CommandAsked {
  std::string name;
  Message arguments;
};
/// The client sent what is not vici, or a packet only a daemon may send; close the connection.
struct ProtocolBroken {
  std::string text;
  bool oversize = false;
};
using ServerEvent = std::variant<CommandAsked, ProtocolBroken>;

class ServerCore {
 public:
  /// `known_event` says which events a client may register for; asked only from within on_bytes() and
  /// respond().
  explicit ServerCore(std::function<bool(std::string_view)> known_event)
      : known_event_(std::move(known_event)) {}

  void on_bytes(Bytes bytes);
  /// Answers the command handed out last. False if the answer does not fit a packet; an error answer went
  /// instead.
  bool respond(const Message& answer);
  void respond_unknown();
  /// Queues an event if the client is registered for it. False if it is not, or the event does not fit a
  /// packet.
  bool send_event(std::string_view name, const Message& message);
  /// The same with the packet encoded once for many connections.
  bool send_encoded_event(std::string_view name, const ByteVector& packet);

  bool registered(std::string_view event) const { return registered_.contains(event); }
  /// A command waits for its answer.
  bool busy() const { return busy_; }
  /// More input should be read now. A little is taken even while busy, so that a client's leaving is noticed.
  bool wants_input() const { return !broken_ && (!busy_ || stream_.buffered() < kReadAhead); }
  /// Bytes queued and not yet taken by poll_transmit().
  std::size_t queued_bytes() const { return queued_bytes_; }

  std::optional<ByteVector> poll_transmit();
  std::optional<ServerEvent> poll_event();

 private:
  static constexpr std::size_t kReadAhead = 16 * 1024;

  void parse_buffered();
  void on_packet(Packet packet);
  void queue(ByteVector packet);
  void answer_registration(bool known);

  std::function<bool(std::string_view)> known_event_;
  std::set<std::string, std::less<>> registered_;
  std::deque<ByteVector> transmit_;
  std::deque<ServerEvent> events_;
  PacketStream stream_;
  std::size_t queued_bytes_ = 0;
  bool busy_ = false;
  bool broken_ = false;
};

}  // namespace sluice::vici
