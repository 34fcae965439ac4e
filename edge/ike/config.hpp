#pragma once
// What the IKE side is told. A plain structure: whoever reads the configuration file fills it.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip.hpp"
#include "base/secret.hpp"
#include "edge/ike/profiles.hpp"

namespace sluice::edge {

/// How clients of a listener prove who they are, and we to them.
enum class IkeAuth : std::uint8_t {
  kPsk,               ///< pre-shared key both ways, IKEv1 and IKEv2
  kCertificate,       ///< certificates both ways, IKEv1 and IKEv2
  kXauthPsk,          ///< IKEv1: pre-shared key, then a user's name and password
  kXauthCertificate,  ///< IKEv1: certificates, then a user's name and password
  kEapMschapv2,       ///< IKEv2: our certificate, a user's name and password
  kEapRadius,         ///< IKEv2: our certificate, a RADIUS server asks the user
  kCount
};
/// "eap-mschapv2", as in the configuration file.
std::string_view name_of(IkeAuth auth);
std::optional<IkeAuth> parse_ike_auth(std::string_view name);
std::vector<std::string_view> ike_auth_names();

/// Addresses that clients dial, and what they find there.
struct IkeListener {
  /// Letters, digits and '-'; part of the connections' names.
  std::string name = "main";
  /// Empty: any, which only a single listener may have.
  std::vector<IpAddress> addresses;
  std::vector<IkeProfile> profiles = default_ike_profiles();
  std::vector<IkeAuth> auth{IkeAuth::kPsk};
  /// Identity shown to peers; empty: the certificate's subject, or the address they dialled, which is what
  /// L2TP clients expect.
  std::string identity;
  /// DER: ours, and those of intermediate CAs that are sent with it.
  std::vector<ByteVector> certificates;
  /// PKCS #8, DER.
  Secret private_key;
  /// DER: a client's certificate must come from one of these.
  std::vector<ByteVector> client_cas;
  /// A client whose CA has no current CRL is refused.
  bool require_crl = false;
  /// strongSwan proposal strings in the place of the profiles'.
  std::vector<std::string> ike_proposals, esp_proposals;

  bool uses(IkeAuth method) const;
  /// Whether a method is among `auth` for which we show a certificate.
  bool shows_certificate() const;
  /// Whether clients must show a certificate.
  bool asks_certificate() const { return uses(IkeAuth::kCertificate) || uses(IkeAuth::kXauthCertificate); }
  /// Whether a pre-shared key is needed.
  bool uses_psk() const { return uses(IkeAuth::kPsk) || uses(IkeAuth::kXauthPsk); }
};

/// One pre-shared key and the peers it is for: those of an identity, or those of a listener, or all that have
/// neither.
struct IkePsk {
  /// Peer identities as in IKE ("192.0.2.7", "vpn@example.org", "host.example"); empty: every peer. In IKEv1
  /// Main Mode the key is looked up before the identity is known, so there only addresses and "every peer"
  /// can match.
  std::vector<std::string> identities;
  Secret secret;
  /// Empty: any listener.
  std::string listener = {};
};

/// A name and password for XAuth and EAP-MSCHAPv2.
struct IkeUser {
  std::string name;
  Secret password;
};

struct IkeRadiusServer {
  Endpoint address;
  Secret secret;
};

/// Copied nowhere: it holds the keys. Listeners (but not their addresses), keys, users and CRLs may change
/// while it runs; the rest is fixed at start.
struct IkeConfig {
  /// Made if missing (mode 0700). Holds the sa-feed and vici sockets and charon's settings; two edges need
  /// two. A unix socket's path is at most 107 bytes, so keep it below 90.
  std::filesystem::path run_dir = "/run/sluice/ike";
  /// vici socket of a charon that the operator runs, with our plugin in it; empty: we run one of our own.
  std::filesystem::path attach;
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
  std::vector<IkeListener> listeners{1};
  std::vector<IkePsk> psks;
  std::vector<IkeUser> users;
  /// Asked in turn by EAP-RADIUS.
  std::vector<IkeRadiusServer> radius;
  /// DER: revoked certificates of the clients' CAs.
  std::vector<ByteVector> crls;
  /// Local ports as peers see them, without and with the non-ESP marker.
  std::uint16_t ike_port = 500, natt_port = 4500;
  /// An unfinished handshake is given up after this.
  std::chrono::seconds half_open_timeout{30};
  /// How often we look whether charon still has what we loaded: `swanctl --load-all` unloads what is not in
  /// its files.
  std::chrono::seconds check_interval{1};
  /// charon's log level, 0 to 2; higher ones would print keys and are not accepted.
  int log_level = 1;
  /// charon outlives this process, however it ends but by stop(), and is taken over by the next one.
  bool keep_over_restart = false;
  /// How long charon stays without an edge.
  std::chrono::seconds linger{60};
  /// charon's worker threads.
  int threads = 16;
};

/// Something wrong with listeners, keys or users.
struct IkeFault {
  std::string text;  ///< a sentence
  /// Of IkeConfig's, which one it is about.
  std::optional<std::size_t> listener{}, psk{};
};
std::vector<IkeFault> check_ike(const IkeConfig& config);

/// What a listener offers, its profiles' or its own.
std::vector<std::string> ike_proposals(const IkeListener& listener);
std::vector<std::string> esp_proposals(const IkeListener& listener);

}  // namespace sluice::edge
