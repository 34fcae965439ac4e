#include "edge/ike/charon_settings.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace sluice::edge {
namespace {

// Ours first: charon takes the first kernel-ipsec, kernel-net and socket that are registered.
constexpr const char* kPlugins = "sluice random nonce openssl aes sha1 sha2 hmac gcm kdf constraints vici";

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

std::vector<std::string> addresses(const IkeConfig& config) {
  std::vector<std::string> out;
  for (const auto& address : config.local_addresses) out.push_back(address.to_string());
  if (out.empty()) out.emplace_back("%any");
  return out;
}

vici::Message child_message(const IkeConfig& config) {
  vici::Message child;
  child.add("mode", "transport")
      .add_list("local_ts", {"dynamic[udp/1701]"})
      .add_list("remote_ts", {"dynamic[udp]"})  // any port: macOS and NAT use others than 1701
      .add_list("esp_proposals", config.esp_proposals.empty() ? default_esp_proposals(config.legacy_proposals)
                                                              : config.esp_proposals)
      // The clients rekey; we only accept.
      .add("rekey_time", "0s")
      .add("rekey_bytes", "0")
      .add("rekey_packets", "0")
      .add("life_time", "0s")
      .add("start_action", "none")
      .add("close_action", "none")
      .add("dpd_action", "clear")
      .add("policies", "no")
      // Otherwise two clients of one private address behind one NAT share a reqid.
      .add("mark_in", "%unique")
      .add("mark_out", "%unique");
  return child;
}

}  // namespace

std::vector<std::string> default_ike_proposals(bool legacy) {
  // Windows 10/11: AES256-SHA1-ECP384, AES128-SHA1-ECP256, AES256-SHA1-MODP2048; macOS:
  // AES256-SHA256-MODP2048 and down.
  std::vector<std::string> out{
      "aes256gcm16-aes128gcm16-prfsha384-prfsha256-ecp384-ecp256-x25519-modp2048",
      "aes256-aes192-aes128-sha512-sha384-sha256-sha1-ecp384-ecp521-ecp256-modp4096-modp3072-modp2048"};
  if (legacy) out.emplace_back("aes256-aes128-3des-sha256-sha1-modp2048-modp1536-modp1024");
  return out;
}

std::vector<std::string> default_esp_proposals(bool legacy) {
  std::vector<std::string> out{"aes256gcm16-aes128gcm16", "aes256-aes192-aes128-sha256-sha1"};
  if (legacy) out.emplace_back("3des-sha1");
  return out;
}

std::string charon_settings(const IkeConfig& config, const CharonPaths& paths) {
  const std::string level = std::to_string(std::clamp(config.log_level, -1, 2));
  std::string out = "# Written by sluice-edge at each start; changes are lost.\ncharon {\n";
  const auto set = [&out](const std::string& line) { out += "  " + line + "\n"; };
  set(std::string("load = ") + kPlugins);
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
  set("ikesa_table_size = 4096");
  set("ikesa_table_segments = 16");
  set("retransmit_tries = 4");
  set("retransmit_timeout = 2.0");
  set(std::string("i_dont_care_about_security_and_use_aggressive_mode_psk = ") +
      (config.aggressive_mode ? "yes" : "no"));
  set("plugins {");
  set("  sluice {");
  set("    socket = " + quoted(paths.feed_socket.native()));
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
  return out;
}

vici::Message connection_message(const IkeConfig& config) {
  vici::Message connection;
  connection.add("version", 0)
      .add_list("local_addrs", addresses(config))
      .add_list("remote_addrs", {"%any"})
      .add_list("proposals", config.ike_proposals.empty() ? default_ike_proposals(config.legacy_proposals)
                                                          : config.ike_proposals)
      .add("aggressive", config.aggressive_mode)
      .add("fragmentation", "yes")
      .add("mobike", "no")
      .add("unique", "never")  // clients show private addresses as identities: many may show the same
      .add("dpd_delay", "0s")
      .add("keyingtries", 1)
      .add("rekey_time", "0s")
      .add("reauth_time", "0s")
      .add("over_time", "0s")
      .add("send_certreq", "no");
  vici::Message local;
  local.add("auth", "psk");
  if (!config.local_identity.empty()) local.add("id", config.local_identity);
  connection.add_section("local", std::move(local));
  connection.add_section("remote", vici::Message().add("auth", "psk").add("id", "%any"));
  connection.open("children").add_section(kChildName, child_message(config));
  vici::Message out;
  out.add_section(kConnectionName, std::move(connection));
  return out;
}

std::vector<vici::Message> secret_messages(const IkeConfig& config) {
  std::vector<vici::Message> out;
  for (const auto& psk : config.psks) {
    vici::Message message;
    message.add("id", "sluice-psk-" + std::to_string(out.size() + 1)).add("type", "IKE");
    message.add_secret("data", psk.secret.bytes());
    if (!psk.identities.empty()) message.add_list("owners", psk.identities);
    out.push_back(std::move(message));
  }
  return out;
}

std::vector<std::string> check_config(const IkeConfig& config) {
  std::vector<std::string> faults;
  check_path(config.run_dir, "the run directory", faults);
  if (config.run_dir.native().size() > 90) {
    faults.push_back("the run directory '" + config.run_dir.native() +
                     "' is longer than 90 bytes, too long for the sockets in it");
  }
  if (!config.run_dir.is_absolute())
    faults.push_back("the run directory '" + config.run_dir.native() + "' is not an absolute path");
  if (config.psks.empty()) faults.emplace_back("there is no pre-shared key: no client could authenticate");
  for (const auto& psk : config.psks) {
    if (psk.secret.empty()) faults.emplace_back("a pre-shared key is empty");
  }
  if (config.log_level < -1 || config.log_level > 2) {
    faults.emplace_back("charon's log level must be -1 to 2: higher ones print keys");
  }
  if (config.ike_port == 0 || config.natt_port == 0 || config.ike_port == config.natt_port) {
    faults.emplace_back("the ports for IKE and for NAT traversal must be two different ones");
  }
  return faults;
}

}  // namespace sluice::edge
