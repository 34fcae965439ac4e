#pragma once
// What the tests of esp/ share: repeatable randomness, keys, packets with room around them.

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

#include "base/random.hpp"
#include "esp/engine.hpp"

namespace sluice::esp {

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : generator_(seed) {}
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(generator_());
  }
  ByteVector bytes(std::size_t size) {
    ByteVector out(size);
    fill(out);
    return out;
  }
  std::size_t below(std::size_t bound) { return generator_() % bound; }

 private:
  std::mt19937_64 generator_;
};

inline std::unique_ptr<Engine> engine_named(std::string_view name, std::uint64_t seed = 1) {
  SeededRandom random(seed);
  auto engine = make_engine(name, random);
  if (!engine) throw std::runtime_error(engine.error());
  return std::move(engine).value();
}

/// Keys of one SA; they do not change with the engine.
struct Keys {
  ByteVector encryption, integrity;
  explicit Keys(const Suite& s, std::uint64_t seed = 7) {
    SeededRandom random(seed);
    encryption = random.bytes(s.keying_size());
    integrity = random.bytes(s.integrity_key_size);
  }
  SaParameters parameters(const Suite& s, bool esn = false) const {
    SaParameters p;
    p.spi = Spi(0x1234abcd);
    p.suite = &s;
    p.encryption_key = encryption;
    p.integrity_key = integrity;
    p.extended_sequence = esn;
    return p;
  }
};

inline InboundSaPtr inbound(Engine& engine, const SaParameters& p) {
  auto sa = engine.make_inbound(p);
  if (!sa) throw std::runtime_error(sa.error());
  return std::move(sa).value();
}
inline OutboundSaPtr outbound(Engine& engine, const SaParameters& p) {
  auto sa = engine.make_outbound(p);
  if (!sa) throw std::runtime_error(sa.error());
  return std::move(sa).value();
}

/// A packet in its own buffer, with exactly the room that sealing may need.
class Packet {
 public:
  explicit Packet(Bytes content, std::size_t head = kMaxHeadroom, std::size_t tail = kMaxTailroom)
      : storage_(head + content.size() + tail) {
    std::copy(content.begin(), content.end(), storage_.begin() + static_cast<std::ptrdiff_t>(head));
    view = PacketBuffer::within(storage_, head, content.size());
  }
  Packet(const Packet&) = delete;
  Packet& operator=(const Packet&) = delete;
  PacketBuffer view;

 private:
  ByteVector storage_;
};

inline constexpr std::uint8_t kUdp = 17;

/// A payload sealed alone; empty if it was refused.
inline ByteVector seal_one(Engine& engine, OutboundSa& sa, Bytes payload, std::uint8_t next_header = kUdp) {
  Packet packet(payload);
  SealJob job;
  job.set(sa, packet.view, next_header);
  engine.seal({&job, 1});
  if (!job.ok()) return {};
  return {job.packet.bytes().begin(), job.packet.bytes().end()};
}

struct Opened {
  DropReason result = DropReason::kNone;
  ByteVector payload;
  std::uint8_t next_header = 0;
  std::uint64_t sequence = 0;
  LimitEvent event = LimitEvent::kNone;
};
/// A packet opened alone, in a buffer of exactly its size.
inline Opened open_one(Engine& engine, InboundSa& sa, Bytes packet) {
  Packet whole(packet, 0, 0);
  OpenJob job;
  job.set(sa, whole.view);
  engine.open({&job, 1});
  Opened out{job.result, {}, job.next_header, job.sequence, job.event};
  if (job.ok()) out.payload.assign(job.packet.bytes().begin(), job.packet.bytes().end());
  return out;
}

inline std::string case_name(std::string_view text) {
  std::string out;
  for (const char c : text) out.push_back(std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_');
  return out;
}

}  // namespace sluice::esp
