#include "base/app/log_journal.hpp"

#include <sys/stat.h>
#include <sys/uio.h>
// What a line says of itself is enough: no CODE_FILE, CODE_LINE and CODE_FUNC of this file.
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "base/app/log_line.hpp"

namespace sluice::app {
namespace {

int priority_of(LogLevel level) {
  // Those of syslog(3).
  switch (level) {
    case LogLevel::kDebug:
      return 7;
    case LogLevel::kInfo:
      return 6;
    case LogLevel::kWarning:
      return 4;
    case LogLevel::kError:
      return 3;
  }
  return 6;
}

std::string upper(std::string_view key) {
  std::string out;
  for (const char c : key) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return out;
}

std::uint64_t fnv1a(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

void append_hex(std::string& out, std::uint64_t word) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[word >> shift & 15];
}

}  // namespace

bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat there {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &there) != 0) return false;
  return std::string_view(stream) == std::to_string(there.st_dev) + ":" + std::to_string(there.st_ino);
}

bool journal_is_there() {
  return ::access("/run/systemd/journal/socket", W_OK) == 0;
}

std::string journal_message_id(std::string_view id) {
  constexpr std::uint64_t kBasis = 0xcbf29ce484222325;
  const std::uint64_t high = fnv1a(fnv1a(kBasis, "sluice:"), id);
  const std::uint64_t low = fnv1a(fnv1a(kBasis, "sluice/"), id);
  std::string out;
  // Version 8 and the variant of RFC 9562: 122 bits of our own making.
  append_hex(out, (high & ~0xf000ULL) | 0x8000ULL);
  append_hex(out, (low & ~(0xcULL << 60)) | 0x8ULL << 60);
  return out;
}

std::vector<std::string> journal_entries(std::string_view program, LogLevel level, MessageId id,
                                         MessageText text, LogFields fields) {
  std::vector<std::string> out;
  out.push_back("MESSAGE=" + format_log_line(id, text, fields));
  out.push_back("PRIORITY=" + std::to_string(priority_of(level)));
  out.push_back("SYSLOG_IDENTIFIER=" + std::string(program));
  out.push_back("MESSAGE_ID=" + journal_message_id(id.name()));
  out.push_back("SLUICE_MESSAGE=" + std::string(id.name()));
  out.push_back("SLUICE_MODULE=" + std::string(about(id.module()).name));
  for (const auto& field : fields) {
    out.push_back("SLUICE_" + upper(field.key) + "=" + printable_log_value(field.value));
  }
  return out;
}

bool send_to_journal(const std::vector<std::string>& entries) {
  std::vector<iovec> parts;
  parts.reserve(entries.size());
  for (const auto& entry : entries) {
    // sendmsg(2) does not write to it.
    parts.push_back({const_cast<char*>(entry.data()), entry.size()});
  }
  return ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size())) == 0;
}

}  // namespace sluice::app
