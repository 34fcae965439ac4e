#pragma once
// One L2TP handshake with an agent, as a client would dial it, and its clean end. No I/O, no clock.

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ids.hpp"
#include "base/random.hpp"
#include "base/time.hpp"
#include "l2tp/lac.hpp"

namespace sluice::edge {

/// start(), then drain poll_transmit() after each call until result() is there.
class L2tpProbe {
 public:
  struct Result {
    bool passed = false;
    std::string text;  ///< on failure: at which step, and what the agent said of it; printable
  };

  /// `local` is our tunnel id; `random` outlives the probe.
  L2tpProbe(TunnelId local, const std::string& host_name, RandomSource& random);

  void start(Instant now);
  void on_packet(Bytes packet, Instant now);
  void on_timeout(Instant now);
  std::optional<Instant> next_timeout() const { return tunnel_.next_timeout(); }
  std::optional<ByteVector> poll_transmit() { return tunnel_.poll_transmit(); }
  /// Ends the probe as failed at the step where it is.
  void give_up();

  const std::optional<Result>& result() const { return result_; }

 private:
  enum class Step : std::uint8_t { kTunnel, kCall, kConnected, kClosing };
  void follow(Instant now);
  void take(const l2tp::Event& event, Instant now);
  void fail(std::string text);

  l2tp::LacTunnel tunnel_;
  Step step_ = Step::kTunnel;
  std::optional<SessionId> session_;
  std::optional<Result> result_;
};

}  // namespace sluice::edge
