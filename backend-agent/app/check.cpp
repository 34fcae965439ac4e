#include "backend-agent/app/check.hpp"

#include <chrono>

#include "base/app/clock.hpp"
#include "proto/transport/identity_check.hpp"

namespace sluice::agent {
namespace {

UsersContext users_context(const Config& config) {
  UsersContext out;
  out.local = config.local_address;
  for (const auto& [name, filter] : config.filters) out.filters.insert(name);
  const auto add = [&](const std::string& name, const auto& pool) {
    if (!pool.ranges.empty()) out.pools.insert(name);
    if (!pool.ipv6.empty()) out.ipv6_pools.insert(name);
    if (!pool.delegated.empty()) out.delegated_pools.insert(name);
  };
  add("default", config.pools);
  for (const auto& pool : config.pools.named) add(pool.name, pool);
  return out;
}

transport::IdentityFiles identity_files(const Config& config) {
  return {.ca = config.tls_ca,
          .certificate = config.tls_certificate,
          .key = config.tls_key,
          .crl = config.tls_crl,
          .name = config.name};
}

}  // namespace

CheckedConfig check_config_file(const std::filesystem::path& file) try {
  CheckedConfig out;
  auto& report = out.report;
  report.file = file.string();
  auto loaded = load_config(file);
  if (!loaded) {
    report.errors = loaded.error();
    sort(report);
    return out;
  }
  report.warnings = loaded->warnings;
  if (!loaded->users_file.empty()) {
    const auto context = users_context(*loaded);
    auto users = load_users(loaded->users_file, &context);
    if (users) out.users = std::move(*users);
    if (!users) report.errors = users.error();
  }
  auto identity = transport::load_identity(identity_files(*loaded), transport::Role::kAgent);
  check_identity(identity, loaded->values, app::unix_now(), report);
  sort(report);
  if (!report.good()) return out;
  out.config = std::move(*loaded);
  out.identity = std::move(*identity);
  return out;
} catch (const std::exception& error) {
  // A daemon that reloads lives on.
  CheckedConfig out;
  out.report.file = file.string();
  out.report.errors.push_back({out.report.file, 0, 0, error.what()});
  return out;
}

}  // namespace sluice::agent
