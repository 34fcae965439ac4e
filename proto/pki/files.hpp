#pragma once
// PEM files, read with checks and written whole or not at all. Errors begin with the file's name.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace sluice::pki {

/// Of one of ours, 1 MiB at most.
Result<std::string, std::string> read_public_file(const std::filesystem::path& file);
/// Refuses one that others may read. The caller wipes what it gets.
Result<std::string, std::string> read_key_file(const std::filesystem::path& file);

/// Both write with mode 0600, through a file beside it that is synced and then renamed; nothing on success.
/// A file that is there is an error.
std::optional<std::string> write_new_file(const std::filesystem::path& file, std::string_view text);
/// A file that is there is replaced.
std::optional<std::string> replace_file(const std::filesystem::path& file, std::string_view text);

}  // namespace sluice::pki
