#include "edge/ike/connections.hpp"

#include <algorithm>

namespace sluice::edge {
namespace {

using vici::Message;

Message::List texts(const std::vector<ByteVector>& blobs) {
  Message::List out;
  for (const auto& blob : blobs) out.emplace_back(as_text(blob));
  return out;
}

Message::List addresses(const IkeListener& listener) {
  Message::List out;
  for (const auto& address : listener.addresses) out.push_back(address.to_string());
  if (out.empty()) out.emplace_back("%any");
  return out;
}

Message child_message(const IkeListener& listener) {
  Message child;
  child.add("mode", "transport")
      .add_list("local_ts", {"dynamic[udp/1701]"})
      .add_list("remote_ts", {"dynamic[udp]"})  // any port: macOS and NAT use others than 1701
      .add_list("esp_proposals", esp_proposals(listener))
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

/// IKE version that the method exists in; 0: both.
int version_of(IkeAuth auth) {
  switch (auth) {
    case IkeAuth::kPsk:
    case IkeAuth::kCertificate:
      return 0;
    case IkeAuth::kXauthPsk:
    case IkeAuth::kXauthCertificate:
      return 1;
    case IkeAuth::kEapMschapv2:
    case IkeAuth::kEapRadius:
    case IkeAuth::kCount:
      break;
  }
  return 2;
}

Message local_message(const IkeListener& listener, bool by_psk) {
  Message local;
  local.add("auth", by_psk ? "psk" : "pubkey");
  if (!by_psk) local.add_list("certs", texts(listener.certificates));
  if (!listener.identity.empty()) local.add("id", listener.identity);
  return local;
}

Message remote_certificate(const IkeListener& listener) {
  Message remote;
  remote.add("auth", "pubkey").add("id", "%any").add_list("cacerts", texts(listener.client_cas));
  remote.add("revocation", listener.require_crl ? "strict" : "relaxed");
  return remote;
}

Message remote_eap(const char* method) {
  return Message().add("auth", method).add("id", "%any").add("eap_id", "%any");
}

void add_authentication(Message& connection, const IkeListener& listener, IkeAuth auth) {
  const Message remote_psk = Message().add("auth", "psk").add("id", "%any");
  const Message xauth = Message().add("auth", "xauth");
  switch (auth) {
    case IkeAuth::kPsk:
      connection.add_section("local", local_message(listener, true)).add_section("remote", remote_psk);
      break;
    case IkeAuth::kXauthPsk:
      connection.add_section("local", local_message(listener, true))
          .add_section("remote", remote_psk)
          .add_section("remote-xauth", xauth);
      break;
    case IkeAuth::kCertificate:
      connection.add_section("local", local_message(listener, false))
          .add_section("remote", remote_certificate(listener));
      break;
    case IkeAuth::kXauthCertificate:
      connection.add_section("local", local_message(listener, false))
          .add_section("remote", remote_certificate(listener))
          .add_section("remote-xauth", xauth);
      break;
    case IkeAuth::kEapMschapv2:
      connection.add_section("local", local_message(listener, false))
          .add_section("remote", remote_eap("eap-mschapv2"));
      break;
    case IkeAuth::kEapRadius:
      connection.add_section("local", local_message(listener, false))
          .add_section("remote", remote_eap("eap-radius"));
      break;
    case IkeAuth::kCount:
      break;
  }
}

Message connection_message(const IkeListener& listener, IkeAuth auth, const std::string& name) {
  Message connection;
  connection.add("version", version_of(auth))
      .add_list("local_addrs", addresses(listener))
      .add_list("remote_addrs", {"%any"})
      .add_list("proposals", ike_proposals(listener))
      // With a PSK it would let anyone who listens guess the key offline.
      .add("aggressive", "no")
      .add("fragmentation", "yes")
      .add("mobike", "no")
      .add("unique", "never")  // clients show private addresses as identities: many may show the same
      .add("dpd_delay", "0s")
      .add("keyingtries", 1)
      .add("rekey_time", "0s")
      .add("reauth_time", "0s")
      .add("over_time", "0s")
      // charon asks before it knows which connection it will be, so all of a listener's say the same.
      .add("send_certreq", listener.asks_certificate() ? "yes" : "no")
      .add("send_cert", "always");
  add_authentication(connection, listener, auth);
  connection.open("children").add_section(kChildName, child_message(listener));
  Message out;
  out.add_section(name, std::move(connection));
  return out;
}

Message certificate_message(const char* type, const char* flag, const ByteVector& data) {
  return Message().add("type", type).add("flag", flag).add_bytes("data", data);
}

bool has_own_key(const IkeConfig& config, const IkeListener& listener) {
  return std::ranges::any_of(config.psks, [&](const IkePsk& psk) { return psk.listener == listener.name; });
}

/// Whether some key is for one listener only. Then the key for all is tied to the other listeners: a key must
/// not open a listener that it is not for, and charon tries every key that might fit.
bool keys_are_scoped(const IkeConfig& config) {
  return std::ranges::any_of(config.psks, [](const IkePsk& psk) { return !psk.listener.empty(); });
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool is_psk(IkeAuth auth) {
  return auth == IkeAuth::kPsk || auth == IkeAuth::kXauthPsk;
}

/// Scoped keys are found by who we are; in IKEv2 charon looks for them by the identity that the client asks
/// for (IDr). So each address is an identity, with a connection that no other one fits.
std::vector<Message> connections_of(const IkeListener& listener, IkeAuth auth, bool scoped) {
  std::vector<Message> out;
  if (!scoped || !is_psk(auth) || !listener.identity.empty() || listener.addresses.empty()) {
    out.push_back(connection_message(listener, auth, connection_name(listener, auth)));
    return out;
  }
  for (const auto& address : listener.addresses) {
    IkeListener one;
    one.addresses = {address};
    one.identity = address.to_string();
    one.auth = listener.auth;
    one.ike_proposals = ike_proposals(listener);
    one.esp_proposals = esp_proposals(listener);
    auto name = connection_name(listener, auth);
    if (!out.empty()) name += "." + std::to_string(out.size() + 1);
    out.push_back(connection_message(one, auth, name));
  }
  return out;
}

/// Our own addresses and identities that a key without an identity is for.
Message::List own_names(const IkeConfig& config, const IkePsk& psk) {
  Message::List out;
  for (const auto& listener : config.listeners) {
    const bool its = psk.listener.empty() ? !has_own_key(config, listener) : psk.listener == listener.name;
    if (!its) continue;
    for (const auto& address : listener.addresses) out.push_back(address.to_string());
    if (!listener.identity.empty()) out.push_back(listener.identity);
  }
  return out;
}

void add_secrets(const IkeConfig& config, std::vector<Message>& out) {
  std::size_t number = 0;
  const bool scoped = keys_are_scoped(config);
  for (const auto& psk : config.psks) {
    Message message;
    message.add("id", std::string(kNamePrefix) + "psk-" + std::to_string(++number)).add("type", "IKE");
    message.add_secret("data", psk.secret.bytes());
    auto owners = psk.identities;
    if (owners.empty() && scoped) {
      owners = own_names(config, psk);
      if (owners.empty()) continue;  // every listener has a key of its own; without owners it would fit all
    }
    if (!owners.empty()) message.add_list("owners", std::move(owners));
    out.push_back(std::move(message));
  }
  number = 0;
  for (const auto& user : config.users) {
    Message message;
    // charon takes XAuth's passwords from the same store.
    message.add("id", std::string(kNamePrefix) + "user-" + std::to_string(++number)).add("type", "EAP");
    message.add_secret("data", user.password.bytes()).add_list("owners", {user.name});
    out.push_back(std::move(message));
  }
}

}  // namespace

std::string connection_name(const IkeListener& listener, IkeAuth auth) {
  return std::string(kNamePrefix) + std::string(name_of(auth)) + "-" + listener.name;
}

CharonObjects charon_objects(const IkeConfig& config) {
  CharonObjects out;
  for (const auto& crl : config.crls)
    out.certificates.push_back(certificate_message("X509_CRL", "NONE", crl));
  for (const auto& listener : config.listeners) {
    if (!listener.private_key.empty()) {
      Message key;
      key.add("type", "any").add_secret("data", listener.private_key.bytes());
      out.private_keys.push_back(std::move(key));
    }
    for (const auto auth : listener.auth) {
      for (auto& connection : connections_of(listener, auth, keys_are_scoped(config)))
        out.connections.push_back(std::move(connection));
    }
  }
  add_secrets(config, out.secrets);
  return out;
}

bool bears_our_name(const IkeConfig& config, std::string_view identity) {
  if (!keys_are_scoped(config)) return false;
  const auto same = [&](const std::string& name) { return equal_ignoring_case(name, identity); };
  return std::ranges::any_of(config.listeners, [&](const IkeListener& listener) {
    return (!listener.identity.empty() && same(listener.identity)) ||
           std::ranges::any_of(listener.addresses,
                               [&](const auto& address) { return same(address.to_string()); });
  });
}

}  // namespace sluice::edge
