#pragma once
// What the swarm is asked to do.

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/ip.hpp"
#include "base/secret.hpp"
#include "lab/swarm/sources.hpp"

namespace sluice::swarm {

struct Options {
  IpAddress edge;
  std::uint16_t natt_port = 4500;
  std::uint32_t clients = 1;
  double rate = 50;            ///< connections begun a second; 0: as fast as it goes
  Sources sources;             ///< at least one for each client
  std::string user = "user%";  ///< % is the client's number, from 1
  std::string identity = "client%.swarm";
  Secret password;

  IpAddress target;              ///< of the echoes; unspecified: the agent's end of the link
  double echo_rate = 0;          ///< a second and client; 0: none are sent
  std::uint32_t echo_size = 84;  ///< octets of IP

  Duration duration{};       ///< once all are up; 0: until a signal
  std::uint64_t cycles = 0;  ///< connections in all, each ended once it is up; 0: they stay
  Duration hold{};           ///< how long each of them stays
  bool redial = false;
  Duration redial_delay{};                       ///< after a connection was lost or failed
  Duration patience = std::chrono::seconds(30);  ///< for each of: keys, L2TP and PPP
  Duration progress = std::chrono::seconds(1);
};

/// '%' in a pattern becomes the number.
std::string numbered(const std::string& pattern, std::uint64_t number);

}  // namespace sluice::swarm
