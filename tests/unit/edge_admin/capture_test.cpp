// sluicectl capture and support-bundle against a server whose packets the test makes.
#include <gmock/gmock.h>

#include <array>
#include <cstdio>
#include <fstream>

#include "edge/admin/capture_command.hpp"
#include "edge/admin/report_commands.hpp"
#include "edge/ctl/gzip.hpp"
#include "edge/ctl/pcapng.hpp"
#include "tests/unit/edge_admin/sluicectl_bench.hpp"

namespace sluice::ctl {
namespace {

using edge::CapturedPacket;
using edge::CaptureEnd;
using edge::CapturePoint;
using edge::CaptureRequest;
using edge::CaptureTotals;
using testing::HasSubstr;
using testing::Not;
using Live = std::shared_ptr<vici::Server::Live>;

std::string read(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string said_by(const std::string& command) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::string out;
  std::array<char, 4096> piece{};
  while (const auto size = std::fread(piece.data(), 1, piece.size(), pipe.get())) {
    out.append(piece.data(), size);
  }
  return out;
}

class CaptureCommandTest : public Sluicectl {
 protected:
  /// What `capture` does on the server's thread: it answers at once.
  void answer_captures(std::function<std::optional<std::string>(const CaptureRequest&, const Live&)> begin) {
    on_server_thread([&] {
      edge::add_capture_command(server.server(), [this, begin](const auto& request, const auto&, Live live) {
        asked = request;
        return begin(request, live);
      });
    });
  }
  void give_one_of_each(const Live& live, std::uint64_t dropped) {
    CaptureTotals totals;
    for (const auto point : {CapturePoint::kEsp, CapturePoint::kL2tp, CapturePoint::kPpp}) {
      const CapturedPacket packet{point, point != CapturePoint::kL2tp, PeerId(7), 1'700'000'000'000'000'123,
                                  ByteVector{'d', 'a', 't', 'a'}};
      EXPECT_TRUE(live->send(edge::capture_packet(packet, "c-1", 0)));
      ++totals.packets;
      ++totals.taken[static_cast<std::size_t>(point)];
    }
    totals.dropped[0] = dropped;
    live->finish(edge::capture_answer(totals, CaptureEnd::kSeconds));
  }

