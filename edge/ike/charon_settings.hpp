#pragma once
// What charon is told, as text and vici messages: pure functions of the configuration.

#include <filesystem>
#include <string>
#include <vector>

#include "edge/ike/config.hpp"
#include "vici/message.hpp"

namespace sluice::edge {

/// The names under which our objects live in charon.
inline constexpr const char* kConnectionName = "sluice";
inline constexpr const char* kChildName = "l2tp";

struct CharonPaths {
  std::filesystem::path feed_socket, vici_socket;
};

/// strongswan.conf. Holds no secret.
std::string charon_settings(const IkeConfig& config, const CharonPaths& paths);
/// For load-conn.
vici::Message connection_message(const IkeConfig& config);
/// For load-shared, one for each key.
std::vector<vici::Message> secret_messages(const IkeConfig& config);

/// Everything wrong with the configuration, each as a sentence; empty: nothing.
std::vector<std::string> check_config(const IkeConfig& config);

}  // namespace sluice::edge
