#pragma once
// Key material and passwords: wiped when they go, never copied by accident, never printed.

#include <string_view>

#include "base/bytes.hpp"

namespace sluice {

/// Overwrites bytes in a way the compiler keeps.
void wipe(MutableBytes bytes);

/// Owns secret bytes; moves, does not copy (clone() says so aloud), wipes on destruction.
class Secret {
 public:
  Secret() = default;
  explicit Secret(Bytes bytes) : bytes_(bytes.begin(), bytes.end()) {}
  explicit Secret(std::string_view text) : Secret(as_bytes(text)) {}
  explicit Secret(std::size_t size) : bytes_(size) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)) { other.bytes_.clear(); }
  Secret& operator=(Secret&& other) noexcept;
  ~Secret() { wipe(bytes_); }

  Secret clone() const { return Secret(Bytes(bytes_)); }
  Bytes bytes() const { return bytes_; }
  MutableBytes mutable_bytes() { return bytes_; }
  std::string_view text() const { return as_text(bytes_); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }

 private:
  ByteVector bytes_;
};

/// Compares in time that depends on the sizes only.
bool equal_constant_time(Bytes a, Bytes b);

}  // namespace sluice
