#pragma once
// The daemon's rows as tables for an operator. What peers chose is escaped.

#include <cstdint>
#include <vector>

#include "edge/ctl/table.hpp"
#include "vici/message.hpp"

namespace sluice::ctl {

using Rows = std::vector<vici::Message>;

/// `now` in seconds since the epoch turns times into ages.
Table sessions_table(const Rows& rows, std::uint64_t now);
Table backends_table(const Rows& rows, std::uint64_t now);
Table peers_table(const Rows& rows, std::uint64_t now);
/// Every SA of every peer, one a row.
Table sas_table(const Rows& rows, std::uint64_t now);
/// The most frequent first; reasons that never occurred only with `all`.
Table drops_table(Rows rows, bool all);

/// A line for each value of the daemon's `stats`.
std::string stats_text(const vici::Message& stats, std::uint64_t now);

}  // namespace sluice::ctl
