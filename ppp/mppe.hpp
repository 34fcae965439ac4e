#pragma once
// Session keys from MS-CHAPv2 (RFC 3079 §3): those of MPPE, of MS-MPPE attributes and of EAP-MSCHAPv2. On the
// link MPPE is refused, IPsec encrypts already.

#include "base/secret.hpp"
#include "ppp/mschap.hpp"

namespace sluice::ppp {

enum class MppeSide : std::uint8_t { kServer, kClient };

/// §3.4: from the hash of the NT hash and the peer's NT response. 16 octets.
Secret mppe_master_key(const NtHash& hash, const NtResponse& response);
/// §3.4: the start key of one direction of one side; `size` is 8 or 16 octets.
Secret mppe_start_key(const Secret& master, std::size_t size, bool sending, MppeSide side);

}  // namespace sluice::ppp
