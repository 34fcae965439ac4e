#pragma once
// One L2TP handshake with an agent, as a client would dial it, optionally PPP up to authentication, and its
// clean end. No I/O, no clock.

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "l2tp/lac.hpp"
#include "ppp/session.hpp"

namespace sluice::edge {

/// start(), then drain poll_transmit() after each call until result() is there.
class L2tpProbe {
 public:
  struct Result {
    bool passed = false;
    std::string text;  ///< on failure: at which step, and what the agent said of it; printable
  };

  /// `local` is our tunnel id; `random` outlives the probe. With `ppp` (of a client) it logs in, too.
  L2tpProbe(TunnelId local, const std::string& host_name, RandomSource& random,
            std::shared_ptr<const ppp::PppConfig> ppp = {});

  void start(Instant now);
  void on_packet(Bytes packet, Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const;
  std::optional<ByteVector> poll_transmit();
  /// Ends the probe as failed at the step where it is.
  void give_up();

  const std::optional<Result>& result() const { return result_; }

 private:
  enum class Step : std::uint8_t { kTunnel, kCall, kConnected, kLogin, kClosing };
  void follow(Instant now);
  void take(const l2tp::Event& event, Instant now);
  void follow_login(Instant now);
  void close(Instant now);
  void fail(std::string text);

  RandomSource& random_;
  l2tp::LacTunnel tunnel_;
  std::shared_ptr<const ppp::PppConfig> ppp_config_;
  ppp::Drops ppp_drops_;
  std::unique_ptr<ppp::PppSession> ppp_;
  Step step_ = Step::kTunnel;
  std::optional<SessionId> session_;
  std::optional<Result> result_;
};

}  // namespace sluice::edge
