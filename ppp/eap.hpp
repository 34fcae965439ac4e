#pragma once
// EAP packets (RFC 3748 §4) and those of its methods MD5-Challenge (§5.4) and MS-CHAPv2
// (draft-kamath-pppext-eap-mschapv2-02).

#include <optional>
#include <string_view>

#include "base/bytes.hpp"

namespace sluice::ppp {

enum class EapCode : std::uint8_t { kRequest = 1, kResponse = 2, kSuccess = 3, kFailure = 4 };
enum class EapType : std::uint8_t {
  kIdentity = 1,
  kNotification = 2,
  kNak = 3,
  kMd5 = 4,
  kMsChapV2 = 26,
};

struct EapPacket {
  EapCode code = EapCode::kRequest;
  std::uint8_t id = 0;
  EapType type = EapType::kIdentity;  ///< Requests and Responses only; may be a value not named above
  Bytes data;                         ///< behind the type
  Bytes whole;
};
/// Nothing when too short for its code or its Length, or of an unknown code. What follows Length is padding.
std::optional<EapPacket> parse_eap(Bytes packet);
/// A Request or Response.
ByteVector make_eap(EapCode code, std::uint8_t id, EapType type, Bytes data);
/// A Success or Failure.
ByteVector make_eap_result(EapCode code, std::uint8_t id);

/// MD5-Challenge's data: the value, then a name.
struct EapMd5 {
  Bytes value;
  std::string_view name;
};
std::optional<EapMd5> parse_eap_md5(Bytes data);
ByteVector make_eap_md5(Bytes value, std::string_view name);

enum class EapMsOp : std::uint8_t { kChallenge = 1, kResponse = 2, kSuccess = 3, kFailure = 4 };
/// EAP-MSCHAPv2's data: OpCode, MS-CHAPv2-ID, MS-Length, then by OpCode a value and a name, or a text.
struct EapMsChap {
  EapMsOp op = EapMsOp::kChallenge;
  std::uint8_t id = 0;
  Bytes value;            ///< challenge or response
  std::string_view text;  ///< name, or message of a success or failure
};
/// A peer's answer to success and failure is the OpCode alone. Nothing for other opcodes and lengths that do
/// not fit.
std::optional<EapMsChap> parse_eap_mschap(Bytes data);
ByteVector make_eap_mschap(const EapMsChap& packet);

}  // namespace sluice::ppp
