#include "edge/ike/profiles.hpp"

#include <algorithm>
#include <array>
#include <span>

namespace sluice::edge {
namespace {

constexpr unsigned bit(IkeProfile profile) {
  return 1U << static_cast<unsigned>(profile);
}

struct Name {
  IkeProfile profile;
  std::string_view name;
  bool weak;
};
constexpr std::array kNames{
    Name{IkeProfile::kModern, "modern", false},
    Name{IkeProfile::kWindows, "windows", false},
    Name{IkeProfile::kApple, "apple", false},
    Name{IkeProfile::kChromeos, "chromeos", false},
    Name{IkeProfile::kAndroidLegacy, "android-legacy", true},
};
static_assert(kNames.size() == static_cast<std::size_t>(IkeProfile::kCount));

constexpr unsigned kModern = bit(IkeProfile::kModern), kWindows = bit(IkeProfile::kWindows),
                   kApple = bit(IkeProfile::kApple), kChromeos = bit(IkeProfile::kChromeos),
                   kAndroid = bit(IkeProfile::kAndroidLegacy);

struct Row {
  const char* proposal;
  unsigned profiles;
};

// Ours decides where a client offers several, so the rows stand by strength, and within it by cost; in a row
// of several algorithms the client's order counts.
constexpr std::array kIke{
    Row{"aes256gcm16-aes128gcm16-prfsha384-prfsha256-x25519-ecp384-ecp256-modp3072-modp2048", kModern},
    Row{"aes256-aes192-aes128-sha512-sha384-sha256-x25519-ecp384-ecp521-ecp256-modp4096-modp3072-modp2048",
        kModern},
    Row{"aes256-sha256-modp2048", kApple},
    Row{"aes128-sha256-modp3072", kChromeos},
    // All that Windows sends is SHA-1; as a PRF and in HMAC it still holds.
    Row{"aes256-sha1-ecp384", kWindows},
    Row{"aes128-sha1-ecp256", kWindows},
    Row{"aes256-sha1-modp2048", kWindows | kApple},
    Row{"aes128-sha1-modp2048", kChromeos},
    Row{"aes256-aes128-sha512-sha384-sha256-sha1-modp1024", kAndroid},
    Row{"3des-sha1-modp1024", kAndroid},
};

// CBC with HMAC-SHA1 before SHA-256: old Androids cut SHA-256 to 96 bits, which nobody else understands, and
// offer both. Clients that can do better offer GCM.
constexpr std::array kEsp{
    Row{"aes256gcm16", kModern},
    Row{"aes128gcm16", kModern | kChromeos},
    Row{"aes256-sha1", kWindows | kApple | kAndroid},
    Row{"aes128-sha1", kWindows | kApple | kChromeos | kAndroid},
    Row{"aes256-sha256", kModern | kApple},
    Row{"aes128-sha256", kModern | kApple | kChromeos},
    Row{"3des-sha1", kAndroid},
};

std::vector<std::string> choose(std::span<const Row> table, const std::vector<IkeProfile>& profiles) {
  unsigned wanted = 0;
  for (const auto profile : profiles) wanted |= bit(profile);
  std::vector<std::string> out;
  for (const auto& row : table) {
    if ((row.profiles & wanted) != 0) out.emplace_back(row.proposal);
  }
  return out;
}

const Name& entry(IkeProfile profile) {
  return kNames.at(static_cast<std::size_t>(profile));
}

}  // namespace

std::string_view name_of(IkeProfile profile) {
  return entry(profile).name;
}

std::optional<IkeProfile> parse_ike_profile(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, &Name::name);
  if (found == kNames.end()) return std::nullopt;
  return found->profile;
}

std::vector<std::string_view> ike_profile_names() {
  std::vector<std::string_view> out;
  for (const auto& row : kNames) out.push_back(row.name);
  return out;
}

bool is_weak(IkeProfile profile) {
  return entry(profile).weak;
}

std::vector<IkeProfile> default_ike_profiles() {
  std::vector<IkeProfile> out;
  for (const auto& row : kNames) {
    if (!row.weak) out.push_back(row.profile);
  }
  return out;
}

std::vector<std::string> ike_proposals(const std::vector<IkeProfile>& profiles) {
  return choose(kIke, profiles);
}

std::vector<std::string> esp_proposals(const std::vector<IkeProfile>& profiles) {
  return choose(kEsp, profiles);
}

}  // namespace sluice::edge
