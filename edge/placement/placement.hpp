#pragma once
// Who gets the next tunnel (docs/placement.md): pure functions over views of the agents. The same state and
// the same random numbers give the same answer.

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/ip.hpp"
#include "base/random.hpp"

namespace sluice::edge {

enum class Policy : std::uint8_t {
  kLeastLoaded,
  kTwoChoices,    ///< the less loaded of two, drawn by weight
  kRoundRobin,    ///< in turn, by weight
  kIdentityHash,  ///< the same client, the same agent (rendezvous hashing)
};
std::string_view name_of(Policy policy);
std::optional<Policy> policy_of(std::string_view name);

/// How much each figure counts in a score, in percent.
struct LoadWeights {
  std::uint32_t sessions = 100;
  std::uint32_t cpu = 300;                   ///< what a worker without a moment of rest adds
  std::uint32_t packets = 100;               ///< what `full_packet_rate` adds
  std::uint32_t radius = 100;                ///< what RADIUS adds that takes two seconds to answer
  std::uint32_t addresses = 100;             ///< what an address pool adds that is about to run out
  std::uint32_t full_packet_rate = 200'000;  ///< packets a second
  bool operator==(const LoadWeights&) const = default;
};

/// What placement knows of one agent.
struct Candidate {
  BackendId id;
  std::string name;
  std::uint32_t weight = 1;       ///< share of the tunnels, at least 1
  std::uint32_t tunnels = 0;      ///< what it has, those on their way to it included
  std::uint32_t max_tunnels = 0;  ///< 0: no limit
  std::optional<std::uint32_t> free_addresses{};
  std::uint32_t busy_permille = 0;  ///< of its busiest worker: how much it ran or waited for a core
  std::uint64_t packets_per_second = 0;
  std::uint32_t radius_ms = 0;
  double handicap = 0;  ///< tunnels that a newcomer is taken to have besides (slow start)
  bool alive = false;
  bool draining = false;
  bool speaks_l2tp = true;  ///< false: a probe has shown that it does not
  bool late = false;        ///< its load report is
  bool ejected = false;     ///< it refused or did not answer, and has its time to recover
  bool damped = false;      ///< its channel comes and goes
};

/// Load per unit of weight; the lowest is the best.
double score(const Candidate& agent, const LoadWeights& weights);

/// Why an agent gets no tunnel.
enum class Out : std::uint8_t {
  kNotInPool,
  kTried,  ///< it refused this very tunnel
  kDown,
  kDraining,
  kNoL2tp,
  kFull,
  kNoAddress,
  // Those after this one get tunnels when nobody else can.
  kLate,
  kEjected,
  kDamped,
};
std::string_view text_of(Out out);
inline bool is_last_resort(Out out) {
  return out >= Out::kLate;
}

/// Agents that belong together. Names may have the wildcards * and ?.
struct Pool {
  std::string name;
  std::vector<std::string> agents;
  std::optional<Policy> policy{};
  std::string spare{};  ///< the pool that is asked when this one can take nothing; empty: none
  bool operator==(const Pool&) const = default;
};

/// Sends clients to a pool. What is empty matches everybody.
struct PoolRule {
  std::string listener{};  ///< "main" is [listen]
  std::string identity{};  ///< with wildcards
  std::string realm{};     ///< "user@realm", or the last labels of a name
  std::string pool{};
  bool operator==(const PoolRule&) const = default;
};

struct PlacementRules {
  Policy policy = Policy::kLeastLoaded;
  LoadWeights load{};
  std::vector<Pool> pools{};
  std::vector<PoolRule> rules{};  ///< the first that matches holds
  /// For whom no rule matches. Empty: the agents that no pool names.
  std::string default_pool{};
  bool operator==(const PlacementRules&) const = default;
};

/// All that is known of a client before PPP.
struct PlacementRequest {
  std::string identity{};  ///< IKE, as the peer gave it
  std::string listener{};
  std::string host{};  ///< the tunnel's Host Name AVP
  std::optional<IpAddress> address{};
  std::optional<std::string> former{};  ///< the agent it had lately
  std::vector<BackendId> tried{};
};
/// What a client is recognised by: many share an address, and with pre-shared keys an identity too.
std::string client_key(const PlacementRequest& request);

/// The state of round robin: what each agent is owed.
using Turns = std::map<std::string, std::int64_t, std::less<>>;

struct Verdict {
  BackendId id;
  std::string name;
  double score = 0;
  std::optional<Out> out{};
  bool spare = false;  ///< of the spare pool
};

enum class Because : std::uint8_t { kNobody, kPolicy, kFormer };

struct Decision {
  std::optional<BackendId> chosen{};
  Because because = Because::kNobody;
  Policy policy = Policy::kLeastLoaded;
  std::string pool{};                 ///< empty: the agents that no pool names
  std::optional<std::size_t> rule{};  ///< which matched, from 0
  bool from_spare = false;
  bool last_resort = false;  ///< nobody in rotation could take it
  std::vector<Verdict> verdicts{};
};

/// Why the chosen agent was, for an operator.
std::string because_text(const Decision& decision);

/// `turns` is changed by round robin alone.
Decision decide(const PlacementRules& rules, const PlacementRequest& request,
                std::span<const Candidate> agents, Turns& turns, RandomSource& random);

/// Whether there are clients that both may get.
bool share_pool(const PlacementRules& rules, std::string_view a, std::string_view b);

/// Case does not count; * is any text, ? any character. Takes time in proportion to the product of the sizes.
bool matches(std::string_view pattern, std::string_view text);
bool in_realm(std::string_view identity, std::string_view realm);

}  // namespace sluice::edge
