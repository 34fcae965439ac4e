#pragma once
// The operations socket's command `capture` (docs/operations-socket.md).

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "edge/capture/tap.hpp"
#include "vici/server.hpp"

namespace sluice::edge {

struct CaptureRequest {
  std::string session;       ///< a correlation id, a user, or an address
  std::uint32_t points = 0;  ///< a bit for each CapturePoint
  // Whichever comes first ends it.
  std::chrono::seconds seconds{30};
  std::uint64_t packets = 10'000;
  std::uint64_t bytes = 16 << 20;
};

/// Why a capture ended. One enumerator, one word on the socket.
enum class CaptureEnd : std::uint8_t { kSeconds, kPackets, kBytes, kStopping };

struct CaptureTotals {
  std::uint64_t packets = 0, bytes = 0;
  std::uint64_t taken[kCapturePoints] = {}, dropped[kCapturePoints] = {};
};

/// Begins one, whose packets go to `live`; else why not.
using BeginCapture =
    std::function<std::optional<std::string>(const CaptureRequest& request, const vici::PeerCredentials& who,
                                             std::shared_ptr<vici::Server::Live> live)>;

/// Adds `capture`. `begin` is called on the control thread.
void add_capture_command(vici::Server& server, BeginCapture begin);

/// One `capture-packet`. `correlation` is empty where it is not known.
vici::Message capture_packet(const CapturedPacket& packet, const std::string& correlation,
                             std::uint64_t dropped);
/// What ends the stream.
vici::Message capture_answer(const CaptureTotals& totals, CaptureEnd end);

}  // namespace sluice::edge
