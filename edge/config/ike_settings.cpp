#include "edge/config/ike_settings.hpp"

#include <algorithm>
#include <set>

#include "base/app/config_texts.hpp"
#include "base/text.hpp"
#include "edge/config/ike_files.hpp"

namespace sluice::edge {
namespace {

/// Shorter ones can be guessed by who has seen a handshake: at once, or with some patience.
constexpr std::size_t kTooShortPsk = 8, kShortPsk = 20;
/// RFC 2865 §3: at least 16 octets are preferred.
constexpr std::size_t kShortRadiusSecret = 16;

/// [listen], or one [[listener]], as it stands in the file.
struct Row {
  std::string place;  ///< "listen", or "listener[0]"
  std::string name = "main";
  std::vector<IpAddress> addresses;
  std::vector<std::string> profiles, auth{"psk"};
  std::string identity;
  FilePath certificate, key;
  std::vector<FilePath> client_ca, crl;
  bool require_crl = false;

  Row() {
    for (const auto profile : default_ike_profiles()) profiles.emplace_back(name_of(profile));
  }
};

/// For [listen]; a [[listener]]'s keys are the same without the table's name.
std::vector<app::Setting> listen_settings(Row& row) {
  using app::Path;
  using app::Paths;
  using app::SomeOf;
  auto out = app::taking(
      app::Takes::kNewClients,
      {
          {"listen.profiles", SomeOf{&row.profiles, ike_profile_names()}, "whose algorithms are offered"},
          {"listen.auth", SomeOf{&row.auth, ike_auth_names()}, "how clients authenticate"},
          {"listen.identity", &row.identity, "IKE identity shown to clients"},
          {"listen.certificate", Path{&row.certificate, true},
           "PEM file of the certificate shown to clients"},
          {"listen.key", Path{&row.key, true}, "PEM file of its key"},
          {"listen.client_ca", Paths{&row.client_ca},
           "PEM files of CAs that clients' certificates come from"},
          {"listen.crl", Paths{&row.crl}, "PEM files of CRLs"},
          {"listen.require_crl", &row.require_crl, "refuse clients whose CA has no current CRL"},
      });
  out.insert(out.begin(), {"listen.addresses", &row.addresses, "the addresses that clients dial"});
  return out;
}

std::vector<app::Setting> listener_settings(Row& row) {
  auto out = listen_settings(row);
  for (auto& setting : out) setting.key.remove_prefix(std::string_view("listen.").size());
  out.insert(out.begin(), {"name", &row.name, "a name for [[psk]] and messages", true});
  return out;
}

std::vector<Row> read_rows(app::ConfigFile& file) {
  std::vector<Row> rows(1);
  rows.front().place = "listen";
  file.read(listen_settings(rows.front()));
  file.read_each("listener", [&](const app::ConfigFile::ReadRow& read) {
    Row row;
    row.name.clear();
    row.place = "listener[" + std::to_string(rows.size() - 1) + "]";
    read(listener_settings(row));
    rows.push_back(std::move(row));
  });
  if (rows.front().addresses.empty() && rows.size() > 1) rows.erase(rows.begin());
  return rows;
}

/// Reads files for one listener; each fault is told at the key that names the file.
class ListenerFiles {
 public:
  ListenerFiles(app::ConfigFile& file, const Row& row) : file_(file), row_(row) {}

  void read(IkeListener& out, std::vector<ByteVector>& crls) {
    if (!row_.certificate.empty()) read_own(out);
    for (const auto& path : row_.client_ca) {
      if (auto cas = take("client_ca", read_cas(path))) {
        for (auto& ca : *cas) out.client_cas.push_back(std::move(ca));
      }
    }
    for (const auto& path : row_.crl) {
      auto crl = take("crl", read_crl(path));
      if (!crl) continue;
      warn("crl", crl_age_warning(path, *crl));
      crls.push_back(std::move(*crl));
    }
  }

