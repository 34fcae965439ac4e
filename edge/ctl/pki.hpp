#pragma once
// `sluicectl pki`: the channel's private CA, in a folder, without a daemon.

#include <optional>
#include <string>
#include <vector>

#include "edge/ctl/commands.hpp"
#include "proto/pki/authority.hpp"

namespace CLI {
class App;
}

namespace sluice::ctl {

class PkiCommands {
 public:
  /// Adds `pki` and its subcommands, which set this object: it outlives the parsing.
  void add_to(CLI::App& app);
  /// Does what the command line said; an exit code.
  int run(bool json, const Surroundings& to) const;

 private:
  using Authority = pki::Authority;
  int init(bool json, const Surroundings& to) const;
  int issue(bool json, const Surroundings& to) const;
  int renew(bool json, const Surroundings& to) const;
  int revoke(bool json, const Surroundings& to) const;
  int list(bool json, const Surroundings& to) const;
  int show(bool json, const Surroundings& to) const;
  std::chrono::days life(std::chrono::days usual) const;
  std::optional<std::vector<IpAddress>> parsed_addresses(const Surroundings& to) const;

  int (PkiCommands::*chosen_)(bool, const Surroundings&) const = nullptr;
  std::string folder_ = "/etc/sluice/pki";
  std::string ca_name_ = "Sluice CA";
  std::string role_, name_, serial_;
  std::vector<std::string> addresses_;
  std::uint32_t days_ = 0;  ///< 0: the usual
  bool new_key_ = false, any_address_ = false;
};

}  // namespace sluice::ctl
