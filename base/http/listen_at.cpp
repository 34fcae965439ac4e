#include "base/http/listen_at.hpp"

#include "base/text.hpp"

namespace sluice::http {

Result<ListenAt, std::string> parse_listen_at(std::string_view text) {
  if (text.empty()) return ListenAt();
  if (text.front() == '/') return ListenAt(std::string(text));
  const auto endpoint = Endpoint::parse(text);
  if (!endpoint || endpoint->port == 0) {
    return Failure{"\"" + escaped(text) +
                   "\" is neither address:port, for instance \"127.0.0.1:9464\", nor an absolute path"};
  }
  return ListenAt(*endpoint);
}

bool is_local(const ListenAt& at) {
  const auto* endpoint = std::get_if<Endpoint>(&at);
  if (endpoint == nullptr) return true;
  const auto bytes = endpoint->address.bytes();
  if (endpoint->address.is_v4()) return bytes[0] == 127;
  return endpoint->address == *IpAddress::parse("::1");
}

std::string to_string(const ListenAt& at) {
  if (const auto* endpoint = std::get_if<Endpoint>(&at)) return endpoint->to_string();
  if (const auto* path = std::get_if<std::string>(&at)) return *path;
  return "nowhere";
}

}  // namespace sluice::http
