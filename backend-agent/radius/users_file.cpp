#include "backend-agent/radius/users_file.hpp"

#include <botan/argon2.h>
#include <botan/bcrypt.h>
#include <botan/passhash9.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>

#include "base/app/config_texts.hpp"
#include "base/text.hpp"

namespace sluice::agent {
namespace {

constexpr std::int64_t kMaxNumber = UINT32_MAX, kKilobit = 1000;

/// Where a value stands, and how to complain about it.
struct Value {
  const toml::node& node;
  std::function<void(std::string)> wrong;
  const UsersContext* context = nullptr;
  std::optional<std::string> text() const {
    auto out = node.value_exact<std::string>();
    if (!out) wrong("must be a text in quotes");
    return out;
  }
  std::optional<std::uint32_t> number() const {
    const auto out = node.value_exact<std::int64_t>();
    if (out && *out >= 0 && *out <= kMaxNumber) return static_cast<std::uint32_t>(*out);
    wrong("must be a whole number");
    return std::nullopt;
  }
};

bool known_hash(std::string_view text) {
  constexpr std::array<std::string_view, 5> kForms{"$2a$", "$2b$", "$2y$", "$argon2", "$9$"};
  return std::any_of(kForms.begin(), kForms.end(), [&](auto form) { return text.starts_with(form); });
}

void read_password(const Value& value, User& user) {
  const auto text = value.text();
  if (!text) return;
  if (text->empty()) value.wrong("is empty");
  user.credential.password = Secret(*text);
}

void read_nt_hash(const Value& value, User& user) {
  const auto text = value.text();
  if (!text) return;
  const auto bytes = from_hex(*text);
  ppp::NtHash hash{};
  if (!bytes || bytes->size() != hash.size()) return value.wrong("must be 32 hex digits");
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  user.credential.nt_hash = hash;
}

void read_password_hash(const Value& value, User& user) {
  const auto text = value.text();
  if (!text) return;
  if (!known_hash(*text))
    return value.wrong("is none that is known here: bcrypt ($2b$), argon2 ($argon2id$), PBKDF2 ($9$)");
  user.password_hash = *text;
}

void read_address(const Value& value, User& user) {
  const auto text = value.text();
  if (!text) return;
  user.grant.address = IpAddress::parse(*text);
  if (!user.grant.address || user.grant.address->is_v6()) return value.wrong("must be an IPv4 address");
  if (value.context != nullptr && *user.grant.address == value.context->local)
    value.wrong("is ppp.local_address, our own end of every link");
}

/// A name that must be one of the configuration's.
template <auto Member, auto Known>
void read_name(const Value& value, User& user) {
  auto text = value.text();
  if (!text) return;
  if (value.context != nullptr && !(value.context->*Known).contains(*text)) {
    const auto& known = value.context->*Known;
    const std::vector<std::string_view> names(known.begin(), known.end());
    const auto near = nearest(*text, names);
    return value.wrong("\"" + escaped(*text) + "\" is not there in the agent's configuration" +
                       (near ? ". Did you mean \"" + std::string(*near) + "\"?" : ""));
  }
  user.grant.*Member = std::move(*text);
}
template <auto Member>
void read_rate(const Value& value, User& user) {
  if (const auto number = value.number()) user.grant.*Member = *number * static_cast<std::uint64_t>(kKilobit);
}
template <auto Member>
void read_seconds(const Value& value, User& user) {
  if (const auto number = value.number()) user.grant.*Member = std::chrono::seconds(*number);
}
template <auto Member>
void read_prefix(const Value& value, User& user) {
  const auto text = value.text();
  if (!text) return;
  const auto prefix = Prefix::parse(*text);
  if (!prefix || prefix->network.is_v4()) return value.wrong("must be an IPv6 prefix");
  user.grant.*Member = *prefix;
}

void read_routes(const Value& value, User& user) {
  const auto* list = value.node.as_array();
  if (list == nullptr) return value.wrong("must be a list of networks");
  for (const auto& item : *list) {
    const auto text = item.value_exact<std::string>();
    const auto route = text ? Prefix::parse(*text) : std::nullopt;
    route ? user.grant.routes.push_back(*route) : value.wrong("must hold networks as \"192.168.7.0/24\"");
  }
}

struct Key {
  std::string_view name;
  void (*read)(const Value&, User&);
};
constexpr std::array kKeys{
    Key{"password", read_password},
    Key{"nt_hash", read_nt_hash},
    Key{"password_hash", read_password_hash},
    Key{"address", read_address},
    Key{"pool", read_name<&radius::Grant::pool, &UsersContext::pools>},
    Key{"ipv6_pool", read_name<&radius::Grant::ipv6_pool, &UsersContext::ipv6_pools>},
    Key{"delegated_pool", read_name<&radius::Grant::delegated_pool, &UsersContext::delegated_pools>},
    Key{"filter", read_name<&radius::Grant::filter_id, &UsersContext::filters>},
    Key{"rate_up", read_rate<&radius::Grant::rate_up>},
    Key{"rate_down", read_rate<&radius::Grant::rate_down>},
    Key{"session_timeout", read_seconds<&radius::Grant::session_timeout>},
    Key{"idle_timeout", read_seconds<&radius::Grant::idle_timeout>},
    Key{"routes", read_routes},
    Key{"ipv6_prefix", read_prefix<&radius::Grant::ipv6_prefix>},
    Key{"delegated_prefix", read_prefix<&radius::Grant::delegated_prefix>},
};

std::optional<std::string_view> nearest_key(std::string_view word) {
  std::array<std::string_view, kKeys.size()> names;
  std::transform(kKeys.begin(), kKeys.end(), names.begin(), [](const Key& key) { return key.name; });
  const auto near = nearest(word, names);
  if (!near) return std::nullopt;
  return *std::find(names.begin(), names.end(), *near);
}

class Reader {
 public:
  Reader(std::string file, const UsersContext* context) : file_(std::move(file)), context_(context) {}

