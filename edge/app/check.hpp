#pragma once
// A configuration file and everything it names, judged as a whole: for --check, for the start and for a
// reload.

#include <filesystem>
#include <optional>

#include "base/app/config_check.hpp"
#include "edge/config/config.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::edge {

struct CheckedConfig {
  app::CheckReport report;
  // There where the report is good.
  std::optional<Config> config;
  std::optional<transport::TlsIdentity> identity;
};

CheckedConfig check_config_file(const std::filesystem::path& file);

}  // namespace sluice::edge
