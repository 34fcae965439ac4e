#pragma once
// A configuration file and everything it names, judged as a whole: for --check, for the start and for a
// reload.

#include <filesystem>
#include <optional>

#include "backend-agent/config/config.hpp"
#include "backend-agent/radius/users_file.hpp"
#include "base/app/config_check.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::agent {

struct CheckedConfig {
  app::CheckReport report;
  // There where the report is good.
  std::optional<Config> config;
  std::optional<transport::TlsIdentity> identity;
  std::optional<Users> users;  ///< none where no file is named
};

CheckedConfig check_config_file(const std::filesystem::path& file);

}  // namespace sluice::agent
