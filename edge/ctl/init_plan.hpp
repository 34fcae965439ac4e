#pragma once
// What `sluicectl init` is to make, as a value, and the configuration files that follow from it. No I/O.

#include <optional>
#include <string>
#include <vector>

#include "base/ip.hpp"
#include "base/secret.hpp"

namespace sluice::ctl {

struct NewAgent {
  std::string name;
  std::string host;  ///< where root reaches it by ssh: an address or a name
};

struct NewUser {
  std::string name;
  Secret password;
};

/// One edge and its agents.
struct InitPlan {
  std::string edge = "edge1";
  std::vector<IpAddress> addresses;  ///< that clients dial
  bool all_in_one = false;           ///< its one agent is on the edge's machine
  std::vector<NewAgent> agents;
  Endpoint channel;  ///< where agents dial the edge
  Prefix pool;       ///< of the clients' addresses; the agents share it
  std::vector<IpAddress> dns;
  std::vector<std::string> users;
};

inline constexpr std::uint16_t kChannelPort = 4600;
/// Of the edge's first data thread; an agent beside it must take others.
inline constexpr std::uint16_t kDataPort = 4601, kDataPortBeside = 4701;

/// "NAME" or "NAME=HOST"; nothing if it is neither. Without HOST the name is the host's, too.
std::optional<NewAgent> parse_agent(const std::string& text);

/// Why the plan cannot be carried out, in a sentence; nothing if it can.
std::optional<std::string> fault_of(const InitPlan& plan);

/// Equal parts of a network, one an agent, as large as there is room for. `count` is at least 1, and there is
/// room.
std::vector<Prefix> shares_of(const Prefix& pool, std::size_t count);

/// Paths in all of them are relative: the files lie in one folder, wherever that is.
std::string edge_toml(const InitPlan& plan);
std::string agent_toml(const InitPlan& plan, std::size_t agent);
/// Holds the passwords.
Secret users_toml(const std::vector<NewUser>& users);

}  // namespace sluice::ctl
