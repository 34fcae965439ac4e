#pragma once
// The tunnels of one peer, found by what its packets name. Nearly every peer has one, which is found without
// leaving the object; further ones cost a short walk. Thread: one.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/ids.hpp"

namespace sluice::edge {

template <class Relay>
class Routes {
 public:
  /// A tunnel id of the agent's and the client's UDP port inside ESP. Each pair once.
  void add(TunnelId tunnel, std::uint16_t port, Relay* relay) {
    const Route route{key_of(tunnel, port), relay};
    if (first_.relay == nullptr) {
      first_ = route;
    } else {
      more_.push_back(route);
    }
  }
  void remove(const Relay* relay) {
    std::erase_if(more_, [relay](const Route& route) { return route.relay == relay; });
    if (first_.relay != relay) return;
    first_ = more_.empty() ? Route{} : more_.back();
    if (!more_.empty()) more_.pop_back();
  }
  /// Null when there is none.
  Relay* find(TunnelId tunnel, std::uint16_t port) const {
    const auto key = key_of(tunnel, port);
    if (first_.key == key) [[likely]]
      return first_.relay;
    const auto at = std::find_if(more_.begin(), more_.end(), [key](const Route& r) { return r.key == key; });
    return at == more_.end() ? nullptr : at->relay;
  }
  /// The one that a packet most likely belongs to, for a prefetch; null when there is none.
  const Relay* likeliest() const { return first_.relay; }
  template <class Visit>
  void for_each(Visit visit) const {
    if (first_.relay != nullptr) visit(*first_.relay);
    for (const Route& route : more_) visit(*route.relay);
  }
  bool empty() const { return first_.relay == nullptr; }
  std::size_t size() const { return (empty() ? 0 : 1) + more_.size(); }

 private:
  struct Route {
    std::uint32_t key = 0;  ///< 0 is no tunnel's: tunnel ids are not 0
    Relay* relay = nullptr;
  };
  static std::uint32_t key_of(TunnelId tunnel, std::uint16_t port) {
    return std::uint32_t{tunnel.value()} << 16 | port;
  }

  Route first_;
  std::vector<Route> more_;
};

}  // namespace sluice::edge
