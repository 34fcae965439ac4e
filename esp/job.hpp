#pragma once
// One packet on its way through an engine.

#include <cstdint>
#include <string_view>

#include "esp/packet.hpp"
#include "esp/replay.hpp"
#include "esp/suite.hpp"

namespace sluice::esp {

class InboundSa;
class OutboundSa;

/// Why a packet was not opened or sealed. kNone: it was.
enum class DropReason : std::uint8_t {
  kNone,
  kTooShort,           ///< open: no room for header, IV, one block and ICV
  kTooLong,            ///< either: more than an IP packet holds
  kMisaligned,         ///< open: the ciphertext is not whole blocks (RFC 4303 §2.4)
  kReplayed,           ///< open: sequence number seen before
  kBehindWindow,       ///< open: older than the replay window, or number 0
  kBadIcv,             ///< open: not authentic
  kBadPadding,         ///< open: authentic, but padding is not 1, 2, 3 ... (RFC 4303 §2.4)
  kDummy,              ///< open: authentic, next header 59: made to be thrown away (RFC 4303 §2.6)
  kExpired,            ///< either: the SA is past its hard limit
  kSequenceExhausted,  ///< seal: no sequence number is left (RFC 4303 §3.3.3)
  kNotReserved,        ///< seal: sequence numbers are left, but none that are reserved
  kNoRoom,             ///< seal: head or tail room is too small
  kEngineFailure,      ///< either: the engine could not do the job
  kCount
};
/// One word for counters: "bad-icv".
std::string_view drop_reason_name(DropReason reason);

/// A limit of the SA that this packet reached. kReserve: half of its reserved sequence numbers are used.
enum class LimitEvent : std::uint8_t { kNone, kSoft, kHard, kReserve };

/// What an engine sees of a packet: a key, places in the packet, a nonce. Filled by the pipeline, worked by
/// the engine. The text lies at esp + text_offset. ICV: a sealing engine writes it to `icv`; an opening
/// engine compares with it in constant time and sets `authentic`. What the text is after a failed open does
/// not matter.
struct CryptoJob {
  const Suite* suite = nullptr;
  void* key = nullptr;                ///< the engine's own state, as its load_key made it
  std::uint8_t* esp = nullptr;        ///< start of the ESP header
  const std::uint8_t* iv = nullptr;   ///< AEAD: 12 bytes nonce, salt first; CBC: one block
  const std::uint8_t* aad = nullptr;  ///< AEAD only: 8 or 12 bytes (RFC 4106 §5)
  std::uint8_t* icv = nullptr;        ///< suite->icv_size bytes
  std::uint32_t text_offset = 0;
  std::uint32_t text_length = 0;  ///< a multiple of suite->alignment, not 0
  std::uint32_t mac_length =
      0;  ///< CBC: bytes from `esp` that the HMAC covers (with ESN four behind the text)
  std::uint8_t aad_length = 0;
  bool sealing = false;
  bool authentic = false;  ///< open: out
  bool failed = true;      ///< out: false once the engine did it

  alignas(16) std::uint8_t nonce[16];  ///< room for what `iv`, `aad` and `icv` point to
  std::uint8_t aad_room[16];
  std::uint8_t icv_room[32];
  std::uint8_t scratch[64];  ///< the engine's, until the job is done

  std::uint8_t* text() const { return esp + text_offset; }
};

/// What both directions share. The owner sets `packet` and `user` and reads the rest after the job is done.
/// A job is not moved while an engine has it.
struct Job : CryptoJob {
  PacketBuffer packet;
  DropReason result = DropReason::kNone;
  LimitEvent event = LimitEvent::kNone;
  std::uint8_t next_header = 0;
  bool done = false;           ///< internal: out of the engine
  std::uint64_t sequence = 0;  ///< out: the full sequence number
  void* user = nullptr;        ///< the owner's
  Job* next = nullptr;         ///< internal: queue of the SA, then of the finished

  bool ok() const { return result == DropReason::kNone; }
};

/// In: `packet` from the ESP header to the ICV. Out, when ok(): `packet` is the payload, `next_header` its
/// protocol.
struct OpenJob : Job {
  InboundSa* sa = nullptr;
  ReplayTicket ticket;  ///< internal

  void set(InboundSa& inbound, const PacketBuffer& whole) {
    sa = &inbound;
    packet = whole;
  }
};

/// In: `packet` is the payload, `next_header` its protocol. Out, when ok(): `packet` from the ESP header to
/// the ICV.
struct SealJob : Job {
  OutboundSa* sa = nullptr;

  void set(OutboundSa& outbound, const PacketBuffer& payload, std::uint8_t protocol) {
    sa = &outbound;
    packet = payload;
    next_header = protocol;
  }
};

}  // namespace sluice::esp
