#pragma once
// Files that are all made or none, and none of which was there before.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/secret.hpp"

namespace sluice::ctl {

struct NewFile {
  std::filesystem::path path;
  Secret text;
  unsigned mode = 0600;
  std::string owner;  ///< an account, with group "sluice", as far as we may and both exist; empty: ours
  std::string what;   ///< for the reader
};

/// What was made so far; removed again when this goes, unless it is kept.
class NewFiles {
 public:
  NewFiles() = default;
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;
  ~NewFiles();

  /// Nothing on success, and if the folder is there already; else what failed.
  std::optional<std::string> folder(const std::filesystem::path& path, unsigned mode);
  /// Nothing on success. A file that is there is an error.
  std::optional<std::string> write(const NewFile& file);
  /// Whether every file written so far has the owner it should have.
  bool all_owned() const { return all_owned_; }
  /// A folder that somebody else is about to make: removed with all that is in it.
  void expect(const std::filesystem::path& folder) { made_.push_back(folder); }
  void keep() { made_.clear(); }

 private:
  std::vector<std::filesystem::path> made_;
  bool all_owned_ = true;
};

}  // namespace sluice::ctl
