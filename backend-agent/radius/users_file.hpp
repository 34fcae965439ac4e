#pragma once
// Users in a TOML file: one table a user, as in docs/examples/users.toml. Thread: control.

#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "backend-agent/radius/authenticator.hpp"
#include "base/app/config_table.hpp"

namespace sluice::agent {

struct User {
  ppp::Credential credential;
  std::string password_hash;  ///< bcrypt, argon2 or PBKDF2 in text form; PAP alone can be checked against it
  radius::Grant grant;
};
using Users = std::map<std::string, User, std::less<>>;

/// What users may name, of the agent's configuration.
struct UsersContext {
  std::set<std::string, std::less<>> pools, ipv6_pools, delegated_pools, filters;
  IpAddress local;  ///< our end of every link: nobody else's address
};

/// Reads the file; refuses one that others may read. Every error with line and column, no secret in any.
/// Without `context` any name will do.
Result<Users, app::ConfigErrors> load_users(const std::filesystem::path& file,
                                            const UsersContext* context = nullptr);
Result<Users, app::ConfigErrors> parse_users(std::string_view text, const std::string& file_name,
                                             const UsersContext* context = nullptr);

class UsersFile final : public Authenticator {
 public:
  /// Does slow work elsewhere and calls `then` with its result, later, on the control thread. False when too
  /// much waits already.
  using Offload = std::function<bool(std::function<bool()> work, std::function<void(bool)> then)>;
  /// Without `offload` password hashes are worked out at once.
  explicit UsersFile(Users users, Offload offload = {})
      : users_(std::move(users)), offload_(std::move(offload)) {}
  void authenticate(AuthAttempt attempt, Done done) override;
  void forget(SessionSerial) override {}
  bool knows(std::string_view user) const { return users_.find(user) != users_.end(); }
  /// From now on; sessions that are up stay.
  void replace(Users users) { users_ = std::move(users); }
  std::size_t size() const { return users_.size(); }
  /// Fixed addresses, host order.
  std::unordered_set<std::uint32_t> addresses() const;
  /// Fixed IPv6 prefixes, of links and delegated.
  std::vector<Prefix> prefixes() const;

 private:
  void check_hash(const User& user, Secret password, Done done);
  void refuse_unknown(AuthAttempt attempt, Done done);

  Users users_;
  Offload offload_;
};

}  // namespace sluice::agent
