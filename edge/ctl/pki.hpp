#pragma once
// `sluicectl pki`: the channel's private CA, in a folder, without a daemon.

#include <optional>
#include <string>
#include <vector>

#include "edge/ctl/command.hpp"
#include "proto/pki/authority.hpp"

namespace sluice::ctl {

class PkiCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.pki/1"}; }

 private:
  using Authority = pki::Authority;
  int init(const Conversation& with) const;
  int issue(const Conversation& with) const;
  int renew(const Conversation& with) const;
  int revoke(const Conversation& with) const;
  int list(const Conversation& with) const;
  int show(const Conversation& with) const;
  std::chrono::days life(std::chrono::days usual) const;
  std::optional<std::vector<IpAddress>> parsed_addresses(const Conversation& with) const;

  int (PkiCommand::*chosen_)(const Conversation&) const = nullptr;
  std::string folder_ = "/etc/sluice/pki";
  std::string ca_name_ = "Sluice CA";
  std::string role_, name_, serial_;
  std::vector<std::string> addresses_;
  std::uint32_t days_ = 0;  ///< 0: the usual
  bool new_key_ = false, any_address_ = false;
};

}  // namespace sluice::ctl
