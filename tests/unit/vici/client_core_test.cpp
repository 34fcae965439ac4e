#include "vici/client_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.hpp"

namespace sluice::vici {
namespace {

using namespace std::chrono_literals;
constexpr Duration kTimeout = 5s;

/// A core and a daemon's packets written by hand.
struct Bench {
  ClientCore core{"/run/test.vici"};
  Instant now{};

  void daemon(PacketType type, std::string_view name = {}, const Message& message = {}) {
    core.on_bytes(encode_packet(type, name, message).value(), now);
  }
  /// "0 version", "3 log" ...: the packets on the wire since the last call.
  std::vector<std::string> sent() {
    std::vector<std::string> out;
    while (auto bytes = core.poll_transmit()) {
      const auto packet = parse_packet(bytes->bytes().subspan(4));
      out.push_back(std::to_string(static_cast<int>(packet.value().type)) + " " + packet.value().name);
    }
    return out;
  }
  /// "done 1", "error 1 kind", "item 1 v", "event name v", "broken".
  std::vector<std::string> events() {
    std::vector<std::string> out;
    while (auto event = core.poll_event()) {
      if (auto* done = std::get_if<OperationDone>(&*event)) {
        const auto id = std::to_string(done->id);
        if (done->result) {
          out.push_back("done " + id + " " + std::string(done->result->get("k")));
        } else {
          last_error = done->result.error();
          out.push_back("error " + id + " " + std::to_string(static_cast<int>(last_error.kind)));
        }
      } else if (auto* item = std::get_if<StreamItem>(&*event)) {
        out.push_back("item " + std::to_string(item->id) + " " + std::string(item->message.get("k")));
      } else if (auto* raised = std::get_if<EventRaised>(&*event)) {
        out.push_back("event " + raised->name + " " + std::string(raised->message.get("k")));
      } else if (auto* broken = std::get_if<Broken>(&*event)) {
        last_error = broken->error;
        out.push_back("broken");
      }
    }
    return out;
  }
  Error last_error;
};
std::string error(OperationId id, ErrorKind kind) {
  return "error " + std::to_string(id) + " " + std::to_string(static_cast<int>(kind));
}
Message value(std::string_view v) {
  return Message().add("k", v);
}
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ViciClientCore, OneCommandIsOnTheWireAtATime) {
  Bench bench;
  const auto a = bench.core.request("first", {}, kTimeout, bench.now);
  const auto b = bench.core.request("second", {}, kTimeout, bench.now);
  EXPECT_EQ(a, 1u);
  EXPECT_EQ(b, 2u);
  EXPECT_THAT(bench.sent(), ElementsAre("0 first"));
  bench.daemon(PacketType::kCommandResponse, {}, value("x"));
  EXPECT_THAT(bench.events(), ElementsAre("done 1 x"));
  EXPECT_THAT(bench.sent(), ElementsAre("0 second"));
  bench.daemon(PacketType::kCommandUnknown);
  EXPECT_THAT(bench.events(), ElementsAre(error(2, ErrorKind::kUnknownCommand)));
  EXPECT_THAT(bench.last_error.text, HasSubstr("/run/test.vici knows no command 'second'"));
  EXPECT_EQ(bench.core.open_operations(), 0u);
}

TEST(ViciClientCore, StreamRegistersCommandsAndUnregisters) {
  Bench bench;
  bench.core.request("list-sas", {}, kTimeout, bench.now, "list-sa");
  EXPECT_THAT(bench.sent(), ElementsAre("3 list-sa"));
  bench.daemon(PacketType::kEventConfirm);
  EXPECT_THAT(bench.sent(), ElementsAre("0 list-sas"));
  bench.daemon(PacketType::kEvent, "list-sa", value("1"));
  bench.daemon(PacketType::kEvent, "unrelated", value("2"));
  bench.daemon(PacketType::kEvent, "list-sa", value("3"));
  bench.daemon(PacketType::kCommandResponse, {}, value("end"));
  EXPECT_THAT(bench.events(), ElementsAre("item 1 1", "item 1 3"));
  EXPECT_THAT(bench.sent(), ElementsAre("4 list-sa"));
  bench.daemon(PacketType::kEventConfirm);
  EXPECT_THAT(bench.events(), ElementsAre("done 1 end"));
}

TEST(ViciClientCore, StreamOfAnUnknownEventSendsNoCommand) {
  Bench bench;
  bench.core.request("list-x", {}, kTimeout, bench.now, "x");
  bench.sent();
  bench.daemon(PacketType::kEventUnknown);
  EXPECT_THAT(bench.sent(), IsEmpty());
  EXPECT_THAT(bench.events(), ElementsAre(error(1, ErrorKind::kUnknownEvent)));
}

TEST(ViciClientCore, StreamOfAnUnknownCommandStillUnregisters) {
  Bench bench;
  bench.core.request("list-x", {}, kTimeout, bench.now, "x");
  bench.daemon(PacketType::kEventConfirm);
  bench.daemon(PacketType::kCommandUnknown);
  EXPECT_THAT(bench.sent(), ElementsAre("3 x", "0 list-x", "4 x"));
  bench.daemon(PacketType::kEventConfirm);
  EXPECT_THAT(bench.events(), ElementsAre(error(1, ErrorKind::kUnknownCommand)));
}

TEST(ViciClientCore, StreamDoesNotTakeAwayASubscription) {
  Bench bench;
  bench.core.subscribe("list-sa", kTimeout, bench.now);
  bench.core.request("list-sas", {}, kTimeout, bench.now, "list-sa");  // before the subscription is confirmed
  bench.daemon(PacketType::kEventConfirm);
  EXPECT_THAT(bench.sent(), ElementsAre("3 list-sa", "0 list-sas"));
  bench.daemon(PacketType::kEvent, "list-sa", value("1"));
  bench.daemon(PacketType::kCommandResponse);
  bench.daemon(PacketType::kEvent, "list-sa", value("2"));
  EXPECT_THAT(bench.sent(), IsEmpty());
  EXPECT_THAT(bench.events(), ElementsAre("done 1 ", "item 2 1", "done 2 ", "event list-sa 2"));
}

TEST(ViciClientCore, SubscriptionBringsEventsEvenBeforeItsConfirmation) {
  Bench bench;
  bench.core.subscribe("log", kTimeout, bench.now);
  bench.daemon(PacketType::kEvent, "log", value("early"));
  bench.daemon(PacketType::kEventConfirm);
  bench.daemon(PacketType::kEvent, "log", value("late"));
  bench.daemon(PacketType::kEvent, "other", value("x"));
  EXPECT_THAT(bench.events(), ElementsAre("event log early", "done 1 ", "event log late"));
  bench.core.unsubscribe("log", kTimeout, bench.now);
  bench.daemon(PacketType::kEventConfirm);
  bench.daemon(PacketType::kEvent, "log", value("after"));
  EXPECT_THAT(bench.events(), ElementsAre("done 2 "));
}

TEST(ViciClientCore, TimedOutCommandKeepsTheWireUntilItsLateAnswer) {
  Bench bench;
  bench.core.request("slow", {}, 1s, bench.now);
  bench.core.request("next", {}, 10s, bench.now);
  EXPECT_EQ(bench.core.next_timeout(), Instant(1s));
  bench.core.on_timeout(Instant(1s));
  EXPECT_THAT(bench.events(), ElementsAre(error(1, ErrorKind::kTimeout)));
  EXPECT_THAT(bench.last_error.text, HasSubstr("did not answer 'slow' within 1 s"));
  EXPECT_THAT(bench.sent(), ElementsAre("0 slow"));
  bench.daemon(PacketType::kCommandResponse, {}, value("late"));
  EXPECT_THAT(bench.events(), IsEmpty());
  EXPECT_THAT(bench.sent(), ElementsAre("0 next"));
  bench.daemon(PacketType::kCommandResponse, {}, value("n"));
  EXPECT_THAT(bench.events(), ElementsAre("done 2 n"));
}

TEST(ViciClientCore, WaitingCommandsTimeOutWithoutBeingSent) {
  Bench bench;
  bench.core.request("slow", {}, 10s, bench.now);
  bench.core.request("waiting", {}, 1s, bench.now);
  bench.core.on_timeout(Instant(1s));
  EXPECT_THAT(bench.events(), ElementsAre(error(2, ErrorKind::kTimeout)));
  EXPECT_EQ(bench.core.next_timeout(), Instant(10s));
  bench.daemon(PacketType::kCommandResponse);
  EXPECT_THAT(bench.sent(), ElementsAre("0 slow"));
}

TEST(ViciClientCore, EachStreamedMessageRenewsTheTimeout) {
  Bench bench;
  bench.core.request("list-sas", {}, 2s, bench.now, "list-sa");
  bench.daemon(PacketType::kEventConfirm);
  for (int i = 1; i <= 5; ++i) {
    bench.now = Instant(std::chrono::seconds(i));
    bench.daemon(PacketType::kEvent, "list-sa", value("x"));
    EXPECT_EQ(bench.core.next_timeout(), bench.now + 2s);
  }
}

TEST(ViciClientCore, AbandonedOperationsReportNothing) {
  Bench bench;
  const auto a = bench.core.request("a", {}, kTimeout, bench.now);
  const auto b = bench.core.request("b", {}, kTimeout, bench.now);
  bench.core.request("c", {}, kTimeout, bench.now);
  bench.core.abandon(a);
  bench.core.abandon(b);
  EXPECT_EQ(bench.core.open_operations(), 1u);
  bench.daemon(PacketType::kCommandResponse);
  EXPECT_THAT(bench.sent(), ElementsAre("0 a", "0 c"));
  bench.daemon(PacketType::kCommandResponse);
  EXPECT_THAT(bench.events(), ElementsAre("done 3 "));
}

TEST(ViciClientCore, LossReportsEverythingAndStartsAfresh) {
  Bench bench;
  bench.core.subscribe("log", kTimeout, bench.now);
  bench.daemon(PacketType::kEventConfirm);
  bench.core.request("a", {}, kTimeout, bench.now);
  bench.core.request("b", {}, kTimeout, bench.now);
  bench.core.on_bytes(from_hex("0000").value(), bench.now);  // half a length
  bench.core.on_closed({ErrorKind::kClosed, "gone"});
  EXPECT_THAT(bench.events(),
              ElementsAre("done 1 ", error(2, ErrorKind::kClosed), error(3, ErrorKind::kClosed)));
  EXPECT_THAT(bench.sent(), IsEmpty());
  EXPECT_EQ(bench.core.next_timeout(), std::nullopt);
  bench.core.request("again", {}, kTimeout, bench.now);
  bench.daemon(PacketType::kCommandResponse);
  EXPECT_THAT(bench.events(), ElementsAre("done 4 "));
  bench.daemon(PacketType::kEvent, "log", value("x"));
  EXPECT_THAT(bench.events(), IsEmpty());
}

TEST(ViciClientCore, WhatADaemonMayNotSendBreaksTheConnection) {
  for (const auto type :
       {PacketType::kCommandRequest, PacketType::kEventRegister, PacketType::kEventUnregister,
        PacketType::kCommandResponse, PacketType::kCommandUnknown, PacketType::kEventConfirm,
        PacketType::kEventUnknown}) {
    Bench bench;
    bench.daemon(type, "x");
    EXPECT_THAT(bench.events(), ElementsAre("broken")) << static_cast<int>(type);
  }
  Bench bench;
  bench.core.request("a", {}, kTimeout, bench.now);
  bench.daemon(PacketType::kEventConfirm);
  EXPECT_THAT(bench.events(), ElementsAre(error(1, ErrorKind::kMalformed), "broken"));
  bench.daemon(PacketType::kCommandResponse);
  EXPECT_THAT(bench.events(), IsEmpty());
}

TEST(ViciClientCore, MalformedBytesBreakTheConnectionAndSayWhat) {
  Bench bench;
  bench.core.request("a", {}, kTimeout, bench.now);
  bench.core.on_bytes(as_bytes("HTTP/1.1 400 Bad Request\r\n"), bench.now);
  EXPECT_THAT(bench.events(), ElementsAre(error(1, ErrorKind::kMalformed), "broken"));
  EXPECT_THAT(bench.last_error.text, HasSubstr("/run/test.vici sent a packet larger than 512 KiB"));
}

TEST(ViciClientCore, WhatDoesNotFitIsReportedAndNotSent) {
  Bench bench;
  bench.core.request("large", value(std::string(70000, 'x')), kTimeout, bench.now);
  bench.core.subscribe(std::string(300, 'e'), kTimeout, bench.now);
  bench.core.request("fits", {}, kTimeout, bench.now);
  EXPECT_THAT(bench.events(), ElementsAre(error(1, ErrorKind::kTooLarge), error(2, ErrorKind::kTooLarge)));
  EXPECT_THAT(bench.sent(), ElementsAre("0 fits"));
}

}  // namespace
}  // namespace sluice::vici
