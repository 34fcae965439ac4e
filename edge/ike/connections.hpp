#pragma once
// What charon is told over vici: connections, keys, users, certificates. Pure functions of the configuration.

#include <string>
#include <string_view>
#include <vector>

#include "edge/ike/config.hpp"
#include "vici/message.hpp"

namespace sluice::edge {

/// Our objects' names in charon begin with it.
inline constexpr std::string_view kNamePrefix = "sluice-";
inline constexpr const char* kChildName = "l2tp";

inline bool is_ours(std::string_view name) {
  return name.starts_with(kNamePrefix);
}

/// "sluice-psk-main": a connection for each way of authentication of each listener, because charon ties a
/// connection to one. Where keys belong to listeners, further addresses have ".2" and so on after it.
std::string connection_name(const IkeListener& listener, IkeAuth auth);

/// What there is to load, in this order: credentials first, so that no connection stands without them.
struct CharonObjects {
  std::vector<vici::Message> certificates;  ///< for load-cert
  std::vector<vici::Message> private_keys;  ///< for load-key
  std::vector<vici::Message> secrets;       ///< for load-shared: keys and users' passwords
  std::vector<vici::Message> connections;   ///< for load-conn, one section each
};
CharonObjects charon_objects(const IkeConfig& config);

/// Whether a peer calls itself what one of our listeners is called, where keys belong to listeners. charon
/// takes a key that fits either end's name, so that with such a name the key of one listener would open
/// another.
bool bears_our_name(const IkeConfig& config, std::string_view identity);

}  // namespace sluice::edge
