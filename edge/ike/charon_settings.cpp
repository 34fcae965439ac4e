#include "edge/ike/charon_settings.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sluice::edge {
namespace {

// Ours first: charon takes the first kernel-ipsec, kernel-net and socket that are registered.
// Certificates are decoded by x509 and pem, keys and ciphers are openssl's; MS-CHAPv2's MD4 and DES, too.
constexpr const char* kPlugins =
    "sluice random nonce x509 revocation constraints pubkey pkcs1 pkcs8 pem openssl aes sha1 sha2 hmac gcm "
    "kdf "
    "vici xauth-generic eap-identity eap-mschapv2";

/// A value in strongswan.conf's quotes.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

void check_path(const std::filesystem::path& path, const char* what, std::vector<std::string>& faults) {
  const std::string& text = path.native();
  if (text.find_first_of("\n\r\"\\#{}") != std::string::npos) {
    faults.push_back(std::string(what) + " '" + escaped(text) +
                     "' has a character that strongSwan's settings do not take");
  }
}

bool uses(const IkeConfig& config, IkeAuth auth) {
  return std::ranges::any_of(config.listeners,
                             [auth](const IkeListener& listener) { return listener.uses(auth); });
}

}  // namespace

std::string charon_settings(const IkeConfig& config, const CharonPaths& paths) {
  const std::string level = std::to_string(std::clamp(config.log_level, -1, 2));
  std::string out = "# Written by sluice-edge at each start; changes are lost.\ncharon {\n";
  const auto set = [&out](const std::string& line) { out += "  " + line + "\n"; };
  set(std::string("load = ") + kPlugins + (uses(config, IkeAuth::kEapRadius) ? " eap-radius" : ""));
  set("threads = " + std::to_string(std::clamp(config.threads, 8, 256)));
  set("port = " + std::to_string(config.ike_port));
  set("port_nat_t = " + std::to_string(config.natt_port));
  set("install_routes = no");
  set("install_virtual_ip = no");
  set("process_route = no");
  set("keep_alive = 0");
  set("half_open_timeout = " + std::to_string(config.half_open_timeout.count()));
  // Limits an address would share among all clients behind its NAT; the edge limits sources itself.
  set("cookie_threshold_ip = 0");
  set("block_threshold = 1000000");
  set("cookie_threshold = 200");
  // An answer to IKE_SA_INIT shall be no larger than its question, which has nothing of the kind.
  set("multiple_authentication = no");
  set("ikesa_table_size = 4096");
  set("ikesa_table_segments = 16");
  set("retransmit_tries = 4");
  set("retransmit_timeout = 2.0");
  set("i_dont_care_about_security_and_use_aggressive_mode_psk = no");
  set("plugins {");
  set("  sluice {");
  set("    socket = " + quoted(paths.feed_socket.native()));
  if (config.keep_over_restart) set("    linger = " + std::to_string(config.linger.count()));
  set("  }");
  set("  vici {");
  set("    socket = " + quoted("unix://" + paths.vici_socket.native()));
  set("  }");
  set("}");
  set("filelog {");
  set("  stderr {");
  set("    default = " + level);
  set("    flush_line = yes");
  set("    ike_name = yes");
  set("  }");
  set("}");
  out += "}\n";
  // charon-systemd inherits the above, and would write to the journal by itself.
  out += "charon-systemd {\n  journal {\n    default = -1\n  }\n}\n";
  if (uses(config, IkeAuth::kEapRadius)) out += std::string("include ") + kRadiusFile + "\n";
  return out;
}

Secret radius_settings(const IkeConfig& config) {
  std::string out = "charon {\n  plugins {\n    eap-radius {\n      servers {\n";
  out.reserve(4096);
  std::size_t number = 0;
  for (const auto& server : config.radius) {
    out += "        server" + std::to_string(++number) + " {\n";
    out += "          address = " + server.address.address.to_string() + "\n";
    out += "          auth_port = " + std::to_string(server.address.port) + "\n";
    out += "          secret = " + quoted(std::string(server.secret.text())) + "\n        }\n";
  }
  out += "      }\n    }\n  }\n}\n";
  Secret secret{std::string_view(out)};
  wipe({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return secret;
}

std::vector<std::string> check_config(const IkeConfig& config) {
  std::vector<std::string> faults;
  check_path(config.run_dir, "the run directory", faults);
  check_path(config.attach, "the vici socket", faults);
  if (!config.attach.empty() && !config.attach.is_absolute())
    faults.push_back("the vici socket '" + config.attach.native() + "' is not an absolute path");
  if (config.run_dir.native().size() > 90) {
    faults.push_back("the run directory '" + config.run_dir.native() +
                     "' is longer than 90 bytes, too long for the sockets in it");
  }
  if (!config.run_dir.is_absolute())
    faults.push_back("the run directory '" + config.run_dir.native() + "' is not an absolute path");
  for (auto& fault : check_ike(config)) faults.push_back(std::move(fault.text));
  if (config.log_level < -1 || config.log_level > 2) {
    faults.emplace_back("charon's log level must be -1 to 2: higher ones print keys");
  }
  if (config.ike_port == 0 || config.natt_port == 0 || config.ike_port == config.natt_port) {
    faults.emplace_back("the ports for IKE and for NAT traversal must be two different ones");
  }
  return faults;
}

}  // namespace sluice::edge
