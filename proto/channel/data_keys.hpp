#pragma once
// Keys of the data carrier, drawn from the control stream's TLS connection by the exporter (RFC 5705): one
// AES-128-GCM key and salt (RFC 4106 §8.1: 16 + 4 bytes) for each direction of each pair of workers and each
// epoch. They are new with each connection, so that no nonce is used twice whatever restarts.

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.hpp"
#include "esp/sa.hpp"
#include "proto/channel/messages.hpp"

namespace sluice::channel {

inline constexpr std::string_view kExporterLabel = "EXPORTER-sluice-data";
/// What says, on a second connection, that it carries the data of this one: 32 bytes, without context.
inline constexpr std::string_view kStreamLabel = "EXPORTER-sluice-data-stream";
inline constexpr std::size_t kDataKeyBytes = 20;

enum class Direction : std::uint8_t { kToEdge = 0, kToAgent = 1 };

/// The exporter's context: epoch, edge worker, agent worker (32 bits each, big-endian), direction (8 bits).
std::array<std::uint8_t, 13> exporter_context(std::uint32_t epoch, const DataPath& path, Direction direction);

/// RFC 5705 exporter of an established TLS connection: label, context, length.
using KeyExporter = std::function<Secret(std::string_view label, Bytes context, std::size_t length)>;

/// One worker pair's SAs with their keys. An edge receives on to_edge and sends on to_agent; an agent the
/// reverse.
struct PathKeys {
  DataPath path;
  Secret to_edge;  ///< kDataKeyBytes: key, then salt
  Secret to_agent;
};
/// Nothing where the exporter gave fewer bytes than asked for.
std::optional<std::vector<PathKeys>> derive_path_keys(const DataPaths& paths, const KeyExporter& exporter);

/// What an engine makes the SA of: AES-128-GCM with 64-bit sequence numbers (RFC 4303 §2.2.1) and a window
/// wide enough for bursts that overtake each other. Views `key`, which must live until the SA is made.
esp::SaParameters data_sa(Spi spi, const Secret& key);

}  // namespace sluice::channel
