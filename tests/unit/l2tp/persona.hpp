#pragma once
// Clients as data: what each operating system's dialler says, in which order, how long it waits, what it
// cannot stand. The engine that plays them shares no code with the tunnels under test beyond the codec.

#include <deque>
#include <string>
#include <vector>

#include "support.hpp"

namespace sluice::l2tp::test {

struct PersonaAvp {
  AvpType type;
  std::string_view
      hex;  ///< the value; "id" stands for the tunnel or session id in question, "serial" for a number
  std::string_view text = {};  ///< instead of hex
};

struct Persona {
  std::string_view name;
  std::vector<PersonaAvp> sccrq, icrq, iccn;
  std::uint16_t window = 4;         ///< control messages it takes at once
  std::vector<Duration> resend;     ///< waits after each transmission; then it gives up
  bool icrq_waits_for_ack = false;  ///< ICRQ only after SCCCN is acknowledged
  bool data_waits_for_ack = false;  ///< PPP only after ICCN is acknowledged
  bool acknowledges_hello = true;
  bool sends_sli = false;
  bool length_in_data = false;
  bool exact_length = false;    ///< drops control messages whose Length is not the datagram's size
  bool bears_challenge = true;  ///< else a Challenge in SCCRP ends the attempt
  Duration hello{};             ///< 0: never
};

/// INTEROP in data. Windows, macOS, iOS and Android by their published behaviour; xl2tpd and kl2tpd by their
/// sources' documented defaults.
inline const std::vector<Persona>& personas() {
  static const std::vector<Duration> kDoubling = {1s, 2s, 4s, 8s, 8s, 8s};
  static const std::vector<Duration> kEachSecond = {1s, 1s, 1s, 1s, 1s, 1s, 1s, 1s};
  static const std::vector<Duration> kEachTwoSeconds = {2s, 2s, 2s, 2s, 2s, 2s, 2s, 2s};
  using enum AvpType;
  static const std::vector<Persona> all = {
      {.name = "Windows",
       .sccrq = {{kProtocolVersion, "0100"},
                 {kFramingCapabilities, "00000001"},
                 {kBearerCapabilities, "00000000"},
                 {kFirmwareRevision, "0a00"},
                 {kHostName, "", "DESKTOP-4711"},
                 {kVendorName, "", "Microsoft"},
                 {kAssignedTunnelId, "id"},
                 {kReceiveWindowSize, "0008"}},
       .icrq = {{kAssignedSessionId, "id"}, {kCallSerialNumber, "serial"}, {kBearerType, "00000002"}},
       .iccn = {{kTxConnectSpeed, "3b9aca00"}, {kFramingType, "00000001"}, {kProxyAuthenType, "0004"}},
       .window = 8,
       .resend = kDoubling,
       .length_in_data = true,
       .hello = 60s},
      {.name = "Apple",
       .sccrq = {{kProtocolVersion, "0100"},
                 {kHostName, "", "MacBook-Pro.local"},
                 {kFramingCapabilities, "00000003"},
                 {kAssignedTunnelId, "id"},
                 {kReceiveWindowSize, "0004"}},
       .icrq = {{kAssignedSessionId, "id"}, {kCallSerialNumber, "serial"}},
       .iccn = {{kTxConnectSpeed, "000f4240"}, {kFramingType, "00000001"}},
       .resend = kEachSecond,
       .bears_challenge = false},
      {.name = "Android",
       .sccrq = {{kProtocolVersion, "0100"},
                 {kHostName, "", "anonymous"},
                 {kFramingCapabilities, "00000003"},
                 {kAssignedTunnelId, "id"},
                 {kReceiveWindowSize, "0001"}},
       .icrq = {{kAssignedSessionId, "id"}, {kCallSerialNumber, "serial"}},
       .iccn = {{kTxConnectSpeed, "05f5e100"}, {kFramingType, "00000003"}},
       .window = 1,
       .resend = kEachTwoSeconds,
       .icrq_waits_for_ack = true,
       .data_waits_for_ack = true,
       .acknowledges_hello = false,
       .exact_length = true},
      {.name = "ChromeOS",
       .sccrq = {{kProtocolVersion, "0100"},
                 {kFramingCapabilities, "00000003"},
                 {kBearerCapabilities, "00000000"},
                 {kFirmwareRevision, "0690"},
                 {kHostName, "", "localhost"},
                 {kVendorName, "", "xelerance.com"},
                 {kAssignedTunnelId, "id"},
                 {kReceiveWindowSize, "0004"}},
       .icrq = {{kAssignedSessionId, "id"}, {kCallSerialNumber, "serial"}, {kBearerType, "00000000"}},
       .iccn = {{kTxConnectSpeed, "3b9aca00"}, {kFramingType, "00000001"}, {kRxConnectSpeed, "3b9aca00"}},
       .resend = kEachSecond,
       .hello = 60s},
      {.name = "xl2tpd",
       .sccrq = {{kProtocolVersion, "0100"},
                 {kFramingCapabilities, "00000003"},
                 {kBearerCapabilities, "00000000"},
                 {kFirmwareRevision, "0690"},
                 {kHostName, "", "gateway"},
                 {kVendorName, "", "xelerance.com"},
                 {kAssignedTunnelId, "id"},
                 {kReceiveWindowSize, "0004"}},
       .icrq = {{kAssignedSessionId, "id"}, {kCallSerialNumber, "serial"}, {kBearerType, "00000000"}},
       .iccn = {{kTxConnectSpeed, "00989680"}, {kFramingType, "00000001"}, {kRxConnectSpeed, "00989680"}},
       .resend = {1s, 2s, 4s, 8s, 16s},
       .length_in_data = true,
       .hello = 60s},
      {.name = "kl2tpd",
       .sccrq = {{kProtocolVersion, "0100"},
                 {kHostName, "", "router"},
                 {kFramingCapabilities, "00000003"},
                 {kAssignedTunnelId, "id"}},
       .icrq = {{kAssignedSessionId, "id"}, {kCallSerialNumber, "serial"}},
       .iccn = {{kTxConnectSpeed, "00000000"}, {kFramingType, "00000003"}},
       .resend = {1s, 2s, 4s, 8s},
       .sends_sli = true},
  };
  return all;
}

/// Plays one dial of one persona.
class PersonaClient {
 public:
  enum class Stage { kSccrq, kIcrqWait, kIcrp, kUp, kClosing, kClosed, kFailed };

