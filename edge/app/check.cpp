#include "edge/app/check.hpp"

#include "base/app/clock.hpp"
#include "edge/app/channel_identity.hpp"
#include "edge/ike/charon_settings.hpp"
#include "proto/transport/identity_check.hpp"

namespace sluice::edge {

CheckedConfig check_config_file(const std::filesystem::path& file) try {
  CheckedConfig out{
      .report = {.file = file.string(), .errors = {}, .warnings = {}}, .config = {}, .identity = {}};
  auto& report = out.report;
  auto loaded = load_config(file);
  if (!loaded) {
    report.errors = loaded.error();
    sort(report);
    return out;
  }
  report.warnings = loaded->warnings;
  const auto& values = loaded->config.values;
  for (auto& fault : check_config(ike_config(loaded->config)))
    report.errors.push_back(at_file_named(values, report.file, std::move(fault), "edge.run_dir"));
  auto identity = channel_identity(loaded->config);
  check_identity(identity, values, app::unix_now(), report);
  sort(report);
  if (!report.good()) return out;
  out.config = std::move(loaded->config);
  out.identity = std::move(*identity);
  return out;
} catch (const std::exception& error) {
  // A daemon that reloads lives on.
  CheckedConfig out{
      .report = {.file = file.string(), .errors = {}, .warnings = {}}, .config = {}, .identity = {}};
  out.report.errors.push_back({out.report.file, 0, 0, error.what()});
  return out;
}

}  // namespace sluice::edge
