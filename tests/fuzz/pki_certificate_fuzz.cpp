// link: sluice_pki
// Certificates, revocation lists and the names in them are read or refused; a name that is read keeps its
// promise.
#include <cstdlib>

#include "base/bytes.hpp"
#include "proto/pki/chain.hpp"
#include "proto/pki/names_extension.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  const auto text = as_text(Bytes(data, size));
  try {
    for (const auto& address : pki::addresses_in({data, data + size})) {
      if (IpAddress::parse(address.to_string()) != address) std::abort();
    }
  } catch (const std::exception&) {
  }
  const auto anchors = pki::parse_anchors(text, text);
  if (!anchors && anchors.error().empty()) std::abort();
  try {
    const auto chain = pki::parse_certificates(text);
    for (const auto& certificate : chain) {
      const auto name = pki::read_peer_name(certificate);
      if (name && (!pki::is_name(name->name) || name->serial.empty())) std::abort();
      if (anchors) pki::revoked_at(certificate, anchors->crls);
    }
    if (anchors && !chain.empty()) pki::verify_chain(chain, *anchors, pki::Role::kAgent);
  } catch (const std::exception&) {
  }
  return 0;
}
