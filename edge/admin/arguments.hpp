#pragma once
// What commands of the operations socket have in common.

#include <initializer_list>
#include <optional>
#include <string_view>

#include "vici/message.hpp"

namespace sluice::edge {

/// The refusal of arguments that a command does not know: a misspelt filter must not silently show
/// everything.
std::optional<vici::Message> unknown_argument(const vici::Message& arguments,
                                              std::initializer_list<std::string_view> known);
/// success = no, and why.
vici::Message refusal(std::string_view text);

}  // namespace sluice::edge
