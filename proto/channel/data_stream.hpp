#pragma once
// The data carrier "tls": one end of a stream of data frames, without I/O. A record is a length (16 bits,
// big-endian) and a body; the length tells what it is:
//   8                             credit: how many bytes of frame records this end has taken so far (64 bits)
//   32                            the token, once, from the agent, before all else: which channel this is
//   kMinStreamFrame to kMaxStreamFrame   a frame, as it would be a datagram
// A sender has at most kWindow bytes under way that the receiver has not taken: what is beyond is dropped, so
// that a peer that does not read costs bounded memory and nobody's data waits behind seconds of other data.
// One thread.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/bytes.hpp"
#include "base/counters.hpp"
#include "base/result.hpp"

namespace sluice::channel {

inline constexpr std::size_t kRecordHeader = 2;
inline constexpr std::size_t kCreditBytes = 8;
inline constexpr std::size_t kTokenBytes = 32;
/// ESP header, IV, trailer and ICV of RFC 4106 with nothing inside; and what a worker's buffers take.
inline constexpr std::size_t kMinStreamFrame = 8 + 8 + 4 + 16;
inline constexpr std::size_t kMaxStreamFrame = 2048;

using StreamToken = std::array<std::uint8_t, kTokenBytes>;

enum class StreamError : std::uint8_t {
  kBadLength,  ///< a record of no known kind
  kNoToken,    ///< frames before the token, or a second token
  kBadCredit,  ///< credit for what was never sent, or less than before
  kCount
};
std::string_view to_string(StreamError error);

enum class StreamCount : std::uint8_t {
  kFramesIn,
  kFramesOut,
  kNoCredit,  ///< dropped: the peer does not take data as fast as it comes
  kCount
};

class DataStream {
 public:
  static constexpr std::uint64_t kWindow = 512 * 1024;
  /// Credit is given back in steps of this.
  static constexpr std::uint64_t kCreditStep = 64 * 1024;

  /// The accepting end waits for the token.
  DataStream() = default;
  /// The opening end says it first.
  explicit DataStream(const StreamToken& token);

  /// Queues whole frame records, `frames` of them; false: dropped and counted, all of them.
  bool send(Bytes records, std::size_t frames);
  /// All bytes to send now.
  ByteVector poll_transmit() { return std::exchange(out_, {}); }

  /// Whole frame records of what came in, one after another as on the wire; the view lives until the next
  /// call. After an error the stream is of no more use.
  Result<Bytes, StreamError> on_bytes(Bytes bytes);
  /// Of the accepting end, once it came.
  const std::optional<StreamToken>& token() const { return token_; }

  /// Bytes of frames that the peer has not taken yet.
  std::uint64_t under_way() const { return sent_ - credited_; }
  const CounterArray<StreamCount>& counts() const { return counts_; }

 private:
  std::optional<StreamError> take(Bytes record);
  std::optional<StreamError> take_credit(std::uint64_t taken);
  void give_credit();

  bool accepting_ = true;
  std::optional<StreamToken> token_;
  ByteVector in_;     ///< of a record that is not whole
  ByteVector taken_;  ///< what on_bytes gave out last
  ByteVector out_;
  std::uint64_t sent_ = 0, credited_ = 0;
  std::uint64_t received_ = 0, given_ = 0;
  CounterArray<StreamCount> counts_;
};

/// The frame records in `records`, one after another; stops at what is none.
template <class F>
void for_each_record(Bytes records, F&& take) {
  while (records.size() > kRecordHeader) {
    const std::size_t size = kRecordHeader + load_be16(records.data());
    if (size > records.size()) return;
    take(records.first(size));
    records = records.subspan(size);
  }
}

}  // namespace sluice::channel
