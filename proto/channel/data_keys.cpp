#include "proto/channel/data_keys.hpp"

namespace sluice::channel {

std::array<std::uint8_t, 13> exporter_context(std::uint32_t epoch, const DataPath& path,
                                              Direction direction) {
  std::array<std::uint8_t, 13> context{};
  ByteWriter writer(context);
  writer.u32(epoch);
  writer.u32(path.edge_worker);
  writer.u32(path.agent_worker);
  writer.u8(static_cast<std::uint8_t>(direction));
  return context;
}

std::optional<std::vector<PathKeys>> derive_path_keys(const DataPaths& paths, const KeyExporter& exporter) {
  std::vector<PathKeys> out;
  out.reserve(paths.paths.size());
  for (const auto& path : paths.paths) {
    const auto key = [&](Direction direction) {
      return exporter(kExporterLabel, exporter_context(paths.epoch, path, direction), kDataKeyBytes);
    };
    PathKeys keys{path, key(Direction::kToEdge), key(Direction::kToAgent)};
    if (keys.to_edge.size() != kDataKeyBytes || keys.to_agent.size() != kDataKeyBytes) return std::nullopt;
    out.push_back(std::move(keys));
  }
  return out;
}

esp::SaParameters data_sa(Spi spi, const Secret& key) {
  constexpr std::uint32_t kWindow = 4096;
  esp::SaParameters parameters;
  parameters.spi = spi;
  parameters.suite = &esp::suite(esp::SuiteId::kAesGcm128);
  parameters.encryption_key = key.bytes();
  parameters.extended_sequence = true;
  parameters.replay_window = kWindow;
  return parameters;
}

}  // namespace sluice::channel
