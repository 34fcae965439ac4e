#pragma once
// What a log line can be about: the first half of its id, and what [log.modules] and `sluicectl log` name.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sluice::app {

enum class LogModule : std::uint8_t {
  kDaemon,
  kConfig,
  kLog,
  kIke,
  kTunnel,
  kPlacement,
  kChannel,
  kData,
  kSession,
  kRadius,
  kNetwork,
  kProbe,
  kOperations,
};

struct LogModuleRow {
  LogModule module;
  std::string_view name;
  std::string_view about;
};

inline constexpr std::array kLogModules{
    LogModuleRow{LogModule::kDaemon, "daemon", "start, stop, readiness, the service manager"},
    LogModuleRow{LogModule::kConfig, "config", "configuration, users and certificates as they are read"},
    LogModuleRow{LogModule::kLog, "log", "the log itself"},
    LogModuleRow{LogModule::kIke, "ike", "charon, IKE and child SAs, handshakes that fail"},
    LogModuleRow{LogModule::kTunnel, "tunnel", "L2TP tunnels from placement to their end"},
    LogModuleRow{LogModule::kPlacement, "placement", "which agent gets whom, ejections, drains"},
    LogModuleRow{LogModule::kChannel, "channel", "the link between edge and agent"},
    LogModuleRow{LogModule::kData, "data", "the data plane: workers, engines, dropped packets"},
    LogModuleRow{LogModule::kSession, "session", "PPP sessions and who may have one"},
    LogModuleRow{LogModule::kRadius, "radius", "RADIUS servers, accounting, dynamic authorisation"},
    LogModuleRow{LogModule::kNetwork, "network", "routes, forwarding and neighbours on the agent's machine"},
    LogModuleRow{LogModule::kProbe, "probe", "probes of agents and of the edge's own IKE"},
    LogModuleRow{LogModule::kOperations, "operations", "what operators ordered, metrics, captures"},
};
inline constexpr std::size_t kLogModuleCount = kLogModules.size();

constexpr std::optional<LogModule> find_log_module(std::string_view name) {
  for (const auto& row : kLogModules) {
    if (row.name == name) return row.module;
  }
  return std::nullopt;
}

constexpr const LogModuleRow& about(LogModule module) {
  return kLogModules[static_cast<std::size_t>(module)];
}

}  // namespace sluice::app
