#include "edge/ctl/pki.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "edge/ctl/json.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;
using pki::IssuedCertificate;

constexpr const char* kSchema = "sluice.pki/1";
constexpr std::int64_t kDay = 24 * 3600;
/// As the daemons warn.
constexpr std::int64_t kSoon = 30 * kDay;

std::int64_t now_seconds() {
  return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
}

std::string_view state_of(const IssuedCertificate& row, std::int64_t now) {
  if (row.revoked_at) return "revoked";
  if (row.who.expires_at <= now) return "expired";
  if (!row.current) return "superseded";
  return row.who.expires_at - now <= kSoon ? "ends-soon" : "valid";
}

Colour colour_of(std::string_view state) {
  if (state == "valid") return Colour::kGood;
  if (state == "ends-soon") return Colour::kWarning;
  return state == "superseded" ? Colour::kNone : Colour::kBad;
}

std::string addresses_text(const IssuedCertificate& row) {
  std::string out;
  for (const auto& address : row.who.addresses) out += (out.empty() ? "" : " ") + address.to_string();
  return out.empty() ? "any" : out;
}

ordered_json row_json(const IssuedCertificate& row, std::int64_t now) {
  ordered_json out{{"name", row.who.name},
                   {"role", to_string(row.who.role)},
                   {"serial", row.who.serial},
                   {"state", state_of(row, now)},
                   {"valid_from", row.valid_from},
                   {"expires_at", row.who.expires_at},
                   {"addresses", ordered_json::array()},
                   {"current", row.current}};
  for (const auto& address : row.who.addresses) out["addresses"].push_back(address.to_string());
  if (row.revoked_at) out["revoked_at"] = *row.revoked_at;
  return out;
}

ordered_json rows_json(const std::vector<IssuedCertificate>& rows) {
  auto out = ordered_json::array();
  for (const auto& row : rows) out.push_back(row_json(row, now_seconds()));
  return out;
}

ordered_json ca_json(const pki::Authority& authority, const pki::AuthorityFacts& facts) {
  return {{"name", facts.name},
          {"file", authority.ca_file().string()},
          {"fingerprint", facts.fingerprint},
          {"valid_from", facts.valid_from},
          {"expires_at", facts.expires_at},
          {"crl",
           {{"file", authority.crl_file().string()},
            {"number", facts.crl_number},
            {"made_at", facts.crl_made_at},
            {"next_update", facts.crl_next_update},
            {"revoked", facts.revoked}}}};
}

/// What its machine needs of a certificate that was just made.
int tell_certificate(const pki::Authority& authority, const IssuedCertificate& row, bool key_changed,
                     const Conversation& with) {
  const auto certificate = authority.certificate_file(row.who.name).string(),
             key = authority.key_file(row.who.name).string();
  if (with.json) {
    with.print(kSchema, {{"certificate", row_json(row, now_seconds())},
                         {"files",
                          {{"ca", authority.ca_file().string()},
                           {"crl", authority.crl_file().string()},
                           {"certificate", certificate},
                           {"key", key}}}});
    return kOk;
  }
  with.to.out << to_string(row.who.role) << " " << row.who.name << ": certificate " << row.who.serial
              << ", good until " << pki::date_text(row.who.expires_at)
              << "\nbring to its machine: " << certificate << (key_changed ? ", " + key : "") << ", "
              << authority.ca_file().string() << ", " << authority.crl_file().string()
              << (key_changed ? "" : " (its key stays as it is)") << "\n";
  return kOk;
}

}  // namespace

