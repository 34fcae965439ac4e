#pragma once
// How the end of a PPP link is told in L2TP.

#include <string_view>

#include "l2tp/codes.hpp"

namespace sluice::agent {

struct CdnReason {
  l2tp::CallResult result = l2tp::CallResult::kAdministrative;
  l2tp::PppCause ppp;
};
/// CDN's result code and PPP disconnect cause (RFC 3145) for a cause word of ppp::Down.
CdnReason cdn_reason(std::string_view cause);

}  // namespace sluice::agent
