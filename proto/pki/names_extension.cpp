#include "proto/pki/names_extension.hpp"

#include <botan/ber_dec.h>
#include <botan/der_enc.h>

#include "base/bytes.hpp"

namespace sluice::pki {
namespace {

// Tags of GeneralName.
constexpr auto kDnsName = static_cast<Botan::ASN1_Tag>(2);
constexpr auto kIpAddress = static_cast<Botan::ASN1_Tag>(7);

}  // namespace

std::vector<std::uint8_t> NamesExtension::encode_inner() const {
  std::vector<std::uint8_t> out;
  Botan::DER_Encoder der(out);
  der.start_cons(Botan::SEQUENCE).add_object(kDnsName, Botan::CONTEXT_SPECIFIC, dns_);
  for (const auto& address : addresses_) {
    const auto bytes = address.bytes();
    der.add_object(kIpAddress, Botan::CONTEXT_SPECIFIC, bytes.data(), bytes.size());
  }
  der.end_cons();
  return out;
}

void NamesExtension::decode_inner(const std::vector<std::uint8_t>&) {
  // Botan makes objects of its own class when it reads a certificate.
  throw Botan::Decoding_Error("this extension is only written");
}

std::vector<IpAddress> addresses_in(const std::vector<std::uint8_t>& general_names) {
  std::vector<IpAddress> out;
  Botan::BER_Decoder outer(general_names);
  Botan::BER_Decoder names = outer.start_cons(Botan::SEQUENCE);
  while (names.more_items()) {
    const auto item = names.get_next_object();
    if (!item.is_a(kIpAddress, Botan::CONTEXT_SPECIFIC)) continue;
    const auto address = IpAddress::from_bytes(Bytes(item.bits(), item.length()));
    if (!address) throw Botan::Decoding_Error("an address among the names is neither IPv4 nor IPv6");
    out.push_back(*address);
  }
  outer.verify_end();
  return out;
}

std::vector<IpAddress> addresses_of(const Botan::X509_Certificate& certificate) {
  const auto& extensions = certificate.v3_extensions();
  if (!extensions.extension_set(NamesExtension::static_oid())) return {};
  return addresses_in(extensions.get_extension_bits(NamesExtension::static_oid()));
}

}  // namespace sluice::pki
