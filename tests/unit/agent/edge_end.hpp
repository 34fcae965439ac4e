#pragma once
// An edge's end of the data carrier, for tests of the agent's.

#include <stdexcept>
#include <string>
#include <vector>

#include "backend-agent/lns/messages.hpp"
#include "base/app/system_random.hpp"
#include "esp/engine.hpp"
#include "proto/channel/data_frame.hpp"
#include "proto/channel/data_keys.hpp"

namespace sluice::agent::test {

inline channel::PathKeys path_keys(std::uint32_t edge_worker, std::uint32_t spi, std::uint8_t seed) {
  channel::PathKeys out;
  out.path = {edge_worker, 0, Spi(spi), Spi(spi + 1)};
  out.to_edge = Secret(Bytes(ByteVector(channel::kDataKeyBytes, seed)));
  out.to_agent = Secret(Bytes(ByteVector(channel::kDataKeyBytes, static_cast<std::uint8_t>(seed + 1))));
  return out;
}
inline channel::PathKeys copy(const channel::PathKeys& keys) {
  return {keys.path, keys.to_edge.clone(), keys.to_agent.clone()};
}

class EdgeEnd {
 public:
  explicit EdgeEnd(const channel::PathKeys& keys) {
    auto made = esp::make_engine("botan", random_);
    if (!made) throw std::runtime_error(made.error());
    engine_ = std::move(made).value();
    auto in = engine_->make_inbound(channel::data_sa(keys.path.spi_to_edge, keys.to_edge));
    auto out = engine_->make_outbound(channel::data_sa(keys.path.spi_to_agent, keys.to_agent));
    if (!in || !out) throw std::runtime_error("no SA");
    in_ = std::move(in).value();
    out_ = std::move(out).value();
  }

  /// A frame as it goes over the wire.
  ByteVector seal(RelayId relay, Bytes l2tp) {
    constexpr std::size_t kRoom = 64;
    ByteVector buffer(2 * kRoom + 4 + l2tp.size());
    channel::put_relay_header(buffer.data() + kRoom, relay);
    std::copy(l2tp.begin(), l2tp.end(), buffer.begin() + kRoom + 4);
    esp::SealJob job;
    job.set(*out_, esp::PacketBuffer::within(buffer, kRoom, 4 + l2tp.size()), channel::kNextHeaderRelay);
    engine_->seal({&job, 1});
    if (!job.ok()) throw std::runtime_error("not sealed");
    return {job.packet.bytes().begin(), job.packet.bytes().end()};
  }
  struct Opened {
    RelayId relay;
    ByteVector l2tp;
  };
  std::optional<Opened> open(Bytes packet) {
    ByteVector buffer(packet.begin(), packet.end());
    esp::OpenJob job;
    job.set(*in_, esp::PacketBuffer::within(buffer, 0, buffer.size()));
    engine_->open({&job, 1});
    if (!job.ok()) return std::nullopt;
    const auto frame = channel::parse_data_frame(job.next_header, job.packet.mutable_bytes());
    if (!frame) return std::nullopt;
    return Opened{frame.value().relay, {frame.value().l2tp.begin(), frame.value().l2tp.end()}};
  }

 private:
  app::SystemRandom random_;
  std::unique_ptr<esp::Engine> engine_;
  esp::InboundSaPtr in_;
  esp::OutboundSaPtr out_;
};

}  // namespace sluice::agent::test
