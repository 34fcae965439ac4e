#include "vici/server_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace sluice::vici {
namespace {

struct Bench {
  ServerCore core{[](std::string_view event) { return event == "log" || event == "list"; }};

  void client(PacketType type, std::string_view name = {}, const Message& message = {}) {
    core.on_bytes(encode_packet(type, name, message).value());
  }
  std::vector<std::string> sent() {
    std::vector<std::string> out;
    while (auto bytes = core.poll_transmit()) {
      const auto packet = parse_packet(Bytes(*bytes).subspan(4));
      out.push_back(std::to_string(static_cast<int>(packet.value().type)) + " " + packet.value().name +
                    std::string(packet.value().message.get("k")));
    }
    return out;
  }
  std::string event() {
    const auto event = core.poll_event();
    if (!event) return "";
    if (const auto* asked = std::get_if<CommandAsked>(&*event)) return "command " + asked->name;
    return "broken: " + std::get<ProtocolBroken>(*event).text;
  }
};
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ViciServerCore, HandsOutACommandAndSendsItsAnswer) {
  Bench bench;
  bench.client(PacketType::kCommandRequest, "version", Message().add("a", "1"));
  auto event = bench.core.poll_event();
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(std::get<CommandAsked>(*event).arguments.get("a"), "1");
  EXPECT_TRUE(bench.core.busy());
  EXPECT_TRUE(bench.core.respond(Message().add("k", "v")));
  EXPECT_FALSE(bench.core.busy());
  EXPECT_THAT(bench.sent(), ElementsAre("1 v"));
}

TEST(ViciServerCore, UnknownCommandIsSaidToBeUnknown) {
  Bench bench;
  bench.client(PacketType::kCommandRequest, "list-sas");
  EXPECT_EQ(bench.event(), "command list-sas");
  bench.core.respond_unknown();
  EXPECT_THAT(bench.sent(), ElementsAre("2 "));
}

TEST(ViciServerCore, FurtherInputWaitsForTheAnswer) {
  Bench bench;
  bench.client(PacketType::kCommandRequest, "a");
  bench.client(PacketType::kCommandRequest, "b");
  bench.client(PacketType::kEventRegister, "log");
  EXPECT_EQ(bench.event(), "command a");
  EXPECT_EQ(bench.event(), "");
  bench.core.respond({});
  EXPECT_EQ(bench.event(), "command b");
  EXPECT_FALSE(bench.core.registered("log"));
  bench.core.respond({});
  EXPECT_TRUE(bench.core.registered("log"));
  EXPECT_TRUE(bench.core.wants_input());
  EXPECT_THAT(bench.sent(), ElementsAre("1 ", "1 ", "5 "));
}

TEST(ViciServerCore, TakesOnlyALittleInputWhileBusy) {
  Bench bench;
  bench.client(PacketType::kCommandRequest, "a");
  EXPECT_TRUE(bench.core.wants_input());
  bench.client(PacketType::kCommandRequest, "b", Message().add("k", std::string(20000, 'x')));
  EXPECT_FALSE(bench.core.wants_input());
  bench.core.respond({});
  EXPECT_TRUE(bench.core.wants_input());
}

TEST(ViciServerCore, EventsGoToWhoRegistered) {
  Bench bench;
  EXPECT_FALSE(bench.core.send_event("log", {}));
  bench.client(PacketType::kEventRegister, "log");
  bench.client(PacketType::kEventRegister, "unknown");
  EXPECT_TRUE(bench.core.send_event("log", Message().add("k", "v")));
  EXPECT_FALSE(bench.core.send_event("list", {}));
  bench.client(PacketType::kEventUnregister, "log");
  bench.client(PacketType::kEventUnregister, "log");
  EXPECT_FALSE(bench.core.send_event("log", {}));
  EXPECT_THAT(bench.sent(), ElementsAre("5 ", "6 ", "7 logv", "5 ", "6 "));
}

TEST(ViciServerCore, CountsQueuedBytes) {
  Bench bench;
  bench.client(PacketType::kEventRegister, "log");
  EXPECT_EQ(bench.core.queued_bytes(), 5u);
  bench.core.send_event("log", {});
  EXPECT_EQ(bench.core.queued_bytes(), 5u + 9u);
  bench.sent();
  EXPECT_EQ(bench.core.queued_bytes(), 0u);
}

TEST(ViciServerCore, AnswerThatDoesNotFitBecomesAnErrorAnswer) {
  Bench bench;
  bench.client(PacketType::kCommandRequest, "a");
  bench.event();
  EXPECT_FALSE(bench.core.respond(Message().add("k", std::string(70000, 'x'))));
  const auto packet = bench.core.poll_transmit();
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(parse_packet(Bytes(*packet).subspan(4)).value().message.flag("success"), false);
  EXPECT_FALSE(bench.core.busy());
}

TEST(ViciServerCore, WhatOnlyADaemonSendsBreaksTheConnection) {
  for (const auto type : {PacketType::kCommandResponse, PacketType::kCommandUnknown,
                          PacketType::kEventConfirm, PacketType::kEventUnknown, PacketType::kEvent}) {
    Bench bench;
    bench.client(type, "x");
    EXPECT_EQ(bench.event(), "broken: a packet that only a daemon may send");
    EXPECT_FALSE(bench.core.wants_input());
    bench.client(PacketType::kCommandRequest, "a");
    EXPECT_EQ(bench.event(), "");
  }
}

TEST(ViciServerCore, OversizeIsToldApartFromMalformed) {
  Bench oversize;
  oversize.core.on_bytes(from_hex("00080001").value());
  EXPECT_TRUE(std::get<ProtocolBroken>(*oversize.core.poll_event()).oversize);
  Bench malformed;
  malformed.core.on_bytes(from_hex("0000000163").value());
  EXPECT_FALSE(std::get<ProtocolBroken>(*malformed.core.poll_event()).oversize);
}

TEST(ViciServerCore, EveryBitFlipOfARequestIsHandledOrBreaks) {
  const auto request = encode_packet(PacketType::kCommandRequest, "list", Message().add("k", "v")).value();
  for (std::size_t bit = 0; bit < request.size() * 8; ++bit) {
    auto flipped = request;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1U << (bit % 8)));
    Bench bench;
    bench.core.on_bytes(flipped);
    const auto event = bench.core.poll_event();
    if (event && std::holds_alternative<CommandAsked>(*event)) {
      EXPECT_TRUE(bench.core.respond({}));
      EXPECT_THAT(bench.sent(), ElementsAre("1 "));
    }
    EXPECT_LE(bench.sent().size(), 1u);
  }
}

}  // namespace
}  // namespace sluice::vici
