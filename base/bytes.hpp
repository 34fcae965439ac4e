#pragma once
// The only two classes that touch raw bytes. Everything on the wire is big-endian; byte order never lives in
// a variable.

#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice {

using Bytes = std::span<const std::uint8_t>;
using MutableBytes = std::span<std::uint8_t>;
using ByteVector = std::vector<std::uint8_t>;

inline Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline bool equal(Bytes a, Bytes b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size()) == 0);
}

/// A number narrowed into a length or count field; nothing if it does not fit.
template <std::unsigned_integral To, std::integral From>
constexpr std::optional<To> narrow(From value) {
  if (!std::in_range<To>(value)) return std::nullopt;
  return static_cast<To>(value);
}

inline std::uint16_t load_be16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>((p[0] << 8) | p[1]);
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
  return (std::uint32_t{p[0]} << 24) | (std::uint32_t{p[1]} << 16) | (std::uint32_t{p[2]} << 8) | p[3];
}
inline std::uint64_t load_be64(const std::uint8_t* p) {
  return (std::uint64_t{load_be32(p)} << 32) | load_be32(p + 4);
}
inline void store_be16(std::uint8_t* p, std::uint16_t v) {
  p[0] = static_cast<std::uint8_t>(v >> 8);
  p[1] = static_cast<std::uint8_t>(v);
}
inline void store_be32(std::uint8_t* p, std::uint32_t v) {
  store_be16(p, static_cast<std::uint16_t>(v >> 16));
  store_be16(p + 2, static_cast<std::uint16_t>(v));
}
inline void store_be64(std::uint8_t* p, std::uint64_t v) {
  store_be32(p, static_cast<std::uint32_t>(v >> 32));
  store_be32(p + 4, static_cast<std::uint32_t>(v));
}

/// Reads forward through a view. A read past the end gives zeros and makes ok() false for good, so a parser
/// may read a whole structure and check once. Views handed out live as long as the bytes given to the
/// constructor.
class ByteReader {
 public:
  explicit ByteReader(Bytes bytes) : bytes_(bytes) {}

  std::uint8_t u8() {
    const Bytes b = take(1);
    return b.empty() ? std::uint8_t{0} : b[0];
  }
  std::uint16_t u16() {
    const Bytes b = take(2);
    return b.empty() ? std::uint16_t{0} : load_be16(b.data());
  }
  std::uint32_t u32() {
    const Bytes b = take(4);
    return b.empty() ? 0 : load_be32(b.data());
  }
  std::uint64_t u64() {
    const Bytes b = take(8);
    return b.empty() ? 0 : load_be64(b.data());
  }
  /// The next `count` bytes; empty when there are fewer.
  Bytes bytes(std::size_t count) { return take(count); }
  /// A reader confined to the next `count` bytes; when there are fewer, an empty one that is not ok().
  ByteReader sub(std::size_t count) {
    ByteReader inner{take(count)};
    inner.ok_ = ok_;
    return inner;
  }
  Bytes rest() { return take(remaining()); }
  void skip(std::size_t count) { take(count); }

  std::size_t remaining() const { return bytes_.size() - at_; }
  std::size_t consumed() const { return at_; }
  bool at_end() const { return remaining() == 0; }
  bool ok() const { return ok_; }

 private:
  Bytes take(std::size_t count) {
    if (!ok_ || count > remaining()) {
      ok_ = false;
      return {};
    }
    const Bytes out = bytes_.subspan(at_, count);
    at_ += count;
    return out;
  }

  Bytes bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

/// Writes forward into a fixed buffer. A write past the end is not made and turns ok() false for good.
class ByteWriter {
 public:
  explicit ByteWriter(MutableBytes buffer) : buffer_(buffer) {}

  void u8(std::uint8_t v) {
    if (auto* p = grow(1)) *p = v;
  }
  void u16(std::uint16_t v) {
    if (auto* p = grow(2)) store_be16(p, v);
  }
  void u32(std::uint32_t v) {
    if (auto* p = grow(4)) store_be32(p, v);
  }
  void u64(std::uint64_t v) {
    if (auto* p = grow(8)) store_be64(p, v);
  }
  void bytes(Bytes b) {
    if (b.empty()) return;
    if (auto* p = grow(b.size())) std::memcpy(p, b.data(), b.size());
  }
  void zeros(std::size_t count) {
    if (auto* p = grow(count); p && count > 0) std::memset(p, 0, count);
  }
  /// Overwrites two bytes written earlier, for a length known only afterwards.
  void patch_u16(std::size_t at, std::uint16_t v) {
    if (at + 2 > size_) {
      ok_ = false;
      return;
    }
    store_be16(buffer_.data() + at, v);
  }

  std::size_t size() const { return size_; }
  std::size_t room() const { return buffer_.size() - size_; }
  Bytes written() const { return buffer_.first(size_); }
  bool ok() const { return ok_; }

 private:
  std::uint8_t* grow(std::size_t count) {
    if (!ok_ || count > room()) {
      ok_ = false;
      return nullptr;
    }
    auto* p = buffer_.data() + size_;
    size_ += count;
    return p;
  }

  MutableBytes buffer_;
  std::size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace sluice
