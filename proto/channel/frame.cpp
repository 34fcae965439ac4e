#include "proto/channel/frame.hpp"

namespace sluice::channel {

std::string_view to_string(FrameError error) {
  switch (error) {
    case FrameError::kEmpty:
      return "empty frame";
    case FrameError::kTooLong:
      return "frame too long";
    case FrameError::kCount:
      break;
  }
  return "";
}

bool append_frame(ByteVector& out, Bytes payload) {
  const auto length = narrow<std::uint32_t>(payload.size());
  if (payload.empty() || payload.size() > kMaxFrame || !length) return false;
  std::uint8_t header[kFrameHeader];
  store_be32(header, *length);
  out.insert(out.end(), header, header + kFrameHeader);
  out.insert(out.end(), payload.begin(), payload.end());
  return true;
}

void FrameDecoder::feed(Bytes bytes) {
  if (failed_) return;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(at_));
  at_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Bytes>, FrameError> FrameDecoder::next() {
  if (failed_) return Failure{*failed_};
  ByteReader reader(Bytes(buffer_).subspan(at_));
  if (reader.remaining() < kFrameHeader) return std::optional<Bytes>{};
  const std::uint32_t length = reader.u32();
  // The length is judged before its bytes come, so that nobody can make us hold more than one frame.
  if (length == 0 || length > kMaxFrame) {
    failed_ = length == 0 ? FrameError::kEmpty : FrameError::kTooLong;
    return Failure{*failed_};
  }
  if (reader.remaining() < length) return std::optional<Bytes>{};
  const Bytes payload = reader.bytes(length);
  at_ += reader.consumed();
  return std::optional<Bytes>{payload};
}

}  // namespace sluice::channel
