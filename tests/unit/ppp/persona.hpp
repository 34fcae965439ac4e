#pragma once
// Clients as data: what each operating system's PPP asks for, which proof it gives, what it sends besides.
// The engine that plays them shares no code with the session under test beyond MS-CHAPv2's arithmetic and the
// IP helpers.

#include <botan/hash.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "ppp/link_services.hpp"
#include "ppp/mschap.hpp"
#include "ppp/router_advert.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::ppp::test {

struct Persona {
  std::string_view name;
  std::string_view lcp;   ///< options of its Configure-Request; "magic" stands for six octets of magic number
  std::string_view ipcp;  ///< likewise; may begin with 0.0.0.0
  std::string_view ccp = {};  ///< empty: it does not try compression
  bool ipv6 = false;
  bool acsp = false;                  ///< Apple's 0x8235
  std::vector<AuthMethod> auth = {};  ///< it agrees to, the one it wants first
  std::vector<std::string_view> identification = {};
  bool asks_dhcp = false;
  bool parallel = true;    ///< all network protocols at once, else IPCP first
  bool compresses = true;  ///< PFC and ACFC in its data, once agreed
  Duration echo{};         ///< 0: it sends none
  std::string_view farewell = {};
};

/// Published behaviour for Windows, macOS, iOS and Android; pppd's documented defaults for the rest.
inline const std::vector<Persona>& personas() {
  using enum AuthMethod;
  using std::chrono::seconds;
  static const std::vector<Persona> all = {
      {.name = "Windows",
       .lcp = "01040578 magic 0702 0802 0d0306 110406 4e 130b05 0102030405060708",
       .ipcp = "0306 00000000 8106 00000000 8206 00000000 8306 00000000 8406 00000000 0206 002d 0f01",
       .ccp = "1206 01000001",
       .ipv6 = true,
       .auth = {kMsChapV2},
       .identification = {"MSRASV5.20", "MSRAS-0-DESKTOP-4711"},
       .asks_dhcp = true,
       .farewell = std::string_view("\x3c\xcd\x74\x00", 4)},
      {.name = "Apple",
       .lcp = "0206 00000000 magic 0702 0802",
       .ipcp = "0306 00000000 8106 00000000 8306 00000000 0206 002d 0f01",
       .ccp = "1503 2f 1206 00000040",
       .ipv6 = true,
       .acsp = true,
       .auth = {kMsChapV2, kChapMd5, kPap},
       .farewell = "User request"},
      {.name = "Android",
       .lcp = "0206 00000000 magic 0702 0802",
       .ipcp = "0306 00000000 8106 00000000 8306 00000000 0206 002d 0f01",
       .auth = {kChapMd5, kMsChapV2, kPap},
       .farewell = "User request"},
      {.name = "ChromeOS",
       .lcp = "01040578 0206 00000000 magic 0702 0802",
       .ipcp = "0206 002d 0f01 0306 00000000 8106 00000000 8306 00000000",
       .auth = {kMsChapV2},
       .echo = seconds(30),
       .farewell = "User request"},
      {.name = "xl2tpd",
       .lcp = "01040582 0206 00000000 magic 0702 0802",
       .ipcp = "0206 002d 0f01 0306 00000000 8106 00000000 8306 00000000",
       .ccp = "1a04 7800 1804 7800 1503 2f",
       .ipv6 = true,
       .auth = {kMsChapV2, kChapMd5, kPap},
       .echo = seconds(20),
       .farewell = "User request"},
      {.name = "kl2tpd",
       .lcp = "0206 00000000 magic",
       .ipcp = "0306 00000000",
       .ipv6 = true,
       .auth = {kPap},
       .parallel = false,
       .compresses = false},
  };
  return all;
}

/// Plays one dial of one persona.
class PersonaClient {
 public:
  PersonaClient(const Persona& persona, RandomSource& random, Instant now)
      : persona_(persona), random_(random) {
    lcp_.options = options_of(persona.lcp);
    ask(lcp_, now);
  }

