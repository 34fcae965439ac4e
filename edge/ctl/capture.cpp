#include "edge/ctl/capture.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "base/app/unique_fd.hpp"
#include "base/text.hpp"
#include "edge/ctl/human.hpp"
#include "edge/ctl/live_query.hpp"
#include "edge/ctl/pcapng.hpp"

namespace sluice::ctl {
namespace {

using nlohmann::ordered_json;

struct Point {
  std::string_view name, description;
  LinkType link;
};
constexpr std::array kPoints{
    Point{"esp", "outside: IKE and ESP between the client and the edge", LinkType::kRawIp},
    Point{"l2tp", "inside ESP: L2TP between the client and its agent", LinkType::kRawIp},
    Point{"ppp", "inside L2TP: PPP frames of the client and its agent", LinkType::kPppWithDirection},
};

std::uint64_t now_ns() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::nanoseconds(since).count());
}

/// Where the file goes: a new one, or the command's own output.
class Sink {
 public:
  Sink(std::string path, std::ostream& out) : path_(std::move(path)), out_(out) {}

  bool is_stdout() const { return path_ == "-"; }
  /// Why not.
  std::optional<std::string> open() {
    if (is_stdout()) return std::nullopt;
    // What the client did is in it: for its owner alone, and never through somebody's link.
    file_ = app::UniqueFd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file_) return std::nullopt;
    const bool there = errno == EEXIST;
    return escaped(path_, 512) + ": " +
           (there ? "is there already, and is not overwritten; --out names another" : std::strerror(errno));
  }
  bool write(Bytes bytes) {
    if (is_stdout()) {
      // Flushed, so that whoever reads a pipe sees packets as they come.
      out_.write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size())).flush();
      return good_ = good_ && out_.good();
    }
    while (good_ && !bytes.empty()) {
      const auto size = ::write(file_.get(), bytes.data(), bytes.size());
      if (size > 0) bytes = bytes.subspan(static_cast<std::size_t>(size));
      good_ = size > 0 || errno == EINTR;
    }
    return good_;
  }
  bool good() const { return good_; }
  void discard() {
    if (file_) ::unlink(path_.c_str());
  }

 private:
  std::string path_;
  std::ostream& out_;
  app::UniqueFd file_;
  bool good_ = true;
};

/// The file and what is in it so far.
class Recording {
 public:
  Recording(Sink& sink, const std::string& session, std::vector<std::string> points)
      : sink_(sink), begun_(now_ns()) {
    for (const auto& point : kPoints) {
      if (std::ranges::find(points, point.name) != points.end()) counts_.push_back({point, 0, 0});
    }
    sink_.write(pcapng_section("sluicectl " SLUICE_VERSION,
                               "session " + escaped(session) + "; passwords are blanked with '*'"));
    for (const auto& count : counts_) {
      sink_.write(pcapng_interface({count.point.name, count.point.description, count.point.link}));
    }
  }

  /// False: the file cannot be written.
  bool take(const vici::Message& row) {
    const auto at = std::ranges::find(counts_, row.get("point"), [](const Count& c) { return c.point.name; });
    if (at == counts_.end()) return true;
    const bool from_client = row.flag("from-client").value_or(false);
    ByteVector data;
    if (at->point.link == LinkType::kPppWithDirection) data.push_back(from_client ? 0 : 1);
    const auto packet = as_bytes(row.get("data"));
    data.insert(data.end(), packet.begin(), packet.end());
    ++at->packets;
    at->dropped = row.number("dropped").value_or(at->dropped);
    bytes_ += packet.size();
    return sink_.write(pcapng_packet({.interface = static_cast<std::uint32_t>(at - counts_.begin()),
                                      .time = row.number("time-ns").value_or(0),
                                      .received = from_client,
                                      .comment = row.get("correlation"),
                                      .data = data}));
  }

