#pragma once
// Users in a TOML file: one table a user, as in docs/examples/users.toml. Thread: control.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "backend-agent/radius/authenticator.hpp"
#include "base/app/config_table.hpp"

namespace sluice::agent {

struct User {
  ppp::Credential credential;
  std::optional<IpAddress> address;
};
using Users = std::map<std::string, User, std::less<>>;

/// Reads the file; refuses one that others may read. Every error with line and column, no secret in any.
Result<Users, app::ConfigErrors> load_users(const std::filesystem::path& file);
Result<Users, app::ConfigErrors> parse_users(std::string_view text, const std::string& file_name);

class UsersFile final : public Authenticator {
 public:
  explicit UsersFile(Users users) : users_(std::move(users)) {}
  void authenticate(AuthAttempt attempt, Done done) override;
  /// From now on; sessions that are up stay.
  void replace(Users users) { users_ = std::move(users); }
  std::size_t size() const { return users_.size(); }
  /// Fixed addresses, host order.
  std::unordered_set<std::uint32_t> addresses() const;

 private:
  Users users_;
};

}  // namespace sluice::agent
