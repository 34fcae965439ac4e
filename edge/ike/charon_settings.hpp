#pragma once
// charon's strongswan.conf, and what can be wrong with a configuration: pure functions of it.

#include <filesystem>
#include <string>
#include <vector>

#include "edge/ike/config.hpp"

namespace sluice::edge {

/// Beside strongswan.conf, which includes it where EAP-RADIUS is used; holds secrets.
inline constexpr const char* kRadiusFile = "radius.conf";

struct CharonPaths {
  std::filesystem::path feed_socket, vici_socket;
};

/// strongswan.conf. Holds no secret.
std::string charon_settings(const IkeConfig& config, const CharonPaths& paths);
/// The RADIUS servers, with their secrets: for kRadiusFile.
Secret radius_settings(const IkeConfig& config);

/// Everything wrong with the configuration, each as a sentence; empty: nothing.
std::vector<std::string> check_config(const IkeConfig& config);

}  // namespace sluice::edge
