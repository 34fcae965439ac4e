#include "backend-agent/radius/users_file.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "base/text.hpp"

namespace sluice::agent {
namespace {

constexpr std::array<std::string_view, 3> kKeys{"password", "nt_hash", "address"};

class Reader {
 public:
  Reader(std::string file) : file_(std::move(file)) {}

  void read(const toml::table& root) {
    for (const auto& [name, node] : root) {
      const auto* table = node.as_table();
      if (table == nullptr) {
        add(key_source(name),
            "a user is a table: write [" + escaped(name.str()) + "] and the password below it");
      } else {
        read_user(std::string(name.str()), *table);
      }
    }
  }

  Users users;
  app::ConfigErrors errors;

 private:
  static const toml::source_region& key_source(const toml::key& key) { return key.source(); }
  void add(const toml::source_region& where, std::string text) {
    errors.push_back({file_, where.begin.line, where.begin.column, std::move(text)});
  }

  void read_user(const std::string& name, const toml::table& table) {
    User user;
    for (const auto& [key, node] : table) {
      const auto text = node.value_exact<std::string>();
      const bool known = std::find(kKeys.begin(), kKeys.end(), key.str()) != kKeys.end();
      if (!known) {
        const auto near = nearest(key.str(), kKeys);
        add(key.source(), "unknown key " + escaped(key.str()) + " of user " + escaped(name) +
                              (near ? ". Did you mean " + std::string(*near) + "?" : ""));
      } else if (!text) {
        add(node.source(), std::string(key.str()) + " must be a text in quotes");
      } else {
        read_key(key.str(), *text, node.source(), user);
      }
    }
    const bool one = user.credential.password.has_value() != user.credential.nt_hash.has_value();
    if (!one && errors.empty()) {
      add(table.source(),
          "user " + escaped(name) + " needs either password or nt_hash, and only one of them");
    }
    if (!name.empty()) users.insert_or_assign(name, std::move(user));
  }

  void read_key(std::string_view key, const std::string& text, const toml::source_region& where, User& user) {
    if (key == "password") {
      if (text.empty()) add(where, "password is empty");
      user.credential.password = Secret(text);
    } else if (key == "nt_hash") {
      const auto bytes = from_hex(text);
      ppp::NtHash hash{};
      if (!bytes || bytes->size() != hash.size()) return add(where, "nt_hash must be 32 hex digits");
      std::copy(bytes->begin(), bytes->end(), hash.begin());
      user.credential.nt_hash = hash;
    } else {
      user.address = IpAddress::parse(text);
      if (!user.address || user.address->is_v6()) add(where, "address must be an IPv4 address");
    }
  }

  std::string file_;
};

}  // namespace

Result<Users, app::ConfigErrors> parse_users(std::string_view text, const std::string& file_name) {
  Reader reader(file_name);
  try {
    reader.read(toml::parse(text, file_name));
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    return Failure{app::ConfigErrors{{file_name, at.line, at.column, std::string(error.description())}}};
  }
  if (!reader.errors.empty()) return Failure{reader.errors};
  return std::move(reader.users);
}

Result<Users, app::ConfigErrors> load_users(const std::filesystem::path& file) {
  if (auto wrong = app::check_secret_file(file)) {
    return Failure{app::ConfigErrors{{file.string(), 0, 0, std::move(*wrong)}}};
  }
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof()) return Failure{app::ConfigErrors{{file.string(), 0, 0, "cannot be read"}}};
  auto users = parse_users(text, file.string());
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return users;
}

void UsersFile::authenticate(AuthAttempt attempt, Done done) {
  const auto user = users_.find(attempt.request.user);
  if (user == users_.end()) {
    // To the peer an unknown user looks like a wrong password.
    ppp::AuthVerdict verdict;
    verdict.message = "Authentication failed";
    verdict.cause = "unknown-user";
    verdict.detail = "the users file does not name this user";
    return done({std::move(verdict), std::nullopt});
  }
  done({ppp::verify(attempt.request, user->second.credential), user->second.address});
}

std::unordered_set<std::uint32_t> UsersFile::addresses() const {
  std::unordered_set<std::uint32_t> out;
  for (const auto& [name, user] : users_) {
    if (user.address) out.insert(user.address->to_v4());
  }
  return out;
}

}  // namespace sluice::agent
