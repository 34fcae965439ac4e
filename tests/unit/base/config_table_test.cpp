#include "base/app/config_table.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

#include "base/app/config_check.hpp"
#include "base/app/config_texts.hpp"

namespace sluice::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Sample {
  std::uint32_t size = 7, port = 1;
  std::string mode = "a";
  std::vector<std::string> names;
  std::filesystem::path file;
};

/// A file with a table and rows, read.
ConfigFile read(const std::string& text, Sample& into, const std::string& file = "a.toml") {
  auto out = std::move(ConfigFile::parse(text, file)).value();
  out.read(taking(Takes::kReload, {{"t.size", Number{&into.size, 1, 9}, "how much"},
                                   {"t.mode", OneOf{&into.mode, {"a", "bee"}}, "which"}}));
  out.read({{"t.port", Number{&into.port, 1, 9}, "where"},
            {"t.file", Path{&into.file, true}, "a file whose contents count"}});
  out.read_each("row", [&](const ConfigFile::ReadRow& row) {
    std::string name;
    std::uint32_t weight = 1;
    row(taking(Takes::kNewClients,
               {{"name", &name, "its name", true}, {"weight", Number{&weight, 1, 9}, "how much"}}));
    into.names.push_back(name);
    if (weight == 9) out.fail(out.place("weight"), "is too heavy");
  });
  out.reject_unknown();
  return out;
}

std::vector<std::string> texts(const ConfigChanges& changes) {
  std::vector<std::string> out;
  for (const auto& change : changes)
    out.push_back(change.to_string() + " / " + std::string(text_of(change.takes)));
  return out;
}

std::vector<std::string> changes(const std::string& before, const std::string& after) {
  Sample one, other;
  return texts(changes_between(read(before, one).values(), read(after, other).values()));
}

TEST(ConfigValues, TellWhatChangesAndWhen) {
  EXPECT_THAT(changes("", ""), IsEmpty());
  EXPECT_THAT(changes("", "[t]\nsize = 7\n"), IsEmpty()) << "the default, written out";
  EXPECT_THAT(changes("[t]\nsize = 3\n", "[t]\nport = 2\nmode = \"bee\"\n"),
              ElementsAre("t.size: 3 -> 7 / reload", "t.mode: \"a\" -> \"bee\" / reload",
                          "t.port: 1 -> 2 / restart"));
}

TEST(ConfigValues, KnowRowsByTheirNames) {
  const std::string a = "[[row]]\nname = \"a\"\n", b = "[[row]]\nname = \"b\"\nweight = 2\n";
  EXPECT_THAT(changes(a + b, b + a), IsEmpty()) << "another order";
  EXPECT_THAT(changes(a, a + b), ElementsAre("row \"b\": added / reload, new clients"));
  EXPECT_THAT(changes(a + b, b), ElementsAre("row \"a\": removed / reload, new clients"));
  EXPECT_THAT(changes(b, "[[row]]\nname = \"b\"\nweight = 3\n"),
              ElementsAre("row \"b\".weight: 2 -> 3 / reload, new clients"));
  EXPECT_THAT(changes(a + a, a), ElementsAre("row \"a\" #2: removed / reload, new clients"));
}

TEST(ConfigValues, WhatNeedsARestartIsToldAgainAndAgain) {
  Sample one, other;
  const auto running = read("[t]\nsize = 3\n", one).values();
  const auto fresh = read("[t]\nsize = 4\nport = 2\n[[row]]\nname = \"a\"\n", other).values();
  const auto taken = taken_over(running, fresh);
  EXPECT_THAT(texts(changes_between(taken, fresh)), ElementsAre("t.port: 1 -> 2 / restart"));
  EXPECT_THAT(texts(changes_between(taken_over(taken, fresh), fresh)),
              ElementsAre("t.port: 1 -> 2 / restart"));
}

TEST(ConfigValues, AFilesContentsCountAndAreNotShown) {
  char name[] = "/tmp/sluice-config-XXXXXX";
  const std::filesystem::path folder = mkdtemp(name);
  const auto values = [&](const char* secret) {
    std::ofstream(folder / "key") << secret;
    Sample sample;
    return read("[t]\nfile = \"key\"\n", sample, (folder / "a.toml").string()).values();
  };
  const auto before = values("one secret"), same = values("one secret"), after = values("another");
  EXPECT_THAT(changes_between(before, same), IsEmpty());
  const auto told = texts(changes_between(before, after));
  EXPECT_THAT(told,
              ElementsAre("t.file: the contents of \"" + (folder / "key").string() + "\" changed / restart"));
  std::filesystem::remove_all(folder);
}

TEST(ConfigValues, AFolderInAFilesPlaceIsRead) {
  Sample sample;
  EXPECT_EQ(contents_of(Path{&(sample.file = "/tmp"), true}), 0U);
}

TEST(ConfigTexts, ErrorsOfFilesWithSecretsQuoteNone) {
  EXPECT_EQ(discreet("expected ']', saw '\\n'"), "expected ']', saw '\\n'");
  EXPECT_EQ(discreet("parsing decimal integer: '99999999999999999999' is not"),
            "parsing decimal integer: ...");
  EXPECT_EQ(discreet("expected ']', saw 'it's mine'"), "expected ']', saw ...");
  EXPECT_EQ(discreet("saw '"), "saw ...");
}

TEST(ConfigTable, ErrorsOfRowsHaveTheirPlace) {
  Sample sample;
  const auto file = read("[[row]]\nname = \"a\"\n[[row]]\nname = \"b\"\nweight = 9\n[rwo]\n", sample);
  ASSERT_EQ(file.errors().size(), 2U);
  EXPECT_EQ(file.errors()[0].to_string(), "a.toml:5:10: row[1].weight: is too heavy");
  EXPECT_EQ(file.errors()[1].to_string(), "a.toml:6:2: unknown key rwo. Did you mean row?");
}

TEST(ConfigTable, ABlankFileKnowsAllSettings) {
  Sample sample;
  auto file = ConfigFile::blank();
  file.read({{"t.size", Number{&sample.size, 1, 9}, "a | b", true}});
  file.read_each("row", [&](const ConfigFile::ReadRow& row) {
    std::string name = "x";
    row({{"name", &name, "its name"}});
  });
  file.fail("t.size", "nothing is wrong with no file");
  EXPECT_THAT(file.errors(), IsEmpty());
  const auto page = settings_page("it", file.values());
  EXPECT_THAT(page, HasSubstr("## [t]\n"));
  EXPECT_THAT(page, HasSubstr("| `size` | whole number, 1 to 9 | required | restart | a \\| b |\n"));
  EXPECT_THAT(page, HasSubstr("## [[row]], one for each\n"));
  EXPECT_THAT(page, HasSubstr("| `name` | text | `\"x\"` | restart | its name |\n"));
}

TEST(ConfigCheck, ReportsAreInOrderAndEachOnce) {
  CheckReport report{
      .file = "a", .errors = {{"b", 2, 1, "x"}, {"a", 9, 1, "y"}, {"b", 2, 1, "x"}}, .warnings = {}};
  sort(report);
  ASSERT_EQ(report.errors.size(), 2U);
  EXPECT_EQ(report.errors[0].to_string(), "a:9:1: y");
  std::ostringstream out, error;
  EXPECT_EQ(print(report, out, error), 1);
  EXPECT_EQ(out.str(), "");
  EXPECT_EQ(error.str(), "a:9:1: y\nb:2:1: x\n");
}

}  // namespace
}  // namespace sluice::app