  void read(const toml::table& root) {
    for (const auto& [name, node] : root) {
      const auto* table = node.as_table();
      if (table == nullptr) {
        add(name.source(),
            "a user is a table: write [" + escaped(name.str()) + "] and the password below it");
      } else {
        read_user(std::string(name.str()), *table);
      }
    }
  }

  Users users;
  app::ConfigErrors errors;

 private:
  void add(const toml::source_region& where, std::string text) {
    errors.push_back({file_, where.begin.line, where.begin.column, std::move(text)});
  }

  void read_user(const std::string& name, const toml::table& table) {
    User user;
    for (const auto& [key, node] : table) {
      const auto found =
          std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& k) { return k.name == key.str(); });
      if (found == kKeys.end()) {
        const auto near = nearest_key(key.str());
        add(key.source(), "unknown key " + escaped(key.str()) + " of user " + escaped(name) +
                              (near ? ". Did you mean " + std::string(*near) + "?" : ""));
        continue;
      }
      found->read(
          {node, [&](const std::string& text) { add(node.source(), std::string(key.str()) + " " + text); },
           context_},
          user);
    }
    const int proofs = int{user.credential.password.has_value()} + int{user.credential.nt_hash.has_value()} +
                       int{!user.password_hash.empty()};
    if (proofs != 1 && errors.empty()) {
      add(table.source(), "user " + escaped(name) +
                              " needs either password or nt_hash or password_hash, and only one of them");
    }
    check_address(name, user, table);
    if (!name.empty()) users.insert_or_assign(name, std::move(user));
  }

  void check_address(const std::string& name, const User& user, const toml::table& table) {
    if (!user.grant.address) return;
    const auto [other, fresh] = whose_.try_emplace(*user.grant.address, name);
    if (!fresh)
      add(table.get("address")->source(),
          "address " + user.grant.address->to_string() + " is user " + escaped(other->second) + "'s, too");
  }

  std::string file_;
  const UsersContext* context_;
  std::map<IpAddress, std::string> whose_;
};

/// A file of everybody's passwords is for one user alone, unlike a key that a group of daemons may share.
std::optional<std::string> open_to_group(const std::filesystem::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0 || (status.st_mode & S_IRWXG) == 0) return std::nullopt;
  return file.string() + " can be read or written by its group; it holds everybody's passwords: chmod 0600 " +
         file.string();
}

