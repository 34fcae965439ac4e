#pragma once
// A domain name in DNS wire form (RFC 1035 §3.1), as RFC 8106 and RFC 8415 carry it.

#include <string_view>

#include "base/bytes.hpp"

namespace sluice::ppp {

/// Labels with their lengths and a final zero; empty for an empty or impossible name.
ByteVector encode_dns_name(std::string_view name);

}  // namespace sluice::ppp
