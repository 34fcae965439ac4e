#include "esp/job.hpp"

namespace sluice::esp {

std::string_view drop_reason_name(DropReason reason) {
  switch (reason) {
    case DropReason::kNone:
      return "none";
    case DropReason::kTooShort:
      return "too-short";
    case DropReason::kTooLong:
      return "too-long";
    case DropReason::kMisaligned:
      return "misaligned";
    case DropReason::kReplayed:
      return "replayed";
    case DropReason::kBehindWindow:
      return "behind-window";
    case DropReason::kBadIcv:
      return "bad-icv";
    case DropReason::kBadPadding:
      return "bad-padding";
    case DropReason::kDummy:
      return "dummy";
    case DropReason::kExpired:
      return "expired";
    case DropReason::kNotReserved:
      return "not-reserved";
    case DropReason::kSequenceExhausted:
      return "sequence-exhausted";
    case DropReason::kNoRoom:
      return "no-room";
    case DropReason::kEngineFailure:
      return "engine-failure";
    case DropReason::kCount:
      break;
  }
  return "unknown";
}

}  // namespace sluice::esp
