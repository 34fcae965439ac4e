#include "edge/app/capturing.hpp"

#include <algorithm>

#include "base/app/log.hpp"
#include "base/text.hpp"

namespace sluice::edge {
namespace {

using app::LogField;

// How often taps are emptied: they hold what a client sends in that time, at several Gbit/s.
constexpr auto kLook = std::chrono::milliseconds(10);

}  // namespace

std::optional<std::string> Capturing::begin(const CaptureRequest& request, const vici::PeerCredentials& who,
                                            std::shared_ptr<vici::Server::Live> live) {
  if (running_.size() >= kMaxAtOnce) {
    return std::to_string(kMaxAtOnce) + " captures are running; end one of them first";
  }
  auto filter = capture_filter(request.session, context_.peers, context_.relays);
  if (!filter) {
    return "no session has the correlation id or user '" + escaped(request.session) +
           "'; a client that has yet to dial is named by its public address";
  }
  app::log_info("operations.capture-started", "capture started",
                {LogField("session", request.session), LogField("peers", filter->peers.size()),
                 LogField("uid", who.uid), LogField("pid", who.pid)});
  Running capture{.id = next_id_++,
                  .request = request,
                  .live = std::move(live),
                  .taps = {},
                  .until = context_.now() + request.seconds,
                  .totals = {}};
  const CaptureTapConfig config{.id = capture.id,
                                .filter = std::move(*filter),
                                .points = request.points,
                                .clock = context_.unix_time() - context_.now().time_since_epoch()};
  for (std::uint32_t worker = 0; worker <= context_.workers; ++worker) {
    capture.taps.push_back(std::make_shared<CaptureTap>(config));
    if (worker < context_.workers) context_.post(worker, StartCapture{capture.taps.back()});
  }
  running_.push_back(std::move(capture));
  if (running_.size() == 1) schedule();
  return std::nullopt;
}

void Capturing::ike_out(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) {
  for (const auto& capture : running_) {
    auto& tap = *capture.taps.back();
    if (!tap.fits(remote)) continue;
    tap.outer({local, remote, false, {}}, marker ? CaptureTap::Outer::kUdpMarked : CaptureTap::Outer::kUdp,
              datagram, context_.now());
  }
}

void Capturing::schedule() {
  timer_.expires_after(kLook);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) look();
  });
}

void Capturing::look() {
  // An answer lets its client ask for the next capture at once, so those that are over leave the list first.
  std::vector<std::pair<Running, CaptureEnd>> ended;
  std::erase_if(running_, [&](Running& capture) {
    const auto why = drain(capture);
    if (why) ended.emplace_back(std::move(capture), *why);
    return why.has_value();
  });
  for (auto& [capture, why] : ended) end(capture, why);
  if (!running_.empty()) schedule();
}

std::optional<CaptureEnd> Capturing::drain(Running& capture) {
  // Before the taps are read, so that nothing of the time wanted is left in them.
  const bool over = context_.now() >= capture.until;
  std::vector<CapturedPacket> packets;
  for (const auto& tap : capture.taps) {
    while (auto packet = tap->next()) packets.push_back(std::move(*packet));
  }
  std::ranges::stable_sort(packets, {}, &CapturedPacket::time);
  for (const auto& packet : packets) {
    if (capture.totals.bytes + packet.bytes.size() > capture.request.bytes) return CaptureEnd::kBytes;
    give(capture, packet);
    if (capture.totals.packets == capture.request.packets) return CaptureEnd::kPackets;
  }
  if (over) return CaptureEnd::kSeconds;
  // Whoever left gets no answer; the reason is nobody's.
  return capture.live->open() ? std::nullopt : std::optional(CaptureEnd::kStopping);
}

void Capturing::give(Running& capture, const CapturedPacket& packet) {
  const auto point = static_cast<std::size_t>(packet.point);
  const auto* peer = packet.peer ? context_.peers.find(packet.peer) : nullptr;
  if (!capture.live->send(capture_packet(packet, peer == nullptr ? "" : peer->correlation_id,
                                         dropped(capture, packet.point)))) {
    ++capture.unread[point];
    return;
  }
  ++capture.totals.packets;
  ++capture.totals.taken[point];
  capture.totals.bytes += packet.bytes.size();
}

std::uint64_t Capturing::dropped(const Running& capture, CapturePoint point) {
  auto sum = capture.unread[static_cast<std::size_t>(point)];
  for (const auto& tap : capture.taps) sum += tap->dropped(point);
  return sum;
}

void Capturing::end(Running& capture, CaptureEnd why) {
  for (std::uint32_t worker = 0; worker < context_.workers; ++worker) {
    context_.post(worker, StopCapture{capture.id});
  }
  for (std::size_t i = 0; i < kCapturePoints; ++i) {
    capture.totals.dropped[i] = dropped(capture, static_cast<CapturePoint>(i));
  }
  capture.live->finish(capture_answer(capture.totals, why));
  app::log_info("operations.capture-ended", "capture ended",
                {LogField("session", capture.request.session), LogField("packets", capture.totals.packets),
                 LogField("bytes", capture.totals.bytes)});
}

void Capturing::stop() {
  timer_.cancel();
  auto captures = std::exchange(running_, {});
  for (auto& capture : captures) end(capture, CaptureEnd::kStopping);
}

}  // namespace sluice::edge
