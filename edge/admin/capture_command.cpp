#include "edge/admin/capture_command.hpp"

#include "base/text.hpp"
#include "edge/admin/arguments.hpp"

namespace sluice::edge {
namespace {

using vici::Message;

constexpr std::uint64_t kMostSeconds = 3600, kMostPackets = 1'000'000, kMostBytes = std::uint64_t{1} << 30;

std::optional<CapturePoint> point_named(std::string_view name) {
  for (std::size_t i = 0; i < kCapturePoints; ++i) {
    if (name_of(static_cast<CapturePoint>(i)) == name) return static_cast<CapturePoint>(i);
  }
  return std::nullopt;
}

/// "esp,l2tp"; nothing when one of them is no point.
std::optional<std::uint32_t> points_of(std::string_view text) {
  std::uint32_t out = 0;
  while (true) {
    const auto comma = text.find(',');
    const auto point = point_named(text.substr(0, comma));
    if (!point) return std::nullopt;
    out |= 1U << static_cast<unsigned>(*point);
    if (comma == std::string_view::npos) return out;
    text.remove_prefix(comma + 1);
  }
}

/// Reads a number between 1 and `most` into `out`; false when it is none.
template <class T>
bool read_limit(const Message& arguments, std::string_view name, std::uint64_t most, T& out) {
  if (!arguments.value(name)) return true;
  const auto number = arguments.number(name);
  if (!number || *number == 0 || *number > most) return false;
  out = T(static_cast<std::int64_t>(*number));
  return true;
}

/// The request, or what is wrong with it.
Result<CaptureRequest, std::string> request_of(const Message& arguments) {
  CaptureRequest out;
  out.session = arguments.get("session");
  if (out.session.empty()) {
    return Failure{std::string("argument 'session' is missing: a correlation id, a user, or an address")};
  }
  const auto points = points_of(arguments.get("points", "esp,l2tp,ppp"));
  if (!points) return Failure{std::string("'points' are some of esp,l2tp,ppp")};
  out.points = *points;
  const auto bad = [](const char* name, std::uint64_t most) {
    return Failure{"'" + std::string(name) + "' is a number from 1 to " + std::to_string(most)};
  };
  if (!read_limit(arguments, "seconds", kMostSeconds, out.seconds)) return bad("seconds", kMostSeconds);
  if (!read_limit(arguments, "packets", kMostPackets, out.packets)) return bad("packets", kMostPackets);
  if (!read_limit(arguments, "bytes", kMostBytes, out.bytes)) return bad("bytes", kMostBytes);
  return out;
}

std::string_view word_of(CaptureEnd end) {
  switch (end) {
    case CaptureEnd::kSeconds:
      return "seconds";
    case CaptureEnd::kPackets:
      return "packets";
    case CaptureEnd::kBytes:
      return "bytes";
    case CaptureEnd::kStopping:
      return "stopping";
  }
  return "?";
}

}  // namespace

void add_capture_command(vici::Server& server, BeginCapture begin) {
  server.live_command(
      "capture", "capture-packet",
      [begin = std::move(begin)](const vici::Request& request, std::shared_ptr<vici::Server::Live> live) {
        if (const auto bad =
                unknown_argument(request.arguments, {"session", "points", "seconds", "packets", "bytes"})) {
          return live->finish(*bad);
        }
        const auto wanted = request_of(request.arguments);
        if (!wanted) return live->finish(refusal(wanted.error()));
        if (const auto fault = begin(*wanted, request.peer, live)) live->finish(refusal(*fault));
      });
}

Message capture_packet(const CapturedPacket& packet, const std::string& correlation, std::uint64_t dropped) {
  Message out;
  out.add("point", name_of(packet.point)).add("from-client", packet.from_client).add("time-ns", packet.time);
  if (!correlation.empty()) out.add("correlation", correlation);
  if (dropped > 0) out.add("dropped", dropped);
  out.add_bytes("data", packet.bytes);
  return out;
}

Message capture_answer(const CaptureTotals& totals, CaptureEnd end) {
  Message out;
  out.add("success", true).add("ended-by", word_of(end));
  out.add("packets", totals.packets).add("bytes", totals.bytes);
  for (std::size_t i = 0; i < kCapturePoints; ++i) {
    out.open(name_of(static_cast<CapturePoint>(i)))
        .add("packets", totals.taken[i])
        .add("dropped", totals.dropped[i]);
  }
  return out;
}

}  // namespace sluice::edge
