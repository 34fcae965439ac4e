#pragma once
// Which algorithms are offered to which kind of client: one table, in the order in which we prefer them.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::edge {

enum class IkeProfile : std::uint8_t {
  kModern,         ///< AEAD and SHA-2, elliptic curves or MODP2048 and larger; no SHA-1
  kWindows,        ///< Windows 10 and 11 as installed
  kApple,          ///< macOS and iOS
  kChromeos,       ///< ChromeOS
  kAndroidLegacy,  ///< Android to 12 (racoon): MODP1024, and 3DES at the end. Weak
  kCount
};

/// "android-legacy"
std::string_view name_of(IkeProfile profile);
std::optional<IkeProfile> parse_ike_profile(std::string_view name);
/// In the order of the enumeration, for messages and settings.
std::vector<std::string_view> ike_profile_names();
/// Whether it holds algorithms that a well-equipped attacker breaks (MODP1024, 3DES): by name only.
bool is_weak(IkeProfile profile);
/// All that are not weak.
std::vector<IkeProfile> default_ike_profiles();

/// strongSwan proposal strings, best first, of all these profiles together; each once.
std::vector<std::string> ike_proposals(const std::vector<IkeProfile>& profiles);
std::vector<std::string> esp_proposals(const std::vector<IkeProfile>& profiles);

}  // namespace sluice::edge
