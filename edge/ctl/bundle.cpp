#include "edge/ctl/bundle.hpp"

#include <array>
#include <chrono>
#include <ctime>

#include "base/text.hpp"
#include "edge/ctl/gzip.hpp"
#include "edge/ctl/human.hpp"
#include "edge/ctl/json.hpp"
#include "edge/ctl/new_files.hpp"
#include "edge/ctl/system_facts.hpp"
#include "edge/ctl/tar.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;

/// What the daemon is asked for, each a file of the bundle.
struct Part {
  const char* name;     ///< "sessions": of the file, the schema and the array
  const char* command;  ///< of the daemon
  const char* event;    ///< empty: one answer instead of rows
};
constexpr std::array kParts{
    Part{"version", "version", ""},
    Part{"stats", "stats", ""},
    Part{"settings", "list-settings", "list-setting"},
    Part{"sessions", "list-sessions", "list-session"},
    Part{"peers", "list-peers", "list-peer"},
    Part{"backends", "list-backends", "list-backend"},
    Part{"drops", "list-drops", "list-drop"},
    Part{"drains", "list-drains", "list-drain"},
    Part{"events", "list-events", "list-event"},
};
constexpr std::array kLeftOut{
    "pre-shared keys, passwords, private keys, RADIUS secrets: only the names of their files are in "
    "settings.json",
    "keys of SAs and channels: no command gives them",
    "packets: sluicectl capture",
};

std::string date_now(const char* format) {
  const auto now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[32];
  return {text, std::strftime(text, sizeof text, format, &utc)};
}

/// The files so far, and what is not among them.
class Bundle {
 public:
  explicit Bundle(std::string folder) : folder_(std::move(folder)) {}

  void add(const std::string& file, std::string text) {
    parts_.push_back({{"file", file}, {"bytes", text.size()}});
    files_.emplace_back(file, std::move(text));
  }
  void miss(const std::string& file, const std::string& why) {
    missing_.push_back({{"file", file}, {"why", escaped(why, 512)}});
  }
  bool whole() const { return missing_.empty(); }
  bool empty() const { return files_.empty(); }
  std::size_t size() const { return files_.size(); }

  ordered_json manifest() const {
    return {{"schema", "sluice.support-bundle/1"},
            {"made_at", date_now("%Y-%m-%dT%H:%M:%SZ")},
            {"made_by", "sluicectl " SLUICE_VERSION},
            {"parts", parts_},
            {"missing", missing_},
            {"left_out", kLeftOut}};
  }
  Secret archive() const {
    const auto manifest_text = to_text(manifest());
    std::vector<TarEntry> entries;
    entries.push_back({.name = folder_ + "/manifest.json",
                       .content = as_bytes(manifest_text),
                       .mode = 0600,
                       .owner = {},
                       .group = {}});
    for (const auto& [name, text] : files_) {
      entries.push_back(
          {.name = folder_ + "/" + name, .content = as_bytes(text), .mode = 0600, .owner = {}, .group = {}});
    }
    return tar_of(entries, static_cast<std::uint64_t>(std::time(nullptr)));
  }

 private:
  std::string folder_;
  std::vector<std::pair<std::string, std::string>> files_;
  ordered_json parts_ = ordered_json::array(), missing_ = ordered_json::array();
};

void add_part(Bundle& bundle, const Part& part, const Conversation& with) {
  const std::string file = std::string(part.name) + ".json";
  const auto answer = with.ask(part.command, part.event);
  if (answer.error) bundle.miss(file, answer.error->text);
  if (answer.error && answer.rows.empty()) return;
  ordered_json out{{"schema", "sluice." + std::string(part.name) + "/1"}};
  if (*part.event == '\0') {
    out[part.name == std::string_view("version") ? "daemon" : part.name] = to_json(answer.last);
  } else {
    auto& rows = out[part.name] = ordered_json::array();
    for (const auto& row : answer.rows) rows.push_back(to_json(row));
    if (const auto partial = answer.last.get("partial"); !partial.empty()) {
      out["partial"] = escaped(partial, 512);
      bundle.miss(file, "not all of it: " + std::string(partial));
    }
  }
  bundle.add(file, to_text(out));
}

void add_metrics(Bundle& bundle, const Conversation& with) {
  const auto answer = with.ask("list-metrics", "list-metric");
  if (answer.error) bundle.miss("metrics.txt", answer.error->text);
  std::string page;
  for (const auto& row : answer.rows) page += row.get("text");
  if (!page.empty()) bundle.add("metrics.txt", std::move(page));
}

void add_system(Bundle& bundle) {
  for (auto& fact : system_facts()) {
    if (fact.missing.empty()) {
      bundle.add(fact.file, std::move(fact.text));
    } else {
      bundle.miss(fact.file, fact.missing);
    }
  }
}

}  // namespace

CLI::App* BundleCommand::add_to(CLI::App& app) {
  auto* command = app.add_subcommand(
      "support-bundle",
      "what somebody needs who looks into a fault from afar, in one .tar.gz without secrets");
  command->add_option(
      "-o,--out", out_,
      "the file, which must not exist yet; default: sluice-support-DATE.tar.gz; - for standard "
      "output");
  examples(*command, {"support-bundle --out /tmp/sluice.tar.gz"});
  return command;
}

int BundleCommand::run(const Conversation& with) {
  if (with.json && out_ == "-") return with.refuse_usage("--json and --out - both want standard output");
  const auto folder = "sluice-support-" + date_now("%Y%m%dT%H%M%SZ");
  const auto file = out_.empty() ? folder + ".tar.gz" : out_;
  Bundle bundle(folder);
  for (const auto& part : kParts) add_part(bundle, part, with);
  add_metrics(bundle, with);
  add_system(bundle);
  const auto archive = bundle.archive();
  const auto packed = gzip(archive.bytes());
  if (!packed) return with.fail("the bundle does not fit into memory");
  if (file == "-") {
    with.to.out << as_text(*packed);
  } else {
    NewFiles files;
    if (const auto fault =
            files.write({.path = file, .text = Secret(Bytes(*packed)), .owner = {}, .what = {}}))
      return with.fail(*fault);
    files.keep();
  }
  const auto manifest = bundle.manifest();
  if (with.json) {
    auto out = manifest;
    out.erase("schema");
    out["file"] = file;
    with.print("sluice.support-bundle/1", out);
  } else {
    with.to.error << bundle.size() << " parts, " << bytes_text(packed->size()) << ", in "
                  << escaped(file, 512) << "\n";
  }
  if (bundle.whole()) return kOk;
  for (const auto& gap : manifest["missing"]) {
    with.to.error << "sluicectl: missing " << gap["file"].get<std::string>() << ": "
                  << gap["why"].get<std::string>() << "\n";
  }
  return kPartial;
}

}  // namespace sluice::ctl
