#include "edge/admin/arguments.hpp"

#include <algorithm>
#include <string>

#include "base/text.hpp"

namespace sluice::edge {

std::optional<vici::Message> unknown_argument(const vici::Message& arguments,
                                              std::initializer_list<std::string_view> known) {
  for (const auto& entry : arguments.entries()) {
    if (entry.text() && std::ranges::find(known, entry.name) != known.end()) continue;
    std::string text = "unknown argument '" + escaped(entry.name) + "'";
    for (const auto& name : known) text += (name == *known.begin() ? "; known: " : ", ") + std::string(name);
    return refusal(text);
  }
  return std::nullopt;
}

vici::Message refusal(std::string_view text) {
  vici::Message out;
  out.add("success", false).add("errmsg", text);
  return out;
}

}  // namespace sluice::edge