CLI::App* PkiCommand::add_to(CLI::App& app) {
  auto* all = app.add_subcommand("pki", "certificates of edges and agents, by a private CA in a folder");
  all->require_subcommand(1);
  all->add_option("--dir", folder_, "the CA's folder")->capture_default_str();
  const auto command = [&](const char* name, const char* meaning, auto what) {
    auto* added = all->add_subcommand(name, meaning);
    added->callback([this, what] { chosen_ = what; });
    return added;
  };
  const auto with_days = [this](CLI::App* of, std::chrono::days usual) {
    of->add_option("--days", days_, "how long it is good; " + std::to_string(usual.count()) + " if not said")
        ->check(CLI::Range(1, 36500));
  };
  const auto with_name = [this](CLI::App* of) {
    of->add_option("name", name_, "of the edge or agent, as in its configuration")->required();
  };
  auto* init = command("init", "makes the CA", &PkiCommand::init);
  init->add_option("--name", ca_name_, "the CA's own name")->capture_default_str();
  with_days(init, pki::kCaDays);
  auto* issue = command("issue", "a first certificate and its key", &PkiCommand::issue);
  issue->add_option("role", role_, "edge or agent")->required()->check(CLI::IsMember({"edge", "agent"}));
  with_name(issue);
  issue->add_option("--address", addresses_,
                    "where alone its holder may be, seen from the other side; anywhere if not said");
  with_days(issue, pki::kCertificateDays);
  auto* renew = command("renew", "another certificate for the same key", &PkiCommand::renew);
  with_name(renew);
  renew->add_flag("--new-key", new_key_, "for a new key; the old one is put aside");
  auto* address = renew->add_option("--address", addresses_, "instead of the addresses it had");
  renew->add_flag("--any-address", any_address_, "no addresses any more")->excludes(address);
  with_days(renew, pki::kCertificateDays);
  auto* revoke = command("revoke", "takes back all certificates of a name", &PkiCommand::revoke);
  with_name(revoke);
  revoke->add_option("--serial", serial_, "only the one with this serial number");
  auto* list = command("list", "every certificate that was issued", &PkiCommand::list);
  auto* show = command("show", "the CA and its list, and what is known of a name", &PkiCommand::show);
  show->add_option("name", name_, "of an edge or agent");
  examples(*all, {"pki init", "pki issue agent agent1", "pki list"});
  examples(*init, {"pki init --name \"Example CA\""});
  examples(*issue, {"pki issue agent agent1 --address 192.0.2.7"});
  examples(*renew, {"pki renew agent1"});
  examples(*revoke, {"pki revoke agent1"});
  examples(*list, {"pki list"});
  examples(*show, {"pki show agent1"});
  return all;
}

int PkiCommand::run(const Conversation& with) {
  return (this->*chosen_)(with);
}

std::chrono::days PkiCommand::life(std::chrono::days usual) const {
  return days_ == 0 ? usual : std::chrono::days(days_);
}

std::optional<std::vector<IpAddress>> PkiCommand::parsed_addresses(const Conversation& with) const {
  std::vector<IpAddress> out;
  for (const auto& text : addresses_) {
    const auto address = IpAddress::parse(text);
    if (!address) {
      with.fail("--address \"" + escaped(text) + "\" is no IPv4 or IPv6 address");
      return std::nullopt;
    }
    out.push_back(*address);
  }
  return out;
}

int PkiCommand::init(const Conversation& with) const {
  const auto made = Authority::init(folder_, ca_name_, life(pki::kCaDays));
  if (!made) return with.fail(made.error());
  const auto facts = made->facts();
  if (!facts) return with.fail(facts.error());
  if (with.json) {
    with.print(kSchema, {{"ca", ca_json(*made, *facts)}});
    return kOk;
  }
  with.to.out << "CA \"" << escaped(facts->name) << "\" in " << made->folder().string() << ", good until "
              << pki::date_text(facts->expires_at) << "\nkeep " << made->key_file("ca").string()
              << " off the edges and agents, and have a copy of the folder\n";
  return kOk;
}

int PkiCommand::issue(const Conversation& with) const {
  const auto addresses = parsed_addresses(with);
  if (!addresses) return kUsage;
  auto opened = Authority::open(folder_, Authority::Access::kSign);
  if (!opened) return with.fail(opened.error());
  const auto row = opened->issue({name_, *pki::parse_role(role_), *addresses}, life(pki::kCertificateDays));
  return row ? tell_certificate(*opened, *row, true, with) : with.fail(row.error());
}

int PkiCommand::renew(const Conversation& with) const {
  const auto addresses = parsed_addresses(with);
  if (!addresses) return kUsage;
  auto opened = Authority::open(folder_, Authority::Access::kSign);
  if (!opened) return with.fail(opened.error());
  pki::RenewOptions options{.life = life(pki::kCertificateDays), .new_key = new_key_};
  if (any_address_ || !addresses->empty()) options.addresses = *addresses;
  const auto row = opened->renew(name_, options);
  return row ? tell_certificate(*opened, *row, new_key_, with) : with.fail(row.error());
}

