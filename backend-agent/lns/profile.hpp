#pragma once
// What PPP sessions to come are made with. A reload gives another one; sessions that are up keep theirs.

#include <cstdint>
#include <functional>
#include <memory>

#include "backend-agent/filter/filter.hpp"
#include "ppp/session.hpp"

namespace sluice::agent {

struct LnsProfile {
  /// What PPP sessions share, for the largest PPP payload their path takes (0: not known). Each worker has a
  /// copy of its own.
  std::function<std::shared_ptr<const ppp::PppConfig>(std::uint16_t ppp_mtu)> ppp_config;
  std::shared_ptr<const Filters> filters{};  ///< may be null: there are none
};

}  // namespace sluice::agent
