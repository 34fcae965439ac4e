#include "backend-agent/radius/core/sign.hpp"

#include <botan/hash.h>
#include <botan/mac.h>

#include <algorithm>

namespace sluice::radius {
namespace {

constexpr std::size_t kBlock = 16, kMaxPassword = 128;
/// Message-Authenticator is the first attribute, so that a chosen-prefix collision finds nothing before it.
constexpr std::size_t kSignatureAt = kHeaderSize + 2;
constexpr Authenticator kZeros{};

/// MD5 over the packet with `authenticator` in its place, then the secret.
Authenticator digest(Bytes packet, Bytes authenticator, Bytes secret) {
  const auto md5 = Botan::HashFunction::create_or_throw("MD5");
  md5->update(packet.data(), 4);
  md5->update(authenticator.data(), authenticator.size());
  md5->update(packet.data() + kHeaderSize, packet.size() - kHeaderSize);
  md5->update(secret.data(), secret.size());
  Authenticator out;
  md5->final(out.data());
  return out;
}

/// HMAC-MD5 over the packet with `authenticator` in its place and zeros for the signature at `at`.
Authenticator signature(Bytes packet, std::size_t at, Bytes authenticator, Bytes secret) {
  const auto mac = Botan::MessageAuthenticationCode::create_or_throw("HMAC(MD5)");
  mac->set_key(secret.data(), secret.size());
  mac->update(packet.data(), 4);
  mac->update(authenticator.data(), authenticator.size());
  mac->update(packet.data() + kHeaderSize, at - kHeaderSize);
  mac->update(kZeros.data(), kZeros.size());
  mac->update(packet.data() + at + kBlock, packet.size() - at - kBlock);
  Authenticator out;
  mac->final(out.data());
  return out;
}

/// Header, an empty Message-Authenticator, the password hidden with `authenticator`, the attributes.
std::optional<ByteVector> lay_out(const Draft& draft, std::uint8_t id, Bytes authenticator, Bytes secret) {
  if (!draft.ok()) return std::nullopt;
  ByteVector hidden;
  if (draft.password()) {
    Authenticator random;
    std::copy(authenticator.begin(), authenticator.end(), random.begin());
    hidden = hide_password(draft.password()->bytes(), random, secret);
  }
  const std::size_t size =
      kSignatureAt + kBlock + (hidden.empty() ? 0 : hidden.size() + 2) + draft.attributes().size();
  if (size > kMaxPacket) return std::nullopt;
  ByteVector packet(size);
  ByteWriter out(packet);
  out.u8(static_cast<std::uint8_t>(draft.code()));
  out.u8(id);
  out.u16(static_cast<std::uint16_t>(size));
  out.bytes(authenticator);
  out.u8(attr::kMessageAuthenticator.type);
  out.u8(2 + kBlock);
  out.zeros(kBlock);
  if (!hidden.empty()) {
    out.u8(attr::kUserPassword.type);
    out.u8(static_cast<std::uint8_t>(hidden.size() + 2));
    out.bytes(hidden);
  }
  out.bytes(draft.attributes());
  return packet;
}

void put(ByteVector& packet, std::size_t at, const Authenticator& value) {
  std::copy(value.begin(), value.end(), packet.begin() + static_cast<std::ptrdiff_t>(at));
}

bool random_authenticator(Code code) {
  return code == Code::kAccessRequest || code == Code::kStatusServer;
}

Proof check_signature(const Packet& packet, Bytes authenticator, Bytes secret, bool demanded) {
  const std::size_t at = packet.message_authenticator_at();
  if (at == 0) return demanded ? Proof::kNoMessageAuthenticator : Proof::kGood;
  const Authenticator wanted = signature(packet.bytes(), at, authenticator, secret);
  return equal_constant_time(wanted, packet.bytes().subspan(at, kBlock)) ? Proof::kGood
                                                                         : Proof::kBadMessageAuthenticator;
}

}  // namespace

std::optional<ByteVector> sign_request(const Draft& draft, std::uint8_t id, Authenticator& authenticator,
                                       Bytes secret) {
  const bool random = random_authenticator(draft.code());
  auto packet = lay_out(draft, id, random ? authenticator : kZeros, secret);
  if (!packet) return std::nullopt;
  put(*packet, kSignatureAt, signature(*packet, kSignatureAt, random ? authenticator : kZeros, secret));
  if (!random) {
    authenticator = digest(*packet, kZeros, secret);
    put(*packet, 4, authenticator);
  }
  return packet;
}

std::optional<ByteVector> sign_reply(const Draft& draft, std::uint8_t id, Bytes request_authenticator,
                                     Bytes secret) {
  auto packet = lay_out(draft, id, request_authenticator, secret);
  if (!packet) return std::nullopt;
  put(*packet, kSignatureAt, signature(*packet, kSignatureAt, request_authenticator, secret));
  put(*packet, 4, digest(*packet, request_authenticator, secret));
  return packet;
}

Proof check_reply(const Packet& reply, const Authenticator& request, Bytes secret, bool demanded) {
  const Authenticator wanted = digest(reply.bytes(), request, secret);
  if (!equal_constant_time(wanted, reply.authenticator())) return Proof::kBadAuthenticator;
  return check_signature(reply, request, secret, demanded);
}

Proof check_request(const Packet& request, Bytes secret, bool demanded) {
  const Authenticator wanted = digest(request.bytes(), kZeros, secret);
  if (!equal_constant_time(wanted, request.authenticator())) return Proof::kBadAuthenticator;
  return check_signature(request, kZeros, secret, demanded);
}

Proof check_access_request(const Packet& request, Bytes secret) {
  return check_signature(request, request.authenticator(), secret, true);
}

ByteVector hide_password(Bytes password, const Authenticator& authenticator, Bytes secret) {
  const std::size_t blocks = std::max<std::size_t>(1, (password.size() + kBlock - 1) / kBlock);
  ByteVector out(blocks * kBlock);
  std::copy(password.begin(), password.end(), out.begin());
  Bytes previous = authenticator;
  for (std::size_t at = 0; at < out.size(); at += kBlock) {
    const auto md5 = Botan::HashFunction::create_or_throw("MD5");
    md5->update(secret.data(), secret.size());
    md5->update(previous.data(), previous.size());
    Authenticator pad;
    md5->final(pad.data());
    for (std::size_t i = 0; i < kBlock; ++i) out[at + i] ^= pad[i];
    previous = Bytes(out).subspan(at, kBlock);
  }
  return out;
}

std::optional<Secret> reveal_password(Bytes hidden, Bytes authenticator, Bytes secret) {
  if (hidden.empty() || hidden.size() % kBlock != 0 || hidden.size() > kMaxPassword) return std::nullopt;
  Secret out(hidden);
  Bytes previous = authenticator;
  for (std::size_t at = 0; at < hidden.size(); at += kBlock) {
    const auto md5 = Botan::HashFunction::create_or_throw("MD5");
    md5->update(secret.data(), secret.size());
    md5->update(previous.data(), previous.size());
    Authenticator pad;
    md5->final(pad.data());
    for (std::size_t i = 0; i < kBlock; ++i) out.mutable_bytes()[at + i] ^= pad[i];
    previous = hidden.subspan(at, kBlock);
  }
  std::size_t size = out.size();
  while (size > 0 && out.bytes()[size - 1] == 0) --size;
  return Secret(out.bytes().first(size));
}

}  // namespace sluice::radius