int PkiCommand::revoke(const Conversation& with) const {
  auto opened = Authority::open(folder_, Authority::Access::kSign);
  if (!opened) return with.fail(opened.error());
  const auto rows = opened->revoke(name_, serial_);
  if (!rows) return with.fail(rows.error());
  if (with.json) {
    with.print(kSchema, {{"revoked", rows_json(*rows)}, {"files", {{"crl", opened->crl_file().string()}}}});
    return kOk;
  }
  for (const auto& row : *rows)
    with.to.out << "revoked: " << row.who.serial << " of " << row.who.name << "\n";
  with.to.out << "bring " << opened->crl_file().string()
              << " to all edges and agents (tls.crl) and reload them\n";
  return kOk;
}

int PkiCommand::list(const Conversation& with) const {
  const auto opened = Authority::open(folder_, Authority::Access::kRead);
  if (!opened) return with.fail(opened.error());
  const auto rows = opened->list();
  if (!rows) return with.fail(rows.error());
  if (with.json) {
    with.print(kSchema, {{"certificates", rows_json(*rows)}});
    return kOk;
  }
  if (rows->empty()) with.to.out << "no certificates\n";
  if (rows->empty()) return kOk;
  Table table({{"NAME", Align::kLeft, 9, 6},
               {"ROLE", Align::kLeft, 7},
               {"STATE", Align::kLeft, 8},
               {"FROM", Align::kLeft, 3},
               {"UNTIL", Align::kLeft, 8},
               {"ADDRESSES", Align::kLeft, 2, 9},
               {"SERIAL", Align::kLeft, 5, 8}});
  const auto now = now_seconds();
  for (const auto& row : *rows) {
    const auto state = state_of(row, now);
    table.add({{row.who.name},
               {std::string(to_string(row.who.role))},
               {std::string(state), colour_of(state)},
               {pki::date_text(row.valid_from)},
               {pki::date_text(row.revoked_at.value_or(row.who.expires_at))},
               {addresses_text(row)},
               {row.who.serial}});
  }
  with.to.out << table.render(with.to.terminal).text;
  return kOk;
}

int PkiCommand::show(const Conversation& with) const {
  const auto opened = Authority::open(folder_, Authority::Access::kRead);
  if (!opened) return with.fail(opened.error());
  const auto facts = opened->facts();
  if (!facts) return with.fail(facts.error());
  auto rows = opened->list();
  if (!rows) return with.fail(rows.error());
  std::erase_if(*rows, [this](const auto& row) { return row.who.name != name_; });
  if (!name_.empty() && rows->empty())
    return with.fail("no certificate of \"" + escaped(name_) + "\" was issued; 'pki list' shows all");
  if (with.json) {
    ordered_json out{{"ca", ca_json(*opened, *facts)}};
    if (!name_.empty()) out["certificates"] = rows_json(*rows);
    with.print(kSchema, std::move(out));
    return kOk;
  }
  with.to.out << "CA           " << escaped(facts->name) << "\nfingerprint  " << facts->fingerprint
              << "\ngood until   " << pki::date_text(facts->expires_at) << "\nCRL          number "
              << facts->crl_number << " of " << pki::date_text(facts->crl_made_at) << ", the next by "
              << pki::date_text(facts->crl_next_update) << ", " << facts->revoked << " revoked\n";
  for (const auto& row : *rows) {
    with.to.out << "\nname         " << row.who.name << "\nrole         " << to_string(row.who.role)
                << "\nserial       " << row.who.serial << "\nstate        " << state_of(row, now_seconds())
                << "\ngood         " << pki::date_text(row.valid_from) << " to "
                << pki::date_text(row.who.expires_at) << "\naddresses    " << addresses_text(row) << "\n";
    if (row.revoked_at) with.to.out << "revoked      " << pki::date_text(*row.revoked_at) << "\n";
  }
  return kOk;
}

}  // namespace sluice::ctl
