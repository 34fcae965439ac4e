#include "edge/probe/ike_message.hpp"

namespace sluice::edge {
namespace {

// RFC 7296 §3.1, §3.2.
constexpr std::uint8_t kVersion = 0x20, kIkeSaInit = 34;
constexpr std::uint8_t kFlagInitiator = 0x08, kFlagResponse = 0x20;
constexpr std::uint8_t kNone = 0, kSa = 33, kKeyExchange = 34, kNonce = 40, kNotify = 41;
constexpr std::size_t kHeader = 28, kLengthAt = 24, kPayloadHeader = 4;
constexpr std::uint16_t kNotifyCookie = 16390, kFirstStatusNotify = 16384;
constexpr std::size_t kMaxCookie = 64;
// RFC 7296 §3.3.2, and the transforms that IANA has added since.
constexpr std::uint8_t kIkeProtocol = 1;
constexpr std::uint8_t kEncryption = 1, kPrf = 2, kIntegrity = 3, kGroup = 4;
constexpr std::uint16_t kAesCbc = 12, kAesGcm16 = 20, kPrfSha256 = 5, kPrfSha384 = 6, kSha256_128 = 12,
                        kX25519 = 31;
constexpr std::uint16_t kKeyLength = 0x800e;

/// Writes payloads and patches their lengths afterwards.
class Payloads {
 public:
  explicit Payloads(ByteWriter& out) : out_(out) {}
  std::size_t begin(std::uint8_t next) {
    const std::size_t at = out_.size();
    out_.u8(next);
    out_.u8(0);
    out_.u16(0);
    return at;
  }
  void end(std::size_t at) { out_.patch_u16(at + 2, static_cast<std::uint16_t>(out_.size() - at)); }

 private:
  ByteWriter& out_;
};

struct Transform {
  std::uint8_t type;
  std::uint16_t id;
  std::uint16_t key_bits = 0;
};

void write_proposal(ByteWriter& out, bool last, std::uint8_t number, std::span<const Transform> transforms) {
  Payloads payloads(out);
  const auto at = payloads.begin(last ? 0 : 2);
  out.u8(number);
  out.u8(kIkeProtocol);
  out.u8(0);  // SPI size
  out.u8(static_cast<std::uint8_t>(transforms.size()));
  for (const auto& transform : transforms) {
    const auto transform_at = payloads.begin(&transform == &transforms.back() ? 0 : 3);
    out.u8(transform.type);
    out.u8(0);
    out.u16(transform.id);
    if (transform.key_bits != 0) {
      out.u16(kKeyLength);
      out.u16(transform.key_bits);
    }
    payloads.end(transform_at);
  }
  payloads.end(at);
}

constexpr std::array<Transform, 5> kAead{{{kEncryption, kAesGcm16, 256},
                                          {kEncryption, kAesGcm16, 128},
                                          {kPrf, kPrfSha384},
                                          {kPrf, kPrfSha256},
                                          {kGroup, kX25519}}};
constexpr std::array<Transform, 5> kCbc{{{kEncryption, kAesCbc, 256},
                                         {kEncryption, kAesCbc, 128},
                                         {kIntegrity, kSha256_128},
                                         {kPrf, kPrfSha256},
                                         {kGroup, kX25519}}};

void write_payloads(ByteWriter& out, const SaInit& init) {
  Payloads payloads(out);
  if (!init.cookie.empty()) {
    const auto at = payloads.begin(kSa);
    out.u8(0);
    out.u8(0);
    out.u16(kNotifyCookie);
    out.bytes(init.cookie);
    payloads.end(at);
  }
  auto at = payloads.begin(kKeyExchange);
  write_proposal(out, false, 1, kAead);
  write_proposal(out, true, 2, kCbc);
  payloads.end(at);
  at = payloads.begin(kNonce);
  out.u16(kX25519);
  out.u16(0);
  out.bytes(init.key);
  payloads.end(at);
  at = payloads.begin(kNone);
  out.bytes(init.nonce);
  payloads.end(at);
}

/// False when it is malformed. `told` is what it says of the outcome, if it does.
bool read_notify(ByteReader body, std::optional<SaInitAnswer>& told) {
  body.skip(1);  // protocol
  const std::uint8_t spi_size = body.u8();
  const std::uint16_t type = body.u16();
  body.skip(spi_size);
  if (!body.ok()) return false;
  if (type == kNotifyCookie && body.remaining() > 0 && body.remaining() <= kMaxCookie) {
    const auto cookie = body.rest();
    told = {SaInitOutcome::kCookie, 0, ByteVector(cookie.begin(), cookie.end())};
  } else if (type < kFirstStatusNotify) {
    told = {SaInitOutcome::kRefused, type, {}};
  }
  return true;
}

}  // namespace

SaInit random_sa_init(RandomSource& random) {
  SaInit init;
  init.initiator_spi = (std::uint64_t{random.u32()} << 32 | random.u32()) | 1;
  random.fill(init.key);
  random.fill(init.nonce);
  return init;
}

ByteVector write_sa_init(const SaInit& init) {
  std::array<std::uint8_t, 512> buffer;
  ByteWriter out(buffer);
  out.u64(init.initiator_spi);
  out.u64(0);
  out.u8(init.cookie.empty() ? kSa : kNotify);
  out.u8(kVersion);
  out.u8(kIkeSaInit);
  out.u8(kFlagInitiator);
  out.u32(0);  // message id
  out.u32(0);  // length
  write_payloads(out, init);
  store_be32(buffer.data() + kLengthAt, static_cast<std::uint32_t>(out.size()));
  const auto written = out.written();
  return {written.begin(), written.end()};
}

std::optional<SaInitAnswer> read_sa_init_answer(Bytes datagram, std::uint64_t initiator_spi) {
  ByteReader in(datagram);
  const bool ours = in.u64() == initiator_spi;
  in.skip(8);
  std::uint8_t next = in.u8();
  const std::uint8_t version = in.u8(), exchange = in.u8(), flags = in.u8();
  const std::uint32_t id = in.u32(), length = in.u32();
  if (!in.ok() || !ours || version != kVersion || exchange != kIkeSaInit || id != 0) return std::nullopt;
  if ((flags & kFlagResponse) == 0 || length != datagram.size()) return std::nullopt;
  std::optional<SaInitAnswer> told;
  bool sa = false, key = false, nonce = false;
  while (next != kNone) {
    const std::uint8_t payload = next;
    next = in.u8();
    in.skip(1);
    const std::uint16_t size = in.u16();
    if (size < kPayloadHeader) return std::nullopt;
    ByteReader body = in.sub(size - kPayloadHeader);
    if (!in.ok()) return std::nullopt;
    sa |= payload == kSa;
    key |= payload == kKeyExchange;
    nonce |= payload == kNonce;
    if (payload != kNotify) continue;
    if (!read_notify(body, told)) return std::nullopt;
  }
  if (!in.at_end()) return std::nullopt;
  if (sa && key && nonce) return SaInitAnswer{SaInitOutcome::kAccepted, 0, {}};
  return told;
}

}  // namespace sluice::edge