  PersonaClient(const Persona& persona, TunnelId id, Instant now)
      : persona_(persona), tunnel_(id), now_(now), heard_(now) {
    say(MessageType::kSccrq, persona.sccrq, id.value(), {});
  }

  void on_datagram(const ByteVector& packet, Instant now) {
    now_ = now;
    const auto header = parse_header(packet);
    if (!header || header->tunnel != tunnel_ || stage == Stage::kFailed) return;
    heard_ = now;
    if (!header->control) {
      if (header->session == session_ && stage == Stage::kUp) ++data_received;
      return;
    }
    if (persona_.exact_length && load_be16(packet.data() + 2) != packet.size()) {
      failure = "Length differs from the datagram";
      stage = Stage::kFailed;
      return;
    }
    acknowledged(header->nr);
    if (header->zlb()) return;
    const auto message = parse_message(header->payload);
    if (!message) {
      failure = "unreadable message";
      stage = Stage::kFailed;
      return;
    }
    const auto ahead = static_cast<std::int16_t>(header->ns - nr_);
    if (ahead > 0) return;  // none of them keeps what comes early
    const bool silent = message->is(MessageType::kHello) && !persona_.acknowledges_hello;
    owes_ack_ = owes_ack_ || !silent;
    if (ahead < 0) return;
    ++nr_;
    log.push_back(message_name(message->type_number()));
    take(*message, *header);
  }

  void on_timeout(Instant now) {
    now_ = now;
    if (!queue_.empty() && queue_.front().sent > 0 && now >= queue_.front().again) {
      if (queue_.front().sent >= persona_.resend.size()) {
        failure = "no acknowledgement";
        stage = Stage::kFailed;  // and says no more
        queue_.clear();
        return;
      }
      queue_.front().due = true;
    }
    if (stage == Stage::kUp && persona_.hello > Duration::zero() && now >= heard_ + persona_.hello &&
        queue_.empty()) {
      say(MessageType::kHello, {}, 0, {});
    }
  }
  std::optional<Instant> next_timeout() const {
    if (stage == Stage::kFailed || stage == Stage::kClosed) return std::nullopt;
    if (!queue_.empty()) return queue_.front().sent > 0 ? std::optional(queue_.front().again) : std::nullopt;
    if (stage == Stage::kUp && persona_.hello > Duration::zero()) return heard_ + persona_.hello;
    return std::nullopt;
  }

  std::optional<ByteVector> poll_transmit() {
    if (Outgoing* next = next_message()) {
      Outgoing& message = *next;
      message.due = false;
      message.again = now_ + persona_.resend[message.sent++];
      store_be16(message.packet.data() + 4, peer_.value());
      store_be16(message.packet.data() + 8, message.ns);
      store_be16(message.packet.data() + 10, nr_);
      owes_ack_ = false;
      return message.packet;
    }
    if (!outgoing_data_.empty() && (!persona_.data_waits_for_ack || iccn_acknowledged)) {
      auto packet = std::move(outgoing_data_.front());
      outgoing_data_.pop_front();
      return packet;
    }
    if (!owes_ack_) return std::nullopt;
    owes_ack_ = false;
    return make_zlb(peer_, ns_, nr_);
  }