  std::optional<CaptureRequest> asked;
  std::filesystem::path file = folder / "a.pcapng";
};

TEST_F(CaptureCommandTest, WritesWhatItWasGivenToAFileOfItsOwn) {
  answer_captures([this](const auto&, const Live& live) {
    give_one_of_each(live, 0);
    return std::nullopt;
  });
  EXPECT_EQ(ctl({"capture", "alice", "--out", file, "--seconds", "7", "--packets", "8", "--bytes", "9"}), kOk)
      << error.str();
  EXPECT_THAT(error.str(), HasSubstr("3 packets"));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->session, "alice");
  EXPECT_EQ(asked->points, 7U);
  EXPECT_EQ(asked->seconds.count(), 7);
  EXPECT_EQ(asked->packets, 8U);
  EXPECT_EQ(asked->bytes, 9U);
  const auto text = read(file);
  EXPECT_EQ(load_be32(as_bytes(text).data()), 0x0a0d0d0aU);
  EXPECT_THAT(text, HasSubstr("c-1"));
  std::size_t at = 0, blocks = 0;
  while (at + 12 <= text.size()) {
    const auto length = load_be32(as_bytes(text).data() + at + 4);
    ASSERT_GE(length, 12U);
    ASSERT_LE(at + length, text.size());
    EXPECT_EQ(load_be32(as_bytes(text).data() + at + length - 4), length);
    at += length;
    ++blocks;
  }
  EXPECT_EQ(at, text.size());
  EXPECT_EQ(blocks, 1U + 3 + 3 + 3);
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(CaptureCommandTest, OverwritesNothing) {
  std::ofstream(file) << "mine";
  EXPECT_EQ(ctl({"capture", "alice", "--out", file}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("is there already"));
  EXPECT_EQ(read(file), "mine");
}

TEST_F(CaptureCommandTest, WritesToStandardOutputAndNotJsonBesides) {
  answer_captures([this](const auto&, const Live& live) {
    give_one_of_each(live, 0);
    return std::nullopt;
  });
  EXPECT_EQ(ctl({"capture", "alice", "--points", "ppp", "--out", "-"}), kOk);
  EXPECT_EQ(asked->points, 4U);
  EXPECT_EQ(load_be32(as_bytes(out.str()).data()), 0x0a0d0d0aU);
  EXPECT_EQ(ctl({"capture", "alice", "--json", "--out", "-"}), kUsage);
}

TEST_F(CaptureCommandTest, SaysWhatIsMissing) {
  answer_captures([this](const auto&, const Live& live) {
    give_one_of_each(live, 5);
    return std::nullopt;
  });
  EXPECT_EQ(ctl({"capture", "alice", "--json", "--out", file}), kPartial);
  const auto value = parsed();
  EXPECT_EQ(value["schema"], "sluice.capture/1");
  EXPECT_EQ(value["capture"]["packets"], 3);
  EXPECT_EQ(value["capture"]["dropped"], 5);
  EXPECT_EQ(value["capture"]["ended_by"], "seconds");
  EXPECT_EQ(value["capture"]["points"][0]["dropped"], 5);
}

TEST_F(CaptureCommandTest, LeavesNoFileWhenTheDaemonRefuses) {
  answer_captures([](const auto&, const Live&) { return "no session has that name"; });
  EXPECT_EQ(ctl({"capture", "nobody", "--out", file}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("no session has that name"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(CaptureCommandTest, KeepsWhatItHasWhenTheDaemonGoes) {
  answer_captures([this](const auto&, const Live& live) {
    EXPECT_TRUE(live->send(edge::capture_packet(
        {CapturePoint::kPpp, true, PeerId(7), 1, ByteVector{'d', 'a', 't', 'a'}}, "c-1", 0)));
    // Once the packet is on its way.
    boost::asio::post(io, [this] { boost::asio::post(io, [this] { server.stop(); }); });
    return std::nullopt;
  });
  EXPECT_EQ(ctl({"capture", "alice", "--out", file}), kPartial);
  EXPECT_THAT(error.str(), HasSubstr("cut off"));
  EXPECT_THAT(read(file), HasSubstr("data"));
}

TEST_F(CaptureCommandTest, RefusesWhatNoCaptureIs) {
  answer_captures([](const auto&, const Live&) { return std::nullopt; });
  EXPECT_EQ(ctl({"capture"}), kUsage);
  EXPECT_EQ(ctl({"capture", "alice", "--points", "tcp"}), kUsage);
  EXPECT_EQ(ctl({"capture", "alice", "--seconds", "0"}), kUsage);
  EXPECT_EQ(ctl({"capture", "", "--out", file}), kFailed);
  EXPECT_THAT(error.str(), HasSubstr("'session' is missing"));
  EXPECT_FALSE(asked);
}

TEST_F(CaptureCommandTest, BundleHoldsWhatItGotAndSaysWhatItDidNot) {
  on_server_thread([&] {
    edge::add_report_commands(server.server(), {.settings =
                                                    [] {
                                                      app::ConfigValue value;
                                                      value.key = "edge.name";
                                                      value.text = "\"edge1\"";
                                                      value.line = 3;
                                                      return app::ConfigValues{value};
                                                    },
                                                .metrics =
                                                    [] {
                                                      std::string page;
                                                      for (int i = 0; i < 9000; ++i)
                                                        page += "sluice_line " + std::to_string(i) + "\n";
                                                      return page;
                                                    }});
  });
  const auto bundle = folder / "b.tar.gz";
  // This server knows neither drains nor events.
  EXPECT_EQ(ctl({"support-bundle", "--out", bundle, "--json"}), kPartial);
  const auto manifest = parsed();
  EXPECT_EQ(manifest["schema"], "sluice.support-bundle/1");
  std::vector<std::string> missing;
  for (const auto& gap : manifest["missing"]) missing.push_back(gap["file"]);
  EXPECT_THAT(missing, testing::IsSupersetOf({"drains.json", "events.json"}));
  EXPECT_THAT(missing, Not(testing::Contains("sessions.json")));
  const auto unpacked = [&](const std::string& name) {
    return said_by("tar -xzOf " + bundle.string() + " --wildcards '*/" + name + "'");
  };
  EXPECT_EQ(json::parse(unpacked("settings.json"))["settings"][0]["key"], "edge.name");
  EXPECT_EQ(json::parse(unpacked("sessions.json"))["sessions"].size(), 2U);
  EXPECT_EQ(json::parse(unpacked("manifest.json"))["parts"], manifest["parts"]);
  EXPECT_THAT(unpacked("metrics.txt"), testing::EndsWith("sluice_line 8999\n"));
  EXPECT_THAT(unpacked("system/sysctl.txt"), HasSubstr("net/ipv4/ip_forward = "));
  EXPECT_EQ(ctl({"support-bundle", "--out", bundle}), kFailed);
  EXPECT_EQ(run_ctl({"support-bundle", "--out", folder / "c.tar.gz"}, {}, folder / "nobody"), kPartial);
}

TEST(Gzip, GivesBackWhatItGot) {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += std::to_string(i * i) + " ";
  const auto packed = gzip(as_bytes(text));
  ASSERT_TRUE(packed);
  EXPECT_LT(packed->size(), text.size() / 2);
  const auto file = std::filesystem::path(testing::TempDir()) / ("gzip-" + std::to_string(::getpid()));
  std::ofstream(file, std::ios::binary) << as_text(*packed);
  EXPECT_EQ(said_by("gzip -dc < " + file.string()), text);
  std::filesystem::remove(file);
  EXPECT_TRUE(gzip({}));
}

}  // namespace
}  // namespace sluice::ctl
