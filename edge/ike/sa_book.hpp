#pragma once
// What the provider remembers of one charon: its SAs, IKE SAs and children. No I/O; thread: control.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "edge/ike/provider.hpp"

namespace sluice::edge {

/// charon counts its IKE SAs from one at each start; the edge's numbers go on.
class IkeSaNumbers {
 public:
  /// 0 stays 0.
  IkeSaId to_edge(std::uint32_t uid);
  /// Nothing if the IKE SA belonged to a charon that is gone.
  std::optional<std::uint32_t> to_charon(IkeSaId id) const;
  void charon_restarted() { base_ = highest_; }

 private:
  std::uint32_t base_ = 0, highest_ = 0;
};

/// Directions of the installed SAs: charon names an SA by SPI and destination.
class SaDirections {
 public:
  void add(Spi spi, const IpAddress& destination, bool inbound) { sas_[{spi, destination}] = inbound; }
  /// `hint` where the SA is not known.
  bool inbound(Spi spi, const IpAddress& destination, bool hint) const;
  void move(Spi spi, const IpAddress& from, const IpAddress& to);
  void remove(Spi spi, const IpAddress& destination) { sas_.erase({spi, destination}); }
  void clear() { sas_.clear(); }
  template <class F>
  void each_outbound(F&& call) const {
    for (const auto& [name, inbound] : sas_) {
      if (!inbound) call(name.first, name.second);
    }
  }

 private:
  std::map<std::pair<Spi, IpAddress>, bool> sas_;
};

/// The children that were told to the edge, so that each comes and goes once.
class Children {
 public:
  struct Child {
    IkeSaId ike_sa;
    Spi inbound, outbound;
  };
  /// False if it is known.
  bool add(const Child& child) { return children_.emplace(child.inbound, child).second; }
  std::optional<Child> take(Spi inbound);
  void move(IkeSaId from, IkeSaId to);
  void clear() { children_.clear(); }

 private:
  std::map<Spi, Child> children_;
};

}  // namespace sluice::edge