  bool lcp_open() const { return lcp_.open(); }
  bool up() const { return ipcp_.open() && (!persona_.ipv6 || ipv6cp_.open()) && authenticated; }
  IpAddress address() const {
    const auto found =
        std::find_if(ipcp_.options.begin(), ipcp_.options.end(), [](const auto& o) { return o[0] == 3; });
    return found == ipcp_.options.end() ? IpAddress{} : IpAddress::v4(load_be32(found->data() + 2));
  }
  std::uint64_t interface_id() const {
    return ipv6cp_.options.empty() ? 0 : load_be64(ipv6cp_.options[0].data() + 2);
  }
  /// Whether LCP, in the end, asks for this option.
  bool asks_lcp(std::uint8_t type) const { return asks(lcp_, type); }
  bool asks_ipcp(std::uint8_t type) const { return asks(ipcp_, type); }

  std::optional<ByteVector> poll_transmit() { return out_.pop(); }
  void on_frame(const ByteVector& frame, Instant now) {
    std::size_t at = frame.size() > 1 && frame[0] == 0xff && frame[1] == 3 ? 2 : 0;
    if (frame.size() < at + 2 || over) return;
    Protocol protocol = frame[at++];
    if ((protocol & 1) == 0) protocol = static_cast<Protocol>(protocol << 8 | frame[at++]);
    const Bytes payload = Bytes(frame).subspan(at);
    if (protocol == kIpv4 || protocol == kIpv6) {
      ip_received.emplace_back(payload.begin(), payload.end());
      return;
    }
    const auto packet = parse_cp_packet(payload);
    if (!packet) return;
    if (protocol == kLcp) return on_control(lcp_, *packet, now);
    if (!lcp_.open()) return;
    if (protocol == kPapProtocol || protocol == kChapProtocol) return on_auth(protocol, *packet, now);
    if (!authenticated) return;
    if (protocol == kIpcp) return on_control(ipcp_, *packet, now);
    if (protocol == kIpv6cp && persona_.ipv6) return on_control(ipv6cp_, *packet, now);
    ByteVector echo{static_cast<std::uint8_t>(protocol >> 8), static_cast<std::uint8_t>(protocol)};
    echo.insert(echo.end(), payload.begin(), payload.end());
    send(kLcp, 8, ++id_, echo);
  }

  std::optional<Instant> next_timeout() const {
    std::optional<Instant> best;
    for (const auto* cp : {&lcp_, &ipcp_, &ipv6cp_, &ccp_, &acsp_}) {
      if (cp->timer && (!best || *cp->timer < *best)) best = cp->timer;
    }
    for (const auto& at : {pap_timer_, echo_timer_}) {
      if (at && (!best || *at < *best)) best = at;
    }
    return over ? std::nullopt : best;
  }
  void on_timeout(Instant now) {
    for (auto* cp : {&lcp_, &ipcp_, &ipv6cp_, &ccp_, &acsp_}) {
      if (!cp->timer || *cp->timer > now) continue;
      cp->timer.reset();
      if (cp->tries == 0) {
        over |= cp == &lcp_ || cp == &ipcp_;
        continue;
      }
      repeat(*cp, now);
    }
    if (pap_timer_ && *pap_timer_ <= now) prove_by_pap(now);
    if (echo_timer_ && *echo_timer_ <= now) {
      send(kLcp, 9, ++id_, ByteVector{0, 0, 0, 0});
      echo_timer_ = now + persona_.echo;
    }
  }
  void send_ip(Bytes packet) {
    const bool v6 = packet[0] >> 4 == 6;
    const bool small = persona_.compresses && lcp_.peer_acked && asks_lcp(7) && asks_lcp(8);
    ByteVector frame;
    if (!small) frame = {0xff, 0x03, 0x00};
    frame.push_back(static_cast<std::uint8_t>(v6 ? kIpv6 : kIpv4));
    frame.insert(frame.end(), packet.begin(), packet.end());
    out_.push(std::move(frame));
  }
  void hang_up() { send(kLcp, 5, ++id_, as_bytes(persona_.farewell)); }

  bool authenticated = false, refused = false, over = false, terminated = false;
  AuthMethod proven_by = AuthMethod::kNone;
  std::set<Protocol> rejected;  ///< by the server
  std::vector<ByteVector> ip_received;

 private:
  struct Cp {
    Protocol protocol = 0;
    std::vector<ByteVector> options{};
    std::uint8_t id = 0;
    bool acked = false, peer_acked = false;  ///< ours by the server, the server's by us
    bool dead = false;
    unsigned tries = 0;
    std::optional<Instant> timer{};
    bool open() const { return acked && peer_acked && !dead; }
  };
  static bool asks(const Cp& cp, std::uint8_t type) {
    return std::any_of(cp.options.begin(), cp.options.end(), [type](const auto& o) { return o[0] == type; });
  }