/// Whether a password is the one whose hash this is; slow by design.
bool matches(const Secret& password, const std::string& hash) {
  const std::string_view plain = password.text();
  bool good = false;
  std::string text;  // what Botan wants; wiped below
  try {
    if (hash.starts_with("$argon2")) return Botan::argon2_check_pwhash(plain.data(), plain.size(), hash);
    text = plain;
    good = hash.starts_with("$9$") ? Botan::check_passhash9(text, hash) : Botan::check_bcrypt(text, hash);
  } catch (const std::exception&) {
    good = false;  // a hash that is broken matches nothing
  }
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return good;
}

}  // namespace

Result<Users, app::ConfigErrors> parse_users(std::string_view text, const std::string& file_name,
                                             const UsersContext* context) {
  Reader reader(file_name, context);
  try {
    reader.read(toml::parse(text, file_name));
  } catch (const toml::parse_error& error) {
    const auto& at = error.source().begin;
    return Failure{app::ConfigErrors{{file_name, at.line, at.column, app::discreet(error.description())}}};
  }
  if (!reader.errors.empty()) return Failure{reader.errors};
  return std::move(reader.users);
}

Result<Users, app::ConfigErrors> load_users(const std::filesystem::path& file, const UsersContext* context) {
  if (auto wrong = app::check_secret_file(file)) {
    return Failure{app::ConfigErrors{{file.string(), 0, 0, std::move(*wrong)}}};
  }
  if (auto wrong = open_to_group(file)) {
    return Failure{app::ConfigErrors{{file.string(), 0, 0, std::move(*wrong)}}};
  }
  std::ifstream in(file);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof()) return Failure{app::ConfigErrors{{file.string(), 0, 0, "cannot be read"}}};
  auto users = parse_users(text, file.string(), context);
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return users;
}

void UsersFile::authenticate(AuthAttempt attempt, Done done) {
  const auto found = users_.find(attempt.request.user);
  if (found == users_.end()) return refuse_unknown(std::move(attempt), std::move(done));
  const User& user = found->second;
  if (user.password_hash.empty()) {
    AuthDecision decision;
    decision.verdict = ppp::verify(attempt.request, user.credential);
    decision.grant = user.grant;
    return done(std::move(decision));
  }
  if (attempt.request.method != ppp::AuthMethod::kPap) {
    return done(refused("no-plain-password",
                        "the users file has only a password_hash, and that can be checked with PAP alone",
                        "Authentication failed"));
  }
  check_hash(user, std::move(attempt.request.password), std::move(done));
}

/// To the peer an unknown user looks like a wrong password, and takes as long where passwords are hashed.
void UsersFile::refuse_unknown(AuthAttempt attempt, Done done) {
  const auto hashed = std::find_if(users_.begin(), users_.end(),
                                   [](const auto& one) { return !one.second.password_hash.empty(); });
  auto finish = [answer = std::move(done)](const AuthDecision& decision) {
    const bool busy = decision.verdict.cause == "busy";
    answer(busy ? decision
                : refused("unknown-user", "the users file does not name this user", "Authentication failed"));
  };
  if (attempt.request.method != ppp::AuthMethod::kPap || hashed == users_.end())
    return finish(AuthDecision{});
  check_hash(hashed->second, std::move(attempt.request.password), finish);
}

void UsersFile::check_hash(const User& user, Secret password, Done done) {
  const auto shared = std::make_shared<const Secret>(std::move(password));
  auto work = [shared, hash = user.password_hash] { return matches(*shared, hash); };
  auto then = [grant = user.grant, finish = done](bool good) {
    if (!good) return finish(refused("wrong-password", "the password is wrong", "Authentication failed"));
    AuthDecision decision;
    decision.verdict.accepted = true;
    decision.grant = grant;
    finish(std::move(decision));
  };
  if (!offload_) return then(work());
  if (offload_(std::move(work), std::move(then))) return;
  done(refused("busy", "too many passwords wait for their hash to be worked out", "Busy, try again", 649));
}

std::unordered_set<std::uint32_t> UsersFile::addresses() const {
  std::unordered_set<std::uint32_t> out;
  for (const auto& [name, user] : users_) {
    if (user.grant.address) out.insert(user.grant.address->to_v4());
  }
  return out;
}

std::vector<Prefix> UsersFile::prefixes() const {
  std::vector<Prefix> out;
  for (const auto& [name, user] : users_) {
    for (const auto& own : {user.grant.ipv6_prefix, user.grant.delegated_prefix}) {
      if (own) out.push_back(*own);
    }
  }
  return out;
}

}  // namespace sluice::agent
