#pragma once
// What the IKE side is told at start. A plain structure: whoever reads the configuration file fills it.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/ip.hpp"
#include "base/secret.hpp"

namespace sluice::edge {

/// One pre-shared key and the peers it is for.
struct IkePsk {
  /// Peer identities as in IKE ("192.0.2.7", "vpn@example.org", "host.example"); empty: every peer. In IKEv1
  /// Main Mode the key is looked up before the identity is known, so there only addresses and "every peer"
  /// can match.
  std::vector<std::string> identities;
  Secret secret;
};

/// Copied nowhere: it holds the keys. Fixed at start.
struct IkeConfig {
  /// Made if missing (mode 0700). Holds the sa-feed and vici sockets and charon's settings; two edges need
  /// two. A unix socket's path is at most 107 bytes, so keep it below 90.
  std::filesystem::path run_dir = "/run/sluice/ike";
  /// strongSwan's charon-systemd (the other, charon, keeps a pid file of which there can be only one). Empty:
  /// /usr/sbin/charon-systemd.
  std::filesystem::path charon_path;
  /// libstrongswan-sluice.so. Empty: beside or below the running program (build tree), else strongSwan's
  /// plugin folder.
  std::filesystem::path plugin_path;
  /// Account charon runs as; empty: the edge's own. It gets no capability either way.
  std::string user;
  /// Whose sa-feed connections are taken besides root's, the edge's own and `user`'s.
  std::vector<std::uint32_t> feed_uids;
  /// Addresses clients may dial; empty: any.
  std::vector<IpAddress> local_addresses;
  /// Identity shown to peers; empty: the address they dialled, which is what L2TP clients expect.
  std::string local_identity;
  std::vector<IkePsk> psks;
  /// strongSwan proposal strings. Empty: default_ike_proposals() and default_esp_proposals().
  std::vector<std::string> ike_proposals, esp_proposals;
  /// Adds what pre-2012 clients need: 3DES and MODP1024. Weak.
  bool legacy_proposals = false;
  /// IKEv1 Aggressive Mode with a PSK lets anyone who listens guess the key offline.
  bool aggressive_mode = false;
  /// Local ports as peers see them, without and with the non-ESP marker.
  std::uint16_t ike_port = 500, natt_port = 4500;
  /// An unfinished handshake is given up after this.
  std::chrono::seconds half_open_timeout{30};
  /// How often we look whether charon still has what we loaded: `swanctl --load-all` unloads what is not in
  /// its files.
  std::chrono::seconds check_interval{1};
  /// charon's log level, 0 to 2; higher ones would print keys and are not accepted.
  int log_level = 1;
  /// charon's worker threads.
  int threads = 16;
};

std::vector<std::string> default_ike_proposals(bool legacy);
std::vector<std::string> default_esp_proposals(bool legacy);

}  // namespace sluice::edge
