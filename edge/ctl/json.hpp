#pragma once
// The daemon's rows as JSON: the same names with '_' for '-', numbers as numbers, yes and no as booleans.

#include <nlohmann/json.hpp>

#include "vici/message.hpp"

namespace sluice::ctl {

nlohmann::ordered_json to_json(const vici::Message& message);
/// Indented, plain ASCII: what a peer chose cannot reach the terminal as control characters.
std::string to_text(const nlohmann::ordered_json& value);
/// The same on one line.
std::string to_line(const nlohmann::ordered_json& value);

}  // namespace sluice::ctl