  /// `last` is the daemon's answer, or empty.
  void finish(const vici::Message& last) {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      auto& count = counts_[i];
      if (const auto* told = last.section(count.point.name)) {
        count.dropped = told->number("dropped").value_or(count.dropped);
      }
      sink_.write(pcapng_statistics({.interface = static_cast<std::uint32_t>(i),
                                     .begin = begun_,
                                     .end = now_ns(),
                                     .received = count.packets + count.dropped,
                                     .dropped = count.dropped}));
    }
  }

  std::uint64_t packets() const { return sum(&Count::packets); }
  std::uint64_t dropped() const { return sum(&Count::dropped); }
  std::string text() const {
    std::string out = std::to_string(packets()) + " packets, " + bytes_text(bytes_);
    for (const auto& count : counts_) {
      out += (&count == &counts_.front() ? " (" : ", ") + std::string(count.point.name) + " " +
             std::to_string(count.packets);
    }
    return out + ")";
  }
  ordered_json json() const {
    ordered_json points = ordered_json::array();
    for (const auto& count : counts_) {
      points.push_back({{"point", count.point.name}, {"packets", count.packets}, {"dropped", count.dropped}});
    }
    return {{"packets", packets()}, {"bytes", bytes_}, {"dropped", dropped()}, {"points", points}};
  }

 private:
  struct Count {
    Point point;
    std::uint64_t packets, dropped;
  };
  std::uint64_t sum(std::uint64_t Count::*member) const {
    std::uint64_t out = 0;
    for (const auto& count : counts_) out += count.*member;
    return out;
  }

  Sink& sink_;
  std::uint64_t begun_, bytes_ = 0;
  std::vector<Count> counts_;  ///< in the order of the file's interfaces
};

}  // namespace

CLI::App* CaptureCommand::add_to(CLI::App& app) {
  auto* command = app.add_subcommand(
      "capture", "a session's packets, passwords blanked, in a pcapng file that Wireshark reads");
  command
      ->add_option("session", session_,
                   "correlation id, user or address as `sessions` shows them; or the public address of a "
                   "client that has yet to dial")
      ->required();
  command->add_option("--points", points_, "where to look, some of esp,l2tp,ppp")
      ->delimiter(',')
      ->capture_default_str()
      ->check(CLI::IsMember({"esp", "l2tp", "ppp"}));
  command->add_option("--seconds", seconds_, "end after so long")
      ->capture_default_str()
      ->check(CLI::Range(1, 3600));
  command->add_option("--packets", packets_, "end after so many")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--bytes", bytes_, "end before more than so many")
      ->capture_default_str()
      ->check(CLI::Range(1, 1 << 30));
  command->add_option("-o,--out", out_, "the file, which must not exist yet; - for standard output")
      ->capture_default_str();
  examples(*command, {"capture alice --seconds 60 --out alice.pcapng",
                      "capture 203.0.113.5 --points esp,l2tp --out - | tshark -r -"});
  return command;
}

vici::Message CaptureCommand::order() const {
  std::string points;
  for (const auto& point : points_) points += (points.empty() ? "" : ",") + point;
  vici::Message out;
  out.add("session", std::string_view(session_)).add("points", std::string_view(points));
  out.add("seconds", seconds_).add("packets", packets_).add("bytes", bytes_);
  return out;
}

int CaptureCommand::run(const Conversation& with) {
  Sink sink(out_, with.to.out);
  if (with.json && sink.is_stdout()) {
    return with.refuse_usage("--json and --out - both want standard output");
  }
  if (const auto fault = sink.open()) return with.fail(*fault);
  auto question = with.question("capture", "capture-packet", order());
  question.timeout += std::chrono::seconds(seconds_);
  Recording recording(sink, session_, points_);
  const auto answer = ask_live(question, [&](const vici::Message& row) { return recording.take(row); });
  if (answer.error && recording.packets() == 0) {
    sink.discard();
    return with.complain(*answer.error);
  }
  recording.finish(answer.last);
  if (!sink.good()) return with.fail(escaped(out_, 512) + " cannot be written: " + std::strerror(errno));
  const std::string ended = answer.interrupted ? "interrupted" : std::string(answer.last.get("ended-by"));
  if (with.json) {
    ordered_json capture = recording.json();
    capture["file"] = out_;
    capture["ended_by"] = ended;
    with.print("sluice.capture/1", {{"capture", capture}});
  } else {
    with.to.error << recording.text() << (sink.is_stdout() ? "" : ", in " + escaped(out_, 512)) << "\n";
  }
  if (answer.error) {
    with.to.error << "sluicectl: the capture was cut off: " << answer.error->text << "\n";
    return kPartial;
  }
  if (recording.dropped() == 0) return kOk;
  with.to.error << "sluicectl: " << recording.dropped() << " packets came too fast and are not in it\n";
  return kPartial;
}

}  // namespace sluice::ctl
