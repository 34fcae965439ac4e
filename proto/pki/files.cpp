#include "proto/pki/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/app/unique_fd.hpp"

namespace sluice::pki {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargest = 1024 * 1024;

std::string failed(const fs::path& file, int error) {
  return file.string() + ": " + std::strerror(error);
}

Result<std::string, std::string> read(const fs::path& file, bool secret) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return Failure{failed(file, errno)};
  if (!S_ISREG(info.st_mode)) return Failure{file.string() + ": is not a regular file"};
  if (secret && (info.st_mode & (S_IROTH | S_IWOTH)) != 0) {
    return Failure{file.string() + ": the private key may be read by everyone; run chmod 600 " +
                   file.string()};
  }
  std::ifstream in(file, std::ios::binary);
  if (!in) return Failure{failed(file, errno)};
  if (!std::in_range<std::size_t>(info.st_size) || static_cast<std::size_t>(info.st_size) > kLargest) {
    return Failure{file.string() + ": too large for a PEM file"};
  }
  return std::string(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0;
}

/// So that the name, too, survives a power cut.
bool sync_folder(const fs::path& file) {
  const app::UniqueFd folder(::open(file.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && ::fsync(folder.get()) == 0;
}

std::optional<std::string> write(const fs::path& file, std::string_view text, bool replace) {
  const fs::path beside = file.parent_path() / ("." + file.filename().string() + ".new");
  ::unlink(beside.c_str());  // of a run that was cut short
  const app::UniqueFd fd(::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return failed(beside, errno);
  // link() refuses where the name is taken, rename() would not.
  const bool done = write_all(fd.get(), text) && (replace ? ::rename(beside.c_str(), file.c_str()) == 0
                                                          : ::link(beside.c_str(), file.c_str()) == 0);
  const int error = errno;
  if (!done || !replace) ::unlink(beside.c_str());
  if (!done) return failed(file, error);
  if (!sync_folder(file)) return failed(file.parent_path(), errno);
  return std::nullopt;
}

}  // namespace

Result<std::string, std::string> read_public_file(const fs::path& file) {
  return read(file, false);
}
Result<std::string, std::string> read_key_file(const fs::path& file) {
  return read(file, true);
}
std::optional<std::string> write_new_file(const fs::path& file, std::string_view text) {
  return write(file, text, false);
}
std::optional<std::string> replace_file(const fs::path& file, std::string_view text) {
  return write(file, text, true);
}

}  // namespace sluice::pki
