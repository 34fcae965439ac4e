#pragma once
// A client without sockets: L2TP's LAC and PPP's client end joined, talking to an Lns through its interface.

#include <memory>
#include <string>
#include <vector>

#include "backend-agent/lns/lns.hpp"
#include "l2tp/lac.hpp"
#include "tests/unit/ppp/link.hpp"

namespace sluice::agent::test {

struct Dialler {
  Dialler(TunnelKey tunnel_key, RandomSource& source, std::string user = "alice",
          std::string_view password = "secret")
      : key(tunnel_key), random(source), l2tp(lac_config(), source) {
    auto made = ppp::test::client_config(std::move(user), password);
    config = std::make_shared<const ppp::PppConfig>(std::move(made));
  }
  static l2tp::TunnelConfig lac_config() {
    l2tp::TunnelConfig out;
    out.local_tunnel = TunnelId(77);
    out.host_name = "client";
    return out;
  }

  /// Everything there is to send, as L2TP packets.
  std::vector<ByteVector> drain(Instant now) {
    std::vector<ByteVector> out;
    for (bool more = true; more;) {
      more = false;
      while (auto event = l2tp.poll_event()) {
        more = true;
        if (std::holds_alternative<l2tp::TunnelUp>(*event)) l2tp.open_session(now);
        if (const auto* opened = std::get_if<l2tp::SessionUp>(&*event)) {
          session = opened->local;
          ppp = std::make_unique<ppp::PppSession>(config, random, drops);
          ppp->start(now);
        }
        if (const auto* ended = std::get_if<l2tp::SessionDown>(&*event)) cdn = describe(ended->cause);
        if (const auto* over = std::get_if<l2tp::TunnelDown>(&*event)) stop = describe(over->cause);
      }
      while (auto packet = l2tp.poll_transmit()) {
        more = true;
        out.push_back(std::move(*packet));
      }
      while (ppp) {
        auto frame = ppp->poll_transmit();
        if (!frame) break;
        more = true;
        if (auto packet = packed(*frame)) out.push_back(std::move(*packet));
      }
      while (ppp) {
        auto event = ppp->poll_event();
        if (!event) break;
        more = true;
        if (const auto* got = std::get_if<ppp::Up>(&*event)) up = *got;
        if (const auto* lost = std::get_if<ppp::Down>(&*event)) down = *lost;
        if (const auto* says = std::get_if<ppp::PeerSays>(&*event)) said.push_back(says->text);
      }
    }
    return out;
  }
  std::optional<ByteVector> packed(Bytes frame) {
    ByteVector buffer(l2tp::kDataHeadroom + frame.size());
    std::copy(frame.begin(), frame.end(), buffer.begin() + l2tp::kDataHeadroom);
    const auto packet = l2tp.frame_data(session, buffer, l2tp::kDataHeadroom);
    if (!packet) return std::nullopt;
    return ByteVector(packet->begin(), packet->end());
  }
  /// An IP packet as an L2TP packet.
  ByteVector ip(const ByteVector& packet) {
    ByteVector buffer(16 + packet.size());
    std::copy(packet.begin(), packet.end(), buffer.begin() + 16);
    return packed(ppp->frame_ip(buffer, 16, packet.size())).value_or(ByteVector{});
  }
  /// One packet from the server; the IP packet in it, if any.
  ByteVector take(Bytes packet, Instant now) {
    const ByteVector copy(packet.begin(), packet.end());
    const auto received = l2tp.on_datagram(copy, now);
    if (!received.is_data() || !ppp) return {};
    ByteVector frame(received.ppp.begin(), received.ppp.end());
    const auto ip = ppp->on_frame(frame, now);
    return {ip.begin(), ip.end()};
  }
  std::optional<Instant> next_timeout() const {
    auto next = l2tp.next_timeout();
    const auto other = ppp ? ppp->next_timeout() : std::nullopt;
    if (other && (!next || *other < *next)) next = other;
    return next;
  }
  void on_timeout(Instant now) {
    l2tp.on_timeout(now);
    if (ppp) ppp->on_timeout(now);
  }

  TunnelKey key;
  RandomSource& random;
  std::shared_ptr<const ppp::PppConfig> config;
  ppp::Drops drops;
  l2tp::LacTunnel l2tp;
  SessionId session;
  std::unique_ptr<ppp::PppSession> ppp;
  std::optional<ppp::Up> up;
  std::optional<ppp::Down> down;
  std::string cdn, stop;
  std::vector<std::string> said;  ///< by the server, in LCP
};

inline ByteVector ipv4(const IpAddress& from, const IpAddress& to, std::size_t size = 60) {
  ByteVector out(size, 0x5a);
  out[0] = 0x45;
  store_be16(out.data() + 2, static_cast<std::uint16_t>(size));
  store_be16(out.data() + 6, 0);
  out[9] = 17;
  store_be32(out.data() + 12, from.to_v4());
  store_be32(out.data() + 16, to.to_v4());
  return out;
}

inline ByteVector ipv6(const char* from, const char* to, std::size_t size = 80) {
  ByteVector out(size, 0x5a);
  out[0] = 0x60;
  store_be16(out.data() + 4, static_cast<std::uint16_t>(size - 40));
  out[6] = 59;  // nothing follows
  out[7] = 64;
  const auto source = *IpAddress::parse(from), destination = *IpAddress::parse(to);
  std::copy(source.bytes().begin(), source.bytes().end(), out.begin() + 8);
  std::copy(destination.bytes().begin(), destination.bytes().end(), out.begin() + 24);
  return out;
}

}  // namespace sluice::agent::test