  std::vector<ByteVector> options_of(std::string_view text) {
    std::string hex;
    for (std::size_t at = 0; at < text.size();) {
      if (text.substr(at).starts_with("magic")) {
        ByteVector magic{5, 6, 1, 0, 0, 0};
        random_.fill(MutableBytes(magic).subspan(3));
        hex += to_hex(magic);
        at += 5;
      } else if (text[at++] != ' ') {
        hex += text[at - 1];
      }
    }
    const ByteVector bytes = from_hex(hex).value();
    std::vector<ByteVector> out;
    for (std::size_t at = 0; at < bytes.size(); at += bytes[at + 1]) {
      const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at);
      out.emplace_back(begin, begin + bytes[at + 1]);
    }
    return out;
  }

  void send(Protocol protocol, std::uint8_t code, std::uint8_t id, Bytes body) {
    out_.push(control_frame(protocol, code, id, body));
  }
  void ask(Cp& cp, Instant now) {
    cp.id = ++id_;
    cp.acked = false;
    cp.tries = 10;
    repeat(cp, now);
  }
  void repeat(Cp& cp, Instant now) {
    if (cp.tries > 0) --cp.tries;
    cp.timer = now + std::chrono::seconds(3);
    ByteVector body;
    for (const auto& option : cp.options) body.insert(body.end(), option.begin(), option.end());
    send(cp.protocol, 1, cp.id, body);
  }

  void on_control(Cp& cp, const CpPacket& packet, Instant now) {
    const bool was_open = cp.open();
    switch (packet.code) {
      case 1:
        if (was_open) ask(cp, now);
        on_request(cp, packet);
        break;
      case 2:
        if (packet.id != cp.id) return;
        cp.acked = true;
        cp.timer.reset();
        break;
      case 3:
      case 4:
        if (packet.id != cp.id || cp.acked) return;
        on_refusal(cp, packet);
        ask(cp, now);
        break;
      case 5:
        send(cp.protocol, 6, packet.id, {});
        over |= cp.protocol == kLcp;
        return;
      case 6:
        terminated = over = true;
        return;
      case 8:
        on_protocol_reject(load_be16(packet.body.data()));
        return;
      case 9:
        send(kLcp, 10, packet.id, packet.body);
        return;
      default:
        return;
    }
    if (cp.open() && !was_open) opened(cp, now);
  }

  /// The server's Configure-Request. All is well but proofs that it does not give.
  void on_request(Cp& cp, const CpPacket& packet) {
    CpOptionReader reader(packet.body);
    while (const auto option = reader.next()) {
      if (cp.protocol != kLcp || option->type != 3) continue;
      bool fits = false;
      for (const AuthMethod method : persona_.auth) {
        if (!equal(option->value, value_of(method))) continue;
        fits = true;
        agreed_ = method;
      }
      if (fits) continue;
      const ByteVector wanted = value_of(persona_.auth.front());
      ByteVector nak{3, static_cast<std::uint8_t>(2 + wanted.size())};
      nak.insert(nak.end(), wanted.begin(), wanted.end());
      cp.peer_acked = false;
      return send(kLcp, 3, packet.id, nak);
    }
    cp.peer_acked = true;
    send(cp.protocol, 2, packet.id, packet.body);
  }
  static ByteVector value_of(AuthMethod method) {
    if (method == AuthMethod::kPap) return {0xc0, 0x23};
    return {0xc2, 0x23, static_cast<std::uint8_t>(method == AuthMethod::kChapMd5 ? 5 : 0x81)};
  }
  void on_refusal(Cp& cp, const CpPacket& packet) {
    CpOptionReader reader(packet.body);
    while (const auto option = reader.next()) {
      const auto same = [&](const ByteVector& o) { return o[0] == option->type; };
      if (packet.code == 4) {
        std::erase_if(cp.options, same);
        continue;
      }
      const auto found = std::find_if(cp.options.begin(), cp.options.end(), same);
      if (found != cp.options.end()) found->assign(option->whole.begin(), option->whole.end());
    }
  }
  void on_protocol_reject(Protocol protocol) {
    rejected.insert(protocol);
    for (auto* cp : {&ipcp_, &ipv6cp_, &ccp_, &acsp_}) {
      if (cp->protocol != protocol) continue;
      cp->dead = true;
      cp->timer.reset();
    }
  }

  void opened(Cp& cp, Instant now) {
    if (cp.protocol == kIpcp && !persona_.parallel) start_others(now);
    if (cp.protocol != kLcp) return;
    authenticated = false;
    for (const auto text : persona_.identification) {
      ByteVector body{1, 2, 3, 4};
      body.insert(body.end(), text.begin(), text.end());
      send(kLcp, 12, ++id_, body);
    }
    if (persona_.echo > Duration::zero()) echo_timer_ = now + persona_.echo;
    pap_tries_ = 10;
    if (agreed_ == AuthMethod::kPap) prove_by_pap(now);
  }

  void prove_by_pap(Instant now) {
    pap_timer_.reset();
    if (pap_tries_-- == 0) {
      over = true;
      return;
    }
    send(kPapProtocol, 1, 1, ByteVector{5, 'a', 'l', 'i', 'c', 'e', 6, 's', 'e', 'c', 'r', 'e', 't'});
    pap_timer_ = now + std::chrono::seconds(3);
  }
  void on_auth(Protocol protocol, const CpPacket& packet, Instant now) {
    if (protocol == kPapProtocol) {
      if (packet.code == 2 && agreed_ == AuthMethod::kPap) proven(now);
      if (packet.code == 3) refused = over = true;
      return;
    }
    if (packet.code == 1) return answer(packet);
    if (packet.code == 3 && !authenticated) proven(now);
    if (packet.code == 4) refused = over = true;
  }
  void answer(const CpPacket& packet) {
    const Bytes value = packet.body.subspan(1, packet.body[0]);
    const std::string_view name = "alice";
    const bool ms = agreed_ == AuthMethod::kMsChapV2;
    ByteVector body((ms ? 50 : 17) + name.size());
    ByteWriter out(body);
    if (ms) {
      MsChallenge server{}, peer{};
      std::copy_n(value.begin(), std::min(value.size(), server.size()), server.begin());
      random_.fill(peer);
      out.u8(49);
      out.bytes(peer);
      out.zeros(8);
      out.bytes(nt_response(server, peer, name, *nt_hash("secret")));
      out.u8(0);
    } else {
      out.u8(16);
      out.bytes(md5_of(packet.id, value));
    }
    out.bytes(as_bytes(name));
    send(kChapProtocol, 2, packet.id, body);
  }
  static std::array<std::uint8_t, 16> md5_of(std::uint8_t id, Bytes challenge) {
    const auto hash = Botan::HashFunction::create_or_throw("MD5");
    hash->update(id);
    hash->update("secret");
    hash->update(challenge.data(), challenge.size());
    std::array<std::uint8_t, 16> out;
    hash->final(out.data());
    return out;
  }
  void proven(Instant now) {
    pap_timer_.reset();
    if (std::exchange(authenticated, true)) return;
    proven_by = agreed_;
    if (ipcp_.options.empty()) ipcp_.options = options_of(persona_.ipcp);
    ask(ipcp_, now);
    if (persona_.parallel) start_others(now);
  }
  void start_others(Instant now) {
    if (!persona_.ccp.empty()) {
      ccp_.options = options_of(persona_.ccp);
      ask(ccp_, now);
    }
    if (persona_.acsp) ask(acsp_, now);
    if (!persona_.ipv6) return;
    if (ipv6cp_.options.empty()) {
      ByteVector option{1, 10, 2, 0, 0, 0, 0, 0, 0, 0};
      random_.fill(MutableBytes(option).subspan(3));
      ipv6cp_.options = {option};
    }
    ask(ipv6cp_, now);
  }

  const Persona& persona_;
  RandomSource& random_;
  Fifo<ByteVector> out_;
  std::uint8_t id_ = 0;
  Cp lcp_{.protocol = kLcp}, ipcp_{.protocol = kIpcp}, ipv6cp_{.protocol = kIpv6cp}, ccp_{.protocol = kCcp},
      acsp_{.protocol = 0x8235};
  AuthMethod agreed_ = AuthMethod::kNone;
  unsigned pap_tries_ = 0;
  std::optional<Instant> pap_timer_, echo_timer_;
};

}  // namespace sluice::ppp::test