 private:
  void read_own(IkeListener& out) {
    auto certificates = take("certificate", read_certificates(row_.certificate));
    if (!certificates) return;
    out.certificates = std::move(*certificates);
    if (const auto fault = validity_fault(row_.certificate, out.certificates.front()); !fault.empty())
      return file_.fail(row_.place + ".certificate", fault);
    warn("certificate", expiry_warning(row_.certificate, out.certificates.front()));
    if (row_.key.empty()) return file_.fail(row_.place + ".certificate", "needs the key to it: add `key`");
    if (auto key = take("key", read_private_key(row_.key, out.certificates.front())))
      out.private_key = std::move(*key);
  }

  template <class T>
  std::optional<T> take(const char* key, Result<T, std::string> result) {
    if (result) return std::move(result).value();
    file_.fail(row_.place + "." + key, result.error());
    return std::nullopt;
  }

  void warn(const char* key, std::string text) {
    if (!text.empty()) file_.warn(row_.place + "." + key, std::move(text));
  }

  app::ConfigFile& file_;
  const Row& row_;
};

IkeListener listener_of(const Row& row) {
  IkeListener out;
  out.name = row.name;
  out.addresses = row.addresses;
  out.identity = row.identity;
  out.require_crl = row.require_crl;
  out.profiles.clear();
  out.auth.clear();
  for (const auto& name : row.profiles) {
    if (const auto profile = parse_ike_profile(name)) out.profiles.push_back(*profile);
  }
  for (const auto& name : row.auth) {
    if (const auto auth = parse_ike_auth(name); auth && !out.uses(*auth)) out.auth.push_back(*auth);
  }
  return out;
}

void warn_of_weak(app::ConfigFile& file, const Row& row, const IkeListener& listener) {
  for (const auto profile : listener.profiles) {
    if (!is_weak(profile)) continue;
    file.warn(row.place + ".profiles",
              "listener \"" + escaped(listener.name) + "\" offers the profile " +
                  std::string(name_of(profile)) +
                  ", whose algorithms can be broken; give clients that need it an address of their own");
  }
}

/// Settings that say nothing with the others as they are.
void warn_of_idle(app::ConfigFile& file, const Row& row, const IkeListener& listener) {
  if (!row.certificate.empty() && !listener.shows_certificate())
    file.warn(row.place + ".certificate", "is never shown: none of the listener's auth uses a certificate");
  if (!row.client_ca.empty() && !listener.asks_certificate())
    file.warn(row.place + ".client_ca", "is never used: none of the listener's auth asks for a certificate");
}

void check_row(app::ConfigFile& file, const Row& row) {
  for (std::size_t i = 0; i < row.addresses.size(); ++i) {
    if (row.addresses[i].is_unspecified())
      file.fail(row.place + ".addresses[" + std::to_string(i) + "]",
                "must be an address that clients dial, not all of them");
  }
  if (row.require_crl && row.crl.empty())
    file.fail(row.place + ".require_crl", "refuses every client without a CRL: name one with `crl`");
}

void check_psk(app::ConfigFile& file, const FilePath& path, const Secret& secret) {
  const auto place = file.place("file");
  const std::string mend = "; make a good one with `sluicectl psk generate`";
  if (secret.size() < kTooShortPsk) {
    file.fail(place, path.string() + ": the pre-shared key has fewer than " + std::to_string(kTooShortPsk) +
                         " characters and is guessed within minutes" + mend);
  } else if (secret.size() < kShortPsk) {
    file.warn(place, path.string() + ": the pre-shared key has fewer than " + std::to_string(kShortPsk) +
                         " characters and can be guessed offline" + mend);
  }
}

void read_psks(app::ConfigFile& file, Config& c) {
  std::set<std::pair<std::string, std::string>> whose;
  file.read_each("psk", [&](const app::ConfigFile::ReadRow& read) {
    PskEntry entry;
    FilePath path;
    read(app::taking(app::Takes::kNewClients,
                     {{"identity", &entry.identity, "the client's IKE identity, or %any"},
                      {"listener", &entry.listener,
                       "the listener that it is for; empty: those without a key of their own"},
                      {"file", app::Path{&path, true}, "file whose first line is the key", true}}));
    if (path.empty()) return;
    if (!whose.insert({entry.identity, entry.listener}).second)
      file.fail(file.place("identity"), "another [[psk]] is for the same clients; only one can be right");
    auto secret = read_private_file(path);
    if (!secret) return file.fail(file.place("file"), secret.error());
    check_psk(file, path, *secret);
    entry.secret = std::move(*secret);
    c.psks.push_back(std::move(entry));
  });
}

void read_radius(app::ConfigFile& file, Config& c) {
  file.read_each("radius", [&](const app::ConfigFile::ReadRow& read) {
    IkeRadiusServer server;
    FilePath path;
    read({{"address", &server.address, "address:port of the server", true},
          {"secret_file", app::Path{&path, true}, "file whose first line is the secret", true}});
    if (path.empty()) return;
    if (std::ranges::find(c.ike_radius, server.address, &IkeRadiusServer::address) != c.ike_radius.end())
      file.fail(file.place("address"), "another [[radius]] has this address and port, too");
    auto secret = read_private_file(path);
    if (!secret) return file.fail(file.place("secret_file"), secret.error());
    if (secret->size() < kShortRadiusSecret)
      file.warn(file.place("secret_file"), path.string() + ": the secret has fewer than " +
                                               std::to_string(kShortRadiusSecret) +
                                               " characters and can be guessed offline");
    server.secret = std::move(*secret);
    c.ike_radius.push_back(std::move(server));
  });
}

void read_users(app::ConfigFile& file, Config& c) {
  FilePath path;
  file.read(app::taking(
      app::Takes::kNewClients,
      {{"ike.users", app::Path{&path, true}, "TOML file of [[user]] name and password, for XAuth and EAP"}}));
  if (path.empty()) return;
  if (const auto readable = read_private_file(path); !readable)
    return file.fail("ike.users", readable.error());
  auto users = app::ConfigFile::load(path);
  if (!users) {
    auto errors = users.error();
    for (auto& error : errors) error.text = app::discreet(error.text);
    return file.add(errors);
  }
  std::set<std::string> names;
  users->read_each("user", [&](const app::ConfigFile::ReadRow& read) {
    IkeUser user;
    std::string password;
    read({{"name", &user.name, "the user's name", true}, {"password", &password, "the password", true}});
    user.password = Secret(std::string_view(password));
    wipe({reinterpret_cast<std::uint8_t*>(password.data()), password.size()});
    if (!names.insert(user.name).second)
      users->fail(users->place("name"), "\"" + escaped(user.name) + "\" is there twice");
    c.ike_users.push_back(std::move(user));
  });
  users->reject_unknown();
  file.add(users->errors());
  const auto passwords = [](const IkeListener& l) {
    return l.uses(IkeAuth::kXauthPsk) || l.uses(IkeAuth::kXauthCertificate) || l.uses(IkeAuth::kEapMschapv2);
  };
  if (std::ranges::none_of(c.listeners, passwords))
    file.warn("ike.users", "nobody is asked for a name: no listener has XAuth or eap-mschapv2");
}

}  // namespace

void read_ike(app::ConfigFile& file, Config& config) {
  const auto rows = read_rows(file);
  const bool readable = file.errors().empty();
  config.listeners.clear();
  for (const auto& row : rows) {
    auto listener = listener_of(row);
    ListenerFiles(file, row).read(listener, config.crls);
    warn_of_weak(file, row, listener);
    warn_of_idle(file, row, listener);
    check_row(file, row);
    if (row.addresses.empty() && readable) file.fail(row.place + ".addresses", "must name at least one");
    for (const auto& address : row.addresses) config.listen_addresses.push_back(address);
    config.listeners.push_back(std::move(listener));
  }
  read_psks(file, config);
  read_radius(file, config);
  read_users(file, config);
}

}  // namespace sluice::edge
