#pragma once
// What a stranger may ask of the IKE daemon. A handshake's first message costs its sender nothing and the
// daemon half a second of memory and arithmetic, so that first messages have budgets: by address, by network
// (/24, /56), and in all for addresses that have not shown that they receive our answers. An address has
// shown it when it sends back what only an answer told it (a responder SPI, an IKEv2 cookie), or has live
// SAs; then only its own budget counts.
//
// The ceiling for the others has three lanes: for addresses not seen lately, for those that were seen a few
// times, and a narrow one for the rest. A flood from thousands of addresses soon fills the last and leaves
// the others to newcomers; one in which each packet has another address fills the first, and honest clients
// come in by their resends.
//
// Fixed memory, no allocation but for live addresses, keyed hashes. No I/O. Thread: one worker.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "base/siphash.hpp"
#include "base/time.hpp"
#include "edge/dataplane/rate_budget.hpp"

namespace sluice::edge {

/// Why an IKE message was dropped before the IKE daemon saw it.
enum class IkeDrop : std::uint8_t {
  kMalformed,   ///< not an IKE message
  kSourceRate,  ///< beyond the budget of its address
  kPrefixRate,  ///< beyond the budget of its network
  kNewRate,     ///< beyond the ceiling for addresses that have not shown that they receive our answers
  kUnknownSa,   ///< of a handshake that we did not answer, beyond the budget for such
  kCount
};
std::string_view name_of(IkeDrop drop);

/// Handshakes a second that may begin; 0: no limit. Four seconds' worth (two for new_sources) may come at
/// once.
struct IkeLimits {
  std::uint32_t per_source = 100;
  std::uint32_t per_prefix = 400;   ///< from addresses that have not shown themselves, as the next
  std::uint32_t new_sources = 100;  ///< from addresses not seen lately, and as many from those seen a little
  SipKey key{};                     ///< random
};

class IkeGuard {
 public:
  struct Verdict {
    std::optional<IkeDrop> drop;
    bool proven = false;  ///< its address receives our answers
  };

  explicit IkeGuard(const IkeLimits& limits);

  /// From now on; as in IkeLimits.
  void set_rates(std::uint32_t per_source, std::uint32_t per_prefix, std::uint32_t new_sources) {
    limits_.per_source = per_source;
    limits_.per_prefix = per_prefix;
    limits_.new_sources = new_sources;
  }
  /// May this message (without non-ESP marker) go to the IKE daemon?
  Verdict admit(const IpAddress& source, Bytes message, Instant now);
  /// We answer `source` with a responder SPI or cookie: IkeView::token() of the answer.
  void expect(const IpAddress& source, std::uint64_t token);
  /// `source` has one more or one fewer peer with live SAs.
  void add_live(const IpAddress& source);
  void remove_live(const IpAddress& source);

  std::size_t live_sources() const { return live_.size(); }

 private:
  struct Entry {
    std::uint64_t key = 0;  ///< hash of address or network; 0: free
    RateBudget first, follow;
    Instant seen{};
    Instant proven_until{};
  };
  /// Groups of four: a newcomer takes the place of the one in its group that was silent longest, of the
  /// unproven ones while there are any.
  class Table {
   public:
    explicit Table(std::size_t groups) : groups_(groups) {}
    Entry* find(std::uint64_t key);
    Entry& place(std::uint64_t key, Instant now);

   private:
    std::vector<std::array<Entry, 4>> groups_;
  };
  /// How often an address was seen lately: six bytes each, so that a flood takes long to wash one out.
  class Sightings {
   public:
    /// Before this one, in the last minute or so.
    unsigned count(std::uint64_t key, Instant now);

   private:
    static constexpr std::size_t kGroups = 16384;
    struct Sighting {
      std::uint16_t tag = 0;   ///< 0: free
      std::uint16_t when = 0;  ///< in units of 250 ms; wraps after four hours
      std::uint8_t count = 0;  ///< stops at 255
    };
    std::vector<std::array<Sighting, 16>> groups_ = std::vector<std::array<Sighting, 16>>(kGroups);
  };
  class Tokens {
   public:
    void add(std::uint64_t fingerprint);
    bool contains(std::uint64_t fingerprint) const;

   private:
    static constexpr std::size_t kGroups = 4096;
    std::vector<std::array<std::uint64_t, 4>> groups_ = std::vector<std::array<std::uint64_t, 4>>(kGroups);
    std::size_t turn_ = 0;
  };

  std::optional<IkeDrop> admit_first(Entry& entry, bool proven, const IpAddress& source, Instant now);
  std::optional<IkeDrop> admit_later(Entry* entry, bool proven, Instant now);
  std::uint64_t hash(Bytes bytes) const;
  std::uint64_t fingerprint(const IpAddress& source, std::uint64_t token) const;

  IkeLimits limits_;
  Table sources_, prefixes_;
  Tokens tokens_;
  Sightings sightings_;
  RateBudget fresh_, few_, many_, strays_;
  std::unordered_map<IpAddress, std::uint32_t> live_;
};

}  // namespace sluice::edge
