#pragma once
// Frames of the control stream: a length as 32 bits big-endian, then that many bytes of protobuf.

#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace sluice::channel {

inline constexpr std::size_t kMaxFrame = 256 * 1024;
inline constexpr std::size_t kFrameHeader = 4;

enum class FrameError { kEmpty, kTooLong, kCount };
std::string_view to_string(FrameError error);

/// Appends length and payload. False, and `out` untouched, where the payload is empty or longer than
/// kMaxFrame.
[[nodiscard]] bool append_frame(ByteVector& out, Bytes payload);

/// Cuts a byte stream into frames. Holds at most one frame and what feed() was given last; after an error it
/// stays failed, for a stream that lost its framing cannot be found again.
class FrameDecoder {
 public:
  void feed(Bytes bytes);
  /// The next whole payload; nothing when more bytes are needed. The view lives until the next call.
  Result<std::optional<Bytes>, FrameError> next();
  /// Bytes held and not yet handed out.
  std::size_t buffered() const { return buffer_.size() - at_; }

 private:
  ByteVector buffer_;
  std::size_t at_ = 0;
  std::optional<FrameError> failed_;
};

}  // namespace sluice::channel
