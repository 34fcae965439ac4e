#include "base/app/config_texts.hpp"

#include <fstream>
#include <iterator>

#include "base/app/system_random.hpp"
#include "base/siphash.hpp"

namespace sluice::app {
namespace {

std::string in_quotes(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

template <class Items, class Text>
std::string list_text(const Items& items, Text text) {
  std::string out;
  for (const auto& item : items) out += (out.empty() ? "" : ", ") + text(item);
  return "[" + out + "]";
}

std::string path_text(const std::filesystem::path& path) {
  return in_quotes(path.string());
}

/// Of this process alone: a number that leaves it says nothing of a secret.
const SipKey& key() {
  static const SipKey kKey = [] {
    SipKey out;
    SystemRandom().fill(out);
    return out;
  }();
  return kKey;
}

std::uint64_t contents(const std::filesystem::path& file) {
  // Reading a folder throws, and a pipe may have no end.
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) return 0;
  std::ifstream in(file, std::ios::binary);
  if (!in) return 0;
  std::string text{std::istreambuf_iterator<char>(in), {}};
  const auto out = siphash(key(), as_bytes(text));
  wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return out;
}

std::string number_type(const Number& number) {
  std::string out = "whole number";
  if (number.max != UINT32_MAX)
    return out + ", " + std::to_string(number.min) + " to " + std::to_string(number.max);
  return number.min == 0 ? out : out + " from " + std::to_string(number.min);
}

}  // namespace

std::string list_of(const std::vector<std::string_view>& words) {
  std::string out;
  for (const auto word : words) out += (out.empty() ? "\"" : ", \"") + std::string(word) + "\"";
  return out;
}

std::string text_of(const Target& target) {
  const auto text = [](const std::string& value) { return in_quotes(value); };
  return std::visit(
      Overloaded{
          [&](const std::string* value) { return in_quotes(*value); },
          [](const bool* value) { return std::string(*value ? "true" : "false"); },
          [](const Number& number) { return std::to_string(*number.value); },
          [](const OneOf& choice) { return in_quotes(*choice.value); },
          [&](const SomeOf& choice) { return list_text(*choice.value, text); },
          [](const Path& path) { return path_text(*path.value); },
          [](const Paths& paths) { return list_text(*paths.value, path_text); },
          [](const std::chrono::seconds* value) { return std::to_string(value->count()); },
          [](const IpAddress* value) { return in_quotes(value->to_string()); },
          [](const Endpoint* value) { return in_quotes(value->to_string()); },
          [&](const std::vector<std::string>* value) { return list_text(*value, text); },
          [](const std::vector<IpAddress>* value) {
            return list_text(*value, [](const IpAddress& address) { return in_quotes(address.to_string()); });
          },
      },
      target);
}

std::string type_of(const Target& target) {
  return std::visit(Overloaded{
                        [](const std::string*) { return std::string("text"); },
                        [](const bool*) { return std::string("true or false"); },
                        [](const Number& number) { return number_type(number); },
                        [](const OneOf& choice) { return "one of " + list_of(choice.allowed); },
                        [](const SomeOf& choice) { return "list of some of " + list_of(choice.allowed); },
                        [](const Path&) { return std::string("file name"); },
                        [](const Paths&) { return std::string("list of file names"); },
                        [](const std::chrono::seconds*) { return std::string("seconds"); },
                        [](const IpAddress*) { return std::string("IP address"); },
                        [](const Endpoint*) { return std::string("address:port"); },
                        [](const std::vector<std::string>*) { return std::string("list of texts"); },
                        [](const std::vector<IpAddress>*) { return std::string("list of IP addresses"); },
                    },
                    target);
}

std::string discreet(std::string_view error) {
  constexpr std::size_t kSign = 2;  // "]", "\n"
  for (auto begin = error.find('\''); begin != error.npos;) {
    const auto end = error.find('\'', begin + 1);
    const bool sign = end != error.npos && end - begin - 1 <= kSign &&
                      (end + 1 == error.size() || error[end + 1] == ' ' || error[end + 1] == ',');
    if (!sign) return std::string(error.substr(0, begin)) + "...";
    begin = error.find('\'', end + 1);
  }
  return std::string(error);
}

std::uint64_t contents_of(const Target& target) {
  if (const auto* path = std::get_if<Path>(&target)) return path->contents ? contents(*path->value) : 0;
  std::uint64_t out = 0;
  if (const auto* paths = std::get_if<Paths>(&target)) {
    for (const auto& path : *paths->value) out = out * 31 + contents(path);
  }
  return out;
}

}  // namespace sluice::app
