#pragma once
// What each list shows of the daemon's rows. What peers chose is escaped.

#include <cstdint>
#include <string>

#include "edge/ctl/view.hpp"

namespace sluice::ctl {

const View& sessions_view();
const View& tunnels_view();
const View& backends_view();
const View& peers_view();
/// Of the rows of sas_of().
const View& sas_view();
const View& drops_view();
const View& drains_view();

/// Every SA of every peer, one a row, with the peer's number.
Rows sas_of(const Rows& peers);

/// A line for each value of the daemon's `stats`.
std::string stats_text(const vici::Message& stats, std::uint64_t now);

}  // namespace sluice::ctl
