#include "edge/ctl/user.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/app/system_random.hpp"
#include "base/text.hpp"
#include "edge/ctl/psk.hpp"
#include "proto/pki/files.hpp"

namespace sluice::ctl {
namespace {

constexpr std::size_t kLongest = 253;

/// What a TOML string may hold as it stands, quotes and backslashes apart, which are escaped.
bool is_printable(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

/// The caller wipes what it gets.
Result<toml::table, std::string> parsed(std::string_view text) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    const auto at = error.source().begin;
    // Its own words may quote the line, and that a password.
    return Failure{"line " + std::to_string(at.line) + ", column " + std::to_string(at.column) +
                   ": this is no TOML"};
  }
}

std::optional<std::string> put_back_owner(const std::string& file, const struct stat& before) {
  if (::chmod(file.c_str(), before.st_mode & 0777U) == 0 &&
      ::chown(file.c_str(), before.st_uid, before.st_gid) == 0)
    return std::nullopt;
  return file + ": " + std::strerror(errno) + "; give it back to its owner by chown";
}

}  // namespace

Result<Secret, std::string> with_user(std::string_view text, const std::string& name,
                                      const Secret& password) {
  if (name.empty() || name.size() > kLongest || !is_printable(name))
    return Failure{std::string("that is no user name")};
  if (password.empty() || password.size() > kLongest || !is_printable(password.text()))
    return Failure{std::string("that is no password: one line, 253 bytes at most")};
  const auto before = parsed(text);
  if (!before) return Failure{before.error()};
  if (before->contains(name)) return Failure{"user \"" + escaped(name) + "\" is there already"};
  auto key = toml_string(password.text());
  std::string table = "\n[" + toml_string(name) + "]\npassword = " + key + "\n";
  wipe({reinterpret_cast<std::uint8_t*>(key.data()), key.size()});
  const std::string_view joint = text.empty() || text.ends_with('\n') ? "" : "\n";
  Secret out(text.size() + joint.size() + table.size());
  auto rest = out.mutable_bytes();
  for (const std::string_view part : {text, joint, std::string_view(table)}) {
    std::ranges::copy(as_bytes(part), rest.begin());
    rest = rest.subspan(part.size());
  }
  wipe({reinterpret_cast<std::uint8_t*>(table.data()), table.size()});
  // Whatever the name and password were: what is written can be read, and has one more.
  const auto after = parsed(out.text());
  if (!after || after->size() != before->size() + 1 ||
      (*after)[name]["password"].value<std::string>() != password.text())
    return Failure{std::string("this name or password cannot be written")};
  return out;
}

CLI::App* UserCommand::add_to(CLI::App& app) {
  auto* user = app.add_subcommand("user", "who may dial in, in an agent's users file");
  user->require_subcommand(1);
  auto* add = user->add_subcommand("add", "adds a user, with a password that is made up unless given");
  add->add_option("name", name_, "of the user, with realm if there is one")->required();
  add->add_option("--file", file_, "the agent's users file")->capture_default_str();
  add->add_option("--password-file", password_file_,
                  "its first line is the password; not readable for others");
  examples(*add, {"user add alice", "user add bob@example.net --file /etc/sluice/users.toml"});
  return user;
}

int UserCommand::run(const Conversation& with) {
  app::SystemRandom random;
  auto password = generate_password(random);
  if (!password_file_.empty()) {
    auto text = pki::read_key_file(password_file_);
    if (!text) return with.fail(text.error());
    password = Secret(std::string_view(*text).substr(0, text->find('\n')));
    wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
  }
  struct stat before {};
  if (::stat(file_.c_str(), &before) != 0) return with.fail(file_ + ": " + std::strerror(errno));
  auto text = pki::read_key_file(file_);
  if (!text) return with.fail(text.error());
  const auto fresh = with_user(*text, name_, password);
  wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
  if (!fresh) return with.fail(file_ + ": " + fresh.error());
  if (const auto error = pki::replace_file(file_, fresh->text())) return with.fail(*error);
  if (const auto error = put_back_owner(file_, before)) return with.fail(*error);
  if (with.json) {
    with.print("sluice.user/1",
               {{"user", {{"name", name_}, {"password", password.text()}, {"file", file_}}}});
  } else {
    with.to.out << "user      " << escaped(name_) << "\npassword  "
                << (password_file_.empty() ? password.text() : "as given")
                << "\ntaken over by: systemctl reload sluice-agent\n";
  }
  return kOk;
}

}  // namespace sluice::ctl
