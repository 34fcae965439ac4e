#include "base/app/log_config.hpp"

namespace sluice::app {
namespace {

const std::vector<std::string_view> kLevels{"debug", "info", "warning", "error"};
const std::vector<std::string_view> kTargets{"auto", "stderr", "journald"};

LogTarget target_of(std::string_view word) {
  if (word == "stderr") return LogTarget::kStderr;
  if (word == "journald") return LogTarget::kJournald;
  return LogTarget::kAuto;
}

struct ModuleKey {
  LogModule module;
  std::string key, doc;
};

const std::vector<ModuleKey>& module_keys() {
  static const std::vector<ModuleKey> kKeys = [] {
    std::vector<ModuleKey> out;
    for (const auto& row : kLogModules) {
      out.push_back({row.module, "log.modules." + std::string(row.name),
                     "level of lines about " + std::string(row.about) + "; \"\": that of log.level"});
    }
    return out;
  }();
  return kKeys;
}

}  // namespace

void read_log_settings(ConfigFile& file, LogSettings& out) {
  std::string level = std::string(to_string(out.level));
  std::string to = "auto";
  std::vector<std::string> levels(kLogModuleCount);
  std::vector<Setting> settings{
      {"log.level", OneOf{&level, kLevels}, "lines of this level and above are written"},
      {"log.to", OneOf{&to, kTargets}, "auto: to the journal if stderr is connected to it, else to stderr"},
      {"log.rate", Number{&out.rate, 0, 1'000'000},
       "lines of one kind a second in the long run; 0: no limit"},
      {"log.burst", Number{&out.burst, 1, 1'000'000}, "lines of one kind at once"}};
  auto of_module = kLevels;
  of_module.insert(of_module.begin(), "");
  for (std::size_t i = 0; i < kLogModuleCount; ++i) {
    const auto& row = module_keys()[i];
    settings.push_back({row.key, OneOf{&levels[i], of_module}, row.doc});
  }
  file.read(taking(Takes::kReload, std::move(settings)));
  out.level = parse_log_level(level).value_or(LogLevel::kInfo);
  out.to = target_of(to);
  for (std::size_t i = 0; i < kLogModuleCount; ++i) out.modules[i] = parse_log_level(levels[i]);
}

}  // namespace sluice::app
