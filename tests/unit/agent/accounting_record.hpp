#pragma once

#include <string>

#include "tests/unit/radius/support.hpp"

namespace sluice::agent::test {

/// One record as a server would read it.
struct Record {
  explicit Record(const radius::Draft& draft) {
    radius::Authenticator authenticator{};
    bytes = radius::sign_request(draft, 1, authenticator, as_bytes("s")).value();
  }
  std::uint32_t number(radius::AttributeType type) const {
    const auto value = radius::test::parsed(bytes).first(type);
    return value && value->size() == 4 ? load_be32(value->data()) : 0xdeadbeef;
  }
  std::string text(radius::AttributeType type) const {
    const auto value = radius::test::parsed(bytes).first(type);
    return value ? std::string(as_text(*value)) : "none";
  }
  bool has(radius::AttributeType type) const { return radius::test::parsed(bytes).has(type); }
  ByteVector bytes;
};

}  // namespace sluice::agent::test