  void send_data() {
    if (stage != Stage::kUp) return;
    ByteVector packet(32);
    ByteWriter out(packet);
    write_header({.has_length = persona_.length_in_data, .tunnel = peer_, .session = peer_session_}, 4, out);
    out.u32(0xff03c021);
    packet.resize(out.size());
    outgoing_data_.push_back(std::move(packet));
  }
  void hang_up() {
    if (stage != Stage::kUp) return;
    queue_.clear();
    MessageBuilder cdn(MessageType::kCdn), stop(MessageType::kStopCcn);
    cdn.result(3, 0, "").u16(AvpType::kAssignedSessionId, session_.value());
    stop.u16(AvpType::kAssignedTunnelId, tunnel_.value()).result(6, 0, "");
    push(cdn, peer_session_);
    push(stop, {});
    stage = Stage::kClosing;
  }

  Stage stage = Stage::kSccrq;
  std::string failure;
  std::vector<std::string> log;  ///< messages received, in order
  bool iccn_acknowledged = false;
  int data_received = 0;
  Instant scccn_sent{}, scccn_acknowledged{};

 private:
  struct Outgoing {
    ByteVector packet;
    std::uint16_t type, ns;
    std::size_t sent = 0;
    bool due = false;
    Instant again{};
  };

  Outgoing* next_message() {
    if (queue_.empty()) return nullptr;
    if (queue_.front().due) return &queue_.front();
    for (auto& message : queue_) {
      if (message.sent == 0) return &message;
      if (persona_.icrq_waits_for_ack) return nullptr;  // one at a time
    }
    return nullptr;
  }
  void say(MessageType type, const std::vector<PersonaAvp>& avps, std::uint16_t id, SessionId to) {
    MessageBuilder b(type);
    for (const auto& avp : avps) {
      if (avp.hex == "id") {
        b.u16(avp.type, id);
      } else if (avp.hex == "serial") {
        b.u32(avp.type, 1);
      } else if (!avp.text.empty()) {
        b.text(avp.type, avp.text);
      } else {
        b.bytes(avp.type, *from_hex(avp.hex));
      }
    }
    push(b, to);
  }
  void push(const MessageBuilder& b, SessionId to) {
    queue_.push_back({b.finish(peer_, to, ns_, nr_), b.type_number(), ns_});
    ++ns_;
  }
  void acknowledged(std::uint16_t nr) {
    while (!queue_.empty() && queue_.front().sent > 0 &&
           static_cast<std::int16_t>(nr - queue_.front().ns) > 0) {
      const auto type = static_cast<MessageType>(queue_.front().type);
      queue_.pop_front();
      if (type == MessageType::kScccn) {
        scccn_acknowledged = now_;
        if (stage == Stage::kIcrqWait) ask_for_call();
      }
      if (type == MessageType::kIccn) iccn_acknowledged = true;
      if (type == MessageType::kStopCcn) stage = Stage::kClosed;
    }
  }
  void ask_for_call() {
    stage = Stage::kIcrp;
    say(MessageType::kIcrq, persona_.icrq, session_.value(), {});
  }
  void take(const Message& message, const Header&) {
    switch (message.type()) {
      case MessageType::kSccrp:
        if (!persona_.bears_challenge && message.has(AvpType::kChallenge)) {
          failure = "SCCRP with a Challenge";
          stage = Stage::kFailed;
          return;
        }
        for (const auto wanted :
             {AvpType::kProtocolVersion, AvpType::kFramingCapabilities, AvpType::kHostName}) {
          if (!message.has(wanted))
            failure = "SCCRP lacks " + std::string(avp_info(static_cast<std::uint16_t>(wanted))->name);
        }
        peer_ = message.assigned_tunnel();
        scccn_sent = now_;
        stage = Stage::kIcrqWait;
        say(MessageType::kScccn, {}, 0, {});
        if (!persona_.icrq_waits_for_ack) ask_for_call();
        return;
      case MessageType::kIcrp:
        peer_session_ = message.assigned_session();
        say(MessageType::kIccn, persona_.iccn, 0, peer_session_);
        stage = Stage::kUp;
        if (persona_.sends_sli) {
          MessageBuilder sli(MessageType::kSli);
          push(sli.bytes(AvpType::kAccm, ByteVector{0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}),
               peer_session_);
        }
        return;
      case MessageType::kStopCcn:
        queue_.clear();
        stage = Stage::kClosed;
        return;
      default:
        return;
    }
  }

  const Persona& persona_;
  TunnelId tunnel_, peer_;
  SessionId session_{0x1111}, peer_session_;
  Instant now_, heard_;
  std::uint16_t ns_ = 0, nr_ = 0;
  bool owes_ack_ = false;
  std::deque<Outgoing> queue_;
  std::deque<ByteVector> outgoing_data_;
};

}  // namespace sluice::l2tp::test
