#pragma once
// Settings' targets in words: their values as a file writes them, and what may be written there. Any thread.

#include <string>
#include <string_view>
#include <vector>

#include "base/app/config_table.hpp"

namespace sluice::app {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

/// "a", "b", "c" in quotes.
std::string list_of(const std::vector<std::string_view>& words);
/// The value there now, as TOML.
std::string text_of(const Target& target);
/// "whole number, 1 to 65535".
std::string type_of(const Target& target);
/// Tells what is in the file or files named there from what was before; 0 where it does not count. Nothing of
/// it can be read from the number.
std::uint64_t contents_of(const Target& target);
/// What a TOML error says, up to the first word that it quotes: in a file of passwords that may be one.
std::string discreet(std::string_view error);

}  // namespace sluice::app
