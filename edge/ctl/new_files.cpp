#include "edge/ctl/new_files.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ranges>

#include "proto/pki/files.hpp"

namespace sluice::ctl {
namespace {

namespace fs = std::filesystem;

std::string failed(const fs::path& path) {
  return path.string() + ": " + std::strerror(errno);
}

/// Not where the package is yet to be installed, nor where we are not root.
bool give_to(const fs::path& path, const std::string& owner) {
  const auto* account = ::getpwnam(owner.c_str());
  if (account == nullptr) return false;
  const auto uid = account->pw_uid;
  const auto* group = ::getgrnam("sluice");
  return group != nullptr && ::chown(path.c_str(), uid, group->gr_gid) == 0;
}

}  // namespace

NewFiles::~NewFiles() {
  std::error_code ignored;
  for (const auto& path : std::views::reverse(made_)) fs::remove_all(path, ignored);
}

std::optional<std::string> NewFiles::folder(const fs::path& path, unsigned mode) {
  if (::mkdir(path.c_str(), mode) != 0) {
    std::error_code ignored;
    return errno == EEXIST && fs::is_directory(path, ignored) ? std::nullopt : std::optional(failed(path));
  }
  made_.push_back(path);
  return ::chmod(path.c_str(), mode) == 0 ? std::nullopt : std::optional(failed(path));
}

std::optional<std::string> NewFiles::write(const NewFile& file) {
  if (auto error = pki::write_new_file(file.path, file.text.text())) return error;
  made_.push_back(file.path);
  if (::chmod(file.path.c_str(), file.mode) != 0) return failed(file.path);
  if (!file.owner.empty() && !give_to(file.path, file.owner)) all_owned_ = false;
  return std::nullopt;
}

}  // namespace sluice::ctl
