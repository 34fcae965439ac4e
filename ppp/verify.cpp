#include "ppp/verify.hpp"

#include <botan/hash.h>

#include <algorithm>

namespace sluice::ppp {
namespace {

/// Sizes of a Response's Value: RFC 1994 §4.1 with MD5; RFC 2759 §4: peer challenge, 8 zeros, NT response,
/// flags.
constexpr std::size_t kMd5Size = 16;
constexpr std::size_t kMsResponseSize = 49;
constexpr std::size_t kNtResponseAt = 24;

AuthVerdict reject(std::string cause, std::string detail) {
  AuthVerdict out;
  out.message = "Authentication failed";
  out.cause = std::move(cause);
  out.detail = std::move(detail);
  return out;
}
AuthVerdict wrong_password() {
  return reject("wrong-password", "the password is wrong");
}
AuthVerdict malformed() {
  return reject("malformed-response", "the response has an impossible size");
}
AuthVerdict accept(std::string message) {
  AuthVerdict out;
  out.accepted = true;
  out.message = std::move(message);
  return out;
}

std::optional<NtHash> hash_of(const Credential& credential) {
  if (credential.nt_hash) return credential.nt_hash;
  if (!credential.password) return std::nullopt;
  return nt_hash(credential.password->text());
}

AuthVerdict verify_pap(const AuthRequest& request, const Credential& credential) {
  if (credential.password) {
    const bool good = equal_constant_time(request.password.bytes(), credential.password->bytes());
    return good ? accept({}) : wrong_password();
  }
  const auto given = nt_hash(request.password.text());
  if (!given || !credential.nt_hash) return wrong_password();
  return equal_constant_time(*given, *credential.nt_hash) ? accept({}) : wrong_password();
}

AuthVerdict verify_md5(const AuthRequest& request, const Credential& credential) {
  if (request.response.size() != kMd5Size) return malformed();
  if (!credential.password) {
    return reject("no-plain-password",
                  "the users file has only an nt_hash, and CHAP-MD5 needs the password itself");
  }
  const auto hash = Botan::HashFunction::create_or_throw("MD5");
  hash->update(request.id);
  hash->update(credential.password->bytes().data(), credential.password->size());
  hash->update(request.challenge.data(), request.challenge.size());
  std::array<std::uint8_t, kMd5Size> wanted;
  hash->final(wanted.data());
  return equal_constant_time(wanted, request.response) ? accept({}) : wrong_password();
}

AuthVerdict verify_mschap(const AuthRequest& request, const Credential& credential) {
  MsChallenge authenticator, peer;
  if (request.response.size() != kMsResponseSize || request.challenge.size() != authenticator.size())
    return malformed();
  const auto hash = hash_of(credential);
  if (!hash) return reject("bad-credential", "the user's password is not valid UTF-8");
  std::copy(request.challenge.begin(), request.challenge.end(), authenticator.begin());
  std::copy_n(request.response.begin(), peer.size(), peer.begin());
  NtResponse given;
  std::copy_n(request.response.begin() + kNtResponseAt, given.size(), given.begin());
  const NtResponse wanted = nt_response(authenticator, peer, request.user, *hash);
  if (!equal_constant_time(wanted, given)) return wrong_password();
  return accept(authenticator_response(*hash, wanted, peer, authenticator, request.user));
}

}  // namespace

AuthVerdict verify(const AuthRequest& request, const Credential& credential) {
  switch (request.method) {
    case AuthMethod::kPap:
      return verify_pap(request, credential);
    case AuthMethod::kChapMd5:
      return verify_md5(request, credential);
    case AuthMethod::kMsChapV2:
      return verify_mschap(request, credential);
    case AuthMethod::kNone:
    case AuthMethod::kEap:  // only who speaks the method can judge it
      break;
  }
  return reject("no-method", "nothing was proven");
}

}  // namespace sluice::ppp
