#include "edge/admin/state_view.hpp"

namespace sluice::edge {

std::string_view name_of(SessionStage stage) {
  switch (stage) {
    case SessionStage::kTunnel:
      return "tunnel";
    case SessionStage::kSession:
      return "session";
    case SessionStage::kUp:
      return "up";
  }
  return "unknown";
}

std::string_view name_of(BackendState state) {
  switch (state) {
    case BackendState::kUp:
      return "up";
    case BackendState::kDraining:
      return "draining";
    case BackendState::kSuspect:
      return "suspect";
    case BackendState::kNoL2tp:
      return "no-l2tp";
    case BackendState::kDown:
      return "down";
  }
  return "unknown";
}

std::string_view name_of(L2tpState state) {
  switch (state) {
    case L2tpState::kUnknown:
      return "unknown";
    case L2tpState::kSpeaks:
      return "speaks";
    case L2tpState::kSilent:
      return "silent";
  }
  return "unknown";
}

}  // namespace sluice::edge
