#include "edge/placement/drains.hpp"

#include <algorithm>
#include <charconv>

namespace sluice::edge {
namespace {

// What a farewell may take beside its turn: tunnels are gone by the deadline, not only told.
constexpr std::int64_t kMarginMs = 3000;
constexpr std::size_t kLongestName = 255;
constexpr std::string_view kHeader = "sluice-drains 1\n";
constexpr std::string_view kEdge = "*";

/// Takes the next word off `line`; words are apart by one blank.
std::string_view next_word(std::string_view& line) {
  const auto end = std::min(line.find(' '), line.size());
  const auto word = line.substr(0, end);
  line.remove_prefix(std::min(end + 1, line.size()));
  return word;
}

bool read_number(std::string_view word, std::uint32_t& out) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
  return error == std::errc() && end == word.data() + word.size();
}

std::optional<DrainOrder> order_of(std::string_view line) {
  DrainOrder order;
  order.agent = next_word(line);
  if (order.agent == kEdge) {
    order.agent.clear();
  } else if (!is_agent_name(order.agent)) {
    return std::nullopt;
  }
  for (auto* number : {&order.since, &order.deadline, &order.kick_rate, &order.began_with}) {
    if (!read_number(next_word(line), *number)) return std::nullopt;
  }
  const bool good = line.empty() && order.kick_rate >= 1 && order.kick_rate <= kMaxKickRate;
  return good ? std::optional(std::move(order)) : std::nullopt;
}

}  // namespace

void Drains::begin(DrainOrder order) {
  const auto agent = order.agent;
  drains_[agent] = {.order = std::move(order)};
}

bool Drains::undo(const std::string& agent) {
  return drains_.erase(agent) > 0;
}

const DrainOrder* Drains::find(const std::string& agent) const {
  const auto found = drains_.find(agent);
  return found == drains_.end() ? nullptr : &found->second.order;
}

std::vector<DrainOrder> Drains::all() const {
  std::vector<DrainOrder> out;
  for (const auto& [agent, drain] : drains_) out.push_back(drain.order);
  return out;
}

bool Drains::ending(const std::string& agent) const {
  const auto found = drains_.find(agent);
  return found != drains_.end() && found->second.ending;
}

std::uint32_t Drains::due(const std::string& agent, std::uint32_t left, std::int64_t now_ms) {
  const auto found = drains_.find(agent);
  if (found == drains_.end() || found->second.order.deadline == 0) return 0;
  auto& drain = found->second;
  const std::int64_t rate = std::clamp(drain.order.kick_rate, 1U, kMaxKickRate);
  const auto begin_ms =
      std::int64_t{drain.order.deadline} * 1000 - kMarginMs - std::int64_t{left} * 1000 / rate;
  if (now_ms < begin_ms && !drain.ending) return 0;
  if (!drain.ending) {
    drain.ending = true;
    drain.counted_ms = now_ms;
    drain.credit = 1;
  }
  // A clock that is set back costs a moment, not the pace.
  const auto passed = std::clamp<std::int64_t>(now_ms - drain.counted_ms, 0, 1000);
  drain.counted_ms = now_ms;
  drain.credit =
      std::min(drain.credit + static_cast<double>(passed * rate) / 1000, static_cast<double>(rate));
  const auto count = std::min(left, static_cast<std::uint32_t>(drain.credit));
  drain.credit -= count;
  return count;
}

std::string Drains::to_text() const {
  std::string out(kHeader);
  for (const auto& [agent, drain] : drains_) {
    const auto& order = drain.order;
    out += agent.empty() ? kEdge : agent;
    for (const auto number : {order.since, order.deadline, order.kick_rate, order.began_with})
      out += ' ' + std::to_string(number);
    out += '\n';
  }
  return out;
}

std::optional<std::vector<DrainOrder>> orders_of(std::string_view text) {
  if (!text.starts_with(kHeader)) return std::nullopt;
  text.remove_prefix(kHeader.size());
  std::vector<DrainOrder> out;
  while (!text.empty()) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto order = order_of(text.substr(0, end));
    if (!order) return std::nullopt;
    out.push_back(std::move(*order));
    text.remove_prefix(end + 1);
  }
  return out;
}

bool is_agent_name(std::string_view name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return !name.empty() && name.size() <= kLongestName &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace sluice::edge
