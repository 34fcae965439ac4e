#include "edge/ike/sa_book.hpp"

#include <algorithm>

namespace sluice::edge {

IkeSaId IkeSaNumbers::to_edge(std::uint32_t uid) {
  if (uid == 0) return IkeSaId{};
  highest_ = std::max(highest_, base_ + uid);
  return IkeSaId(base_ + uid);
}

std::optional<std::uint32_t> IkeSaNumbers::to_charon(IkeSaId id) const {
  if (id.value() <= base_) return std::nullopt;
  return id.value() - base_;
}

bool SaDirections::inbound(Spi spi, const IpAddress& destination, bool hint) const {
  const auto found = sas_.find({spi, destination});
  return found == sas_.end() ? hint : found->second;
}

void SaDirections::move(Spi spi, const IpAddress& from, const IpAddress& to) {
  auto node = sas_.extract({spi, from});
  if (node.empty()) return;
  node.key() = {spi, to};
  sas_.insert(std::move(node));
}

std::optional<Children::Child> Children::take(Spi inbound) {
  const auto found = children_.find(inbound);
  if (found == children_.end()) return std::nullopt;
  const Child child = found->second;
  children_.erase(found);
  return child;
}

void Children::move(IkeSaId from, IkeSaId to) {
  for (auto& [spi, child] : children_) {
    if (child.ike_sa == from) child.ike_sa = to;
  }
}

}  // namespace sluice::edge
