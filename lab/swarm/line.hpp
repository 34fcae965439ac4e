#pragma once
// One client above IPsec: an L2TP tunnel with one call, and PPP in it. No I/O, no clock.

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "l2tp/lac.hpp"
#include "ppp/session.hpp"

namespace sluice::swarm {

enum class LineState : std::uint8_t {
  kTunnel,   ///< SCCRQ is on its way
  kCall,     ///< ICRQ is
  kPpp,      ///< the call is up
  kUp,       ///< IPv4 flows
  kClosing,  ///< CDN and StopCCN are on their way
  kOver,     ///< nothing more will come; cause() says why
};

/// start(), then drain poll_transmit() after each call.
class Line {
 public:
  /// Room for L2TP and PPP headers in front of an IP packet.
  static constexpr std::size_t kHeadroom = l2tp::kDataHeadroom + ppp::kMaxHeader;

  /// `random` and `drops` outlive the line. `config` is of the client's role.
  Line(TunnelId local, const std::string& host_name, std::shared_ptr<const ppp::PppConfig> config,
       RandomSource& random, ppp::Drops& drops);

  void start(Instant now);
  /// The IP packet that came in it, within `packet`; else empty.
  MutableBytes on_packet(MutableBytes packet, Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const;
  /// The next whole L2TP packet.
  std::optional<ByteVector> poll_transmit();
  /// The L2TP packet around the IP packet at buffer[kHeadroom, ...); nothing unless up.
  std::optional<MutableBytes> frame_ip(MutableBytes buffer);
  /// CDN and StopCCN; over once they are acknowledged, or nobody answers.
  void hang_up(Instant now);

  LineState state() const { return state_; }
  /// One short sentence, printable; empty while nothing is wrong.
  const std::string& cause() const { return cause_; }
  IpAddress address() const { return address_; }
  IpAddress gateway() const { return gateway_; }

 private:
  void follow(Instant now);
  void take(const l2tp::Event& event, Instant now);
  void take(const ppp::PppEvent& event, Instant now);
  void end(std::string cause);

  RandomSource& random_;
  ppp::Drops& drops_;
  std::shared_ptr<const ppp::PppConfig> config_;
  l2tp::LacTunnel tunnel_;
  std::unique_ptr<ppp::PppSession> ppp_;
  LineState state_ = LineState::kTunnel;
  SessionId session_;
  IpAddress address_, gateway_;
  std::string cause_;
};

}  // namespace sluice::swarm
