#include "edge/ctl/tar.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice::ctl {
namespace {

namespace fs = std::filesystem;

class Tar : public testing::Test {
 protected:
  Tar() {
    std::string pattern = (fs::temp_directory_path() / "sluice-tar-XXXXXX").string();
    root_ = ::mkdtemp(pattern.data());
  }
  ~Tar() override { fs::remove_all(root_); }
  std::string read(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  int shell(const std::string& command) {
    return std::system(("cd " + root_.string() + " && " + command).c_str());
  }

  fs::path root_;
};

TEST_F(Tar, IsUnpackedByTheRealProgram) {
  std::vector<std::string> contents;
  for (const std::size_t size : {0, 1, 511, 512, 513, 5000})
    contents.emplace_back(size, static_cast<char>('a' + size % 26));
  std::vector<TarEntry> entries;
  for (const auto& content : contents)
    entries.push_back({"file" + std::to_string(content.size()), as_bytes(content),
                       content.size() % 2 ? 0600U : 0644U, "no-such-account", "root"});
  const auto archive = tar_of(entries, 1700000000);
  EXPECT_EQ(archive.size() % 512, 0U);
  std::ofstream(root_ / "a.tar", std::ios::binary) << archive.text();
  ASSERT_EQ(shell("mkdir out && tar -x -C out -f a.tar && tar -tvf a.tar --numeric-owner >list && tar -tvf "
                  "a.tar >named"),
            0);
  for (const auto& content : contents) {
    const auto file = root_ / "out" / ("file" + std::to_string(content.size()));
    EXPECT_EQ(read(file), content);
    struct stat info {};
    ASSERT_EQ(::stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777U, content.size() % 2 ? 0600U : 0644U) << file;
    EXPECT_EQ(info.st_mtime, 1700000000);
    EXPECT_EQ(info.st_uid, ::getuid()) << "root's where there is no such account";
  }
  EXPECT_NE(read(root_ / "list").find("0/0"), std::string::npos);
  EXPECT_NE(read(root_ / "named").find("no-such-account/root"), std::string::npos);
}

}  // namespace
}  // namespace sluice::ctl
