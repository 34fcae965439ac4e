// By what data goes to the edges: the control thread's part.
#include "backend-agent/uplink/uplink.hpp"
#include "base/app/clock.hpp"
#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::LogField;

/// How long the TLS data link outlives its use: UDP may break again.
constexpr Duration kLinkLinger = std::chrono::seconds(10);

}  // namespace

void Uplink::on_carrier(const LaneCarrier& change) {
  const auto found = links_.find(change.channel);
  if (found == links_.end()) return;
  Link& link = found->second;
  const bool before = link.streaming > 0;
  if (change.stream) {
    ++link.streaming;
  } else if (link.streaming > 0) {
    --link.streaming;
  }
  const bool now = link.streaming > 0;
  if (now == before) return;
  app::log_warning(
      "channel.edge-carrier-changed", "data carrier changed",
      {LogField("edge", link.edge.peer.name), LogField("carrier", now ? "tls" : "udp"),
       LogField("cause", now ? "UDP brings nothing from the edge, or nothing to it" : "UDP works again"),
       LogField("dropped", frames_without_link_)});
  link.idle_since.reset();
  if (now) {
    link.dialer->want_data_link(true);
  } else {
    link.idle_since = app::now();
  }
}

void Uplink::tick(Instant now) {
  for (auto& [id, link] : links_) {
    if (!link.idle_since || now - *link.idle_since < kLinkLinger) continue;
    link.idle_since.reset();
    link.dialer->want_data_link(false);
  }
}

void Uplink::data_link(transport::ChannelDialer& dialer, bool up, const std::string& cause) {
  const auto id = channel_of(dialer);
  if (!id) return;
  Link& link = links_.at(*id);
  if (up) {
    app::log_info("channel.edge-data-link-up", "TLS data link up", {LogField("edge", link.edge.peer.name)});
  } else if (!link.data_link_failed) {
    // The same failure again and again is one line.
    app::log_warning("channel.edge-data-link-down", "TLS data link down",
                     {LogField("edge", link.edge.peer.name), LogField("cause", cause)});
  }
  link.data_link_failed = !up;
}

void Uplink::data_frames(transport::ChannelDialer&, Bytes records) {
  context_.give_frames(records);
}

void Uplink::send_frames(ChannelId channel, Bytes records, std::size_t frames) {
  auto* dialer = dialer_of(channel);
  if (dialer == nullptr || !dialer->send_frames(records, frames)) frames_without_link_ += frames;
}

}  // namespace sluice::agent
