// link: sluice_esp
// Arbitrary bytes as an ESP packet, with fixed keys, for every suite, through every engine, which must agree.
// Byte 0: suite; byte 1: bit 0 ESN, bit 1 the rest is the decrypted text of an authentic packet instead of a
// packet.
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/random.hpp"
#include "esp/engine.hpp"

namespace {

using namespace sluice;
using namespace sluice::esp;

class Zeros final : public RandomSource {
 public:
  void fill(MutableBytes out) override { std::fill(out.begin(), out.end(), std::uint8_t{0}); }
};

void require(bool condition) {
  if (!condition) std::abort();
}

std::vector<std::unique_ptr<Engine>>& engines() {
  static auto all = [] {
    std::vector<std::unique_ptr<Engine>> made;
    Zeros zeros;
    for (const auto name : engine_names()) {
      auto engine = make_engine(name, zeros);
      if (engine) made.push_back(std::move(engine).value());  // ipsec_mb may lack its processor
    }
    require(!made.empty());
    return made;
  }();
  return all;
}

SaParameters parameters(const Suite& s, bool esn) {
  static const ByteVector key(64, 0x42);
  SaParameters p;
  p.spi = Spi(0x1000);
  p.suite = &s;
  p.encryption_key = Bytes(key).first(s.keying_size());
  p.integrity_key = Bytes(key).first(s.integrity_key_size);
  p.extended_sequence = esn;
  p.last_sequence = esn ? 0x1fffffff0 : 0;
  return p;
}

/// An authentic packet around a text of the fuzzer's: what a hostile client, or a broken one, can send.
ByteVector authentic(Engine& engine, const Suite& s, bool esn, Bytes text) {
  auto sa = engine.make_outbound(parameters(s, esn));
  require(sa.ok());
  // Sealed as a payload first, for its header; then its text is put in place and sealed by the lower half.
  ByteVector padded(text.begin(), text.end());
  padded.resize((std::max<std::size_t>(padded.size(), 1) + s.alignment - 1) / s.alignment * s.alignment);
  ByteVector buffer(kMaxHeadroom + padded.size() + kMaxTailroom);
  SealJob job;
  job.set(**sa, PacketBuffer::within(buffer, kMaxHeadroom, padded.size() - 2), 17);
  engine.seal({&job, 1});
  require(job.ok() && job.text_length == padded.size());
  std::copy(padded.begin(), padded.end(), job.text());
  if (!s.aead() && esn) store_be32(job.icv, static_cast<std::uint32_t>(job.sequence >> 32));
  CryptoJob* one = &job;
  engine.run({&one, 1});
  return {job.packet.bytes().begin(), job.packet.bytes().end()};
}

struct Outcome {
  DropReason result;
  ByteVector payload;
  std::uint8_t next_header;
  bool operator==(const Outcome&) const = default;
};

Outcome open_with(Engine& engine, const Suite& s, bool esn, const ByteVector& packet) {
  auto sa = engine.make_inbound(parameters(s, esn));
  require(sa.ok());
  const std::unique_ptr<std::uint8_t[]> exact(
      new std::uint8_t[packet.size()]);  // no byte of room at either side
  std::copy(packet.begin(), packet.end(), exact.get());
  OpenJob job;
  job.set(**sa, PacketBuffer::within({exact.get(), packet.size()}, 0, packet.size()));
  engine.open({&job, 1});
  Outcome out{job.result, {}, 0};
  if (job.ok()) {
    out.payload.assign(job.packet.bytes().begin(), job.packet.bytes().end());
    out.next_header = job.next_header;
  }
  require(job.ok() == ((*sa)->packets() == 1));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 4096) return 0;
  const Suite& s = suites()[data[0] % kSuiteCount];
  const bool esn = (data[1] & 1) != 0;
  const bool sealed = (data[1] & 2) != 0;
  const Bytes rest(data + 2, size - 2);
  auto& all = engines();
  const auto packet = sealed ? authentic(*all.front(), s, esn, rest) : ByteVector(rest.begin(), rest.end());
  const auto first = open_with(*all.front(), s, esn, packet);
  if (sealed)
    require(first.result == DropReason::kNone || first.result == DropReason::kBadPadding ||
            first.result == DropReason::kDummy);
  for (const auto& engine : all) require(open_with(*engine, s, esn, packet) == first);
  return 0;
}
