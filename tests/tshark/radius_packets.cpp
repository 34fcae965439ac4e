// RADIUS packets of ours for another decoder to read, and what we mean by them.
//   radius_packets FILE SECRET   writes a pcap of requests and answers; on stdout a line of JSON for each
//   packet:
//                                tshark's names of fields, our values
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "backend-agent/radius/accounting.hpp"
#include "backend-agent/radius/core/dynamic.hpp"
#include "backend-agent/radius/radius_authenticator.hpp"
#include "base/text.hpp"
#include "tests/unit/proto/seeded_random.hpp"

namespace {

using namespace sluice;
using namespace sluice::agent;

constexpr std::uint32_t kPcapMagic = 0xa1b2c3d4, kLinkRaw = 101;
constexpr std::uint16_t kAuthPort = 1812, kAcctPort = 1813, kDynamicPort = 3799, kOurPort = 40000;
constexpr std::uint32_t kOurs = 0x0a000001, kTheirs = 0x0a000002;
constexpr std::int64_t kTime = 1'800'000'000;

/// IPv4 and UDP around each packet, so that tshark pairs requests and answers.
class Capture {
 public:
  explicit Capture(const std::string& path) : file_(path, std::ios::binary) {
    word(kPcapMagic), half(2), half(4), word(0), word(0), word(65535), word(kLinkRaw);
  }
  void add(Bytes packet, std::uint16_t port, bool reply, bool judged = false) {
    const std::size_t size = 28 + packet.size();
    ByteVector datagram(size);
    ByteWriter out(datagram);
    out.u16(0x4500), out.u16(static_cast<std::uint16_t>(size)), out.u32(0), out.u16(0x4011), out.u16(0);
    out.u32(reply ? kTheirs : kOurs), out.u32(reply ? kOurs : kTheirs);
    out.u16(reply ? port : kOurPort), out.u16(reply ? kOurPort : port);
    out.u16(static_cast<std::uint16_t>(8 + packet.size())), out.u16(0);
    out.bytes(packet);
    word(0), word(++time_), word(static_cast<std::uint32_t>(size)), word(static_cast<std::uint32_t>(size));
    file_.write(reinterpret_cast<const char*>(datagram.data()), static_cast<std::streamsize>(size));
    describe(packet, judged);
  }

 private:
  /// Top-level types and their lengths are read off the wire here, so that an error of our parser shows.
  static void describe(Bytes bytes, bool judged) {
    const auto packet = radius::Packet::parse(bytes).value();
    std::string types, lengths;
    for (std::size_t at = radius::kHeaderSize; at < bytes.size(); at += bytes[at + 1]) {
      types += (types.empty() ? "" : ",") + std::to_string(bytes[at]);
      lengths += (lengths.empty() ? "" : ",") + std::to_string(bytes[at + 1]);
    }
    std::cout << "{\"radius.code\":[" << int(bytes[0]) << "],\"radius.id\":[" << int(bytes[1])
              << "],\"radius.length\":[" << bytes.size() << "],\"radius.avp.type\":[" << types
              << "],\"radius.avp.length\":[" << lengths << "]";
    const auto text = [&](const char* name, radius::AttributeType type) {
      if (const auto value = packet.first(type))
        std::cout << ",\"" << name << "\":[\"" << as_text(*value) << "\"]";
    };
    const auto number = [&](const char* name, radius::AttributeType type) {
      if (const auto value = packet.first(type))
        std::cout << ",\"" << name << "\":[" << load_be32(value->data()) << "]";
    };
    const auto bytes_of = [&](const char* name, radius::AttributeType type) {
      if (const auto value = packet.first(type))
        std::cout << ",\"" << name << "\":[\"" << to_hex(*value) << "\"]";
    };
    text("radius.User_Name", radius::attr::kUserName);
    text("radius.Acct_Session_Id", radius::attr::kAcctSessionId);
    text("radius.NAS_Identifier", radius::attr::kNasIdentifier);
    text("radius.Calling_Station_Id", radius::attr::kCallingStationId);
    number("radius.Acct_Status_Type", radius::attr::kAcctStatusType);
    number("radius.Acct_Input_Octets", radius::attr::kAcctInputOctets);
    number("radius.Acct_Input_Gigawords", radius::attr::kAcctInputGigawords);
    number("radius.Acct_Terminate_Cause", radius::attr::kAcctTerminateCause);
    number("radius.Error_Cause", radius::attr::kErrorCause);
    bytes_of("radius.CHAP_Challenge", radius::attr::kChapChallenge);
    bytes_of("radius.MS_CHAP2_Response", radius::attr::kMsChap2Response);
    bytes_of("radius.Message_Authenticator", radius::attr::kMessageAuthenticator);
    if (judged) std::cout << ",\"radius.authenticator.valid\":[1]";
    if (packet.has(radius::attr::kUserPassword)) std::cout << ",\"radius.User_Password\":[\"open sesame\"]";
    std::cout << "}\n";
  }
  void word(std::uint32_t value) { file_.write(reinterpret_cast<const char*>(&value), 4); }
  void half(std::uint16_t value) { file_.write(reinterpret_cast<const char*>(&value), 2); }
  std::ofstream file_;
  std::uint32_t time_ = 0;
};

class Talk {
 public:
  Talk(const std::string& path, std::string secret) : capture_(path), secret_(std::move(secret)) {}

  void exchange(const radius::Draft& request, const radius::Draft& reply, std::uint16_t port) {
    radius::Authenticator authenticator;
    random.fill(authenticator);
    const auto asked = radius::sign_request(request, ++id_, authenticator, as_bytes(secret_)).value();
    capture_.add(asked, port, false);
    const auto answer = radius::sign_reply(reply, id_, authenticator, as_bytes(secret_)).value();
    // tshark does not see what answers Status-Server as an answer.
    capture_.add(answer, port, true, request.code() != radius::Code::kStatusServer);
  }
  sluice::test::SeededRandom random{7};

 private:
  Capture capture_;
  std::string secret_;
  std::uint8_t id_ = 0;
};

Caller caller() {
  return {SessionSerial(9), "6b49d2005f3c-0000000000000009",
          "df013639decd-9", *Endpoint::parse("203.0.113.9:4500"),
          "192.168.1.10",   "edge1"};
}

AuthAttempt attempt(ppp::AuthMethod method, RandomSource& random) {
  AuthAttempt out;
  out.caller = caller();
  out.request.user = "alice";
  out.request.method = method;
  out.request.id = 5;
  out.request.challenge.resize(16);
  random.fill(out.request.challenge);
  out.request.response.resize(method == ppp::AuthMethod::kMsChapV2 ? 49 : 16);
  random.fill(out.request.response);
  out.request.password = Secret(std::string_view("open sesame"));
  out.request.eap = {2, 5, 0, 10, 1, 'a', 'l', 'i', 'c', 'e'};
  return out;
}

radius::Draft accept() {
  radius::Draft out(radius::Code::kAccessAccept);
  out.add(radius::attr::kFramedIpAddress, *IpAddress::parse("10.1.2.3"))
      .add(radius::attr::kSluiceRateUp, 2000U);
  out.add(radius::attr::kMsChap2Success, "\x05S=" + std::string(40, 'A'));
  return out;
}

void logins(Talk& talk) {
  for (const auto method : ppp::all_auth_methods())
    talk.exchange(access_request(attempt(method, talk.random), {"agent1", IpAddress::parse("10.0.0.1")}, {}),
                  accept(), kAuthPort);
  radius::Draft reject(radius::Code::kAccessReject);
  reject.add(radius::attr::kReplyMessage, "no");
  talk.exchange(access_request(attempt(ppp::AuthMethod::kPap, talk.random), {"agent1", {}}, {}), reject,
                kAuthPort);
  talk.exchange(radius::Draft(radius::Code::kStatusServer), radius::Draft(radius::Code::kAccessAccept),
                kAuthPort);
}

void records(Talk& talk) {
  Accounting accounting({.nas = {"agent1", {}},
                         .random = talk.random,
                         .send =
                             [&](radius::Draft draft, std::function<void(bool)> done) {
                               talk.exchange(draft, radius::Draft(radius::Code::kAccountingResponse),
                                             kAcctPort);
                               done(true);
                             },
                         .ask_counters = [](SessionSerial) {},
                         .unix_seconds = [] { return kTime; }});
  const Instant now{std::chrono::hours(1)};
  accounting.announce(true);
  AccountedSession session;
  session.caller = caller();
  session.user = "alice";
  session.address = *IpAddress::parse("10.1.2.3");
  session.ipv6_prefix = Prefix::parse("2001:db8::/64");
  session.classes = {{1, 2, 3}};
  accounting.start(session, now);
  accounting.counters(SessionSerial(9), {1, 2, 3, 4}, now + std::chrono::seconds(60));
  accounting.stop(SessionSerial(9), "idle-timeout", {10, 20, (3ULL << 32) + 30, 40},
                  now + std::chrono::seconds(90));
  accounting.announce(false);
}

void changes(Talk& talk) {
  for (const bool good : {true, false}) {
    radius::Draft request(radius::Code::kCoaRequest);
    request.add(radius::attr::kAcctSessionId, caller().session_id).add(radius::attr::kSluiceRateDown, 64U);
    radius::Draft reply(good ? radius::Code::kCoaAck : radius::Code::kCoaNak);
    if (!good) reply.add(radius::attr::kErrorCause, 503U);
    talk.exchange(request, reply, kDynamicPort);
  }
  radius::Draft request(radius::Code::kDisconnectRequest);
  request.add(radius::attr::kUserName, "alice");
  talk.exchange(request, radius::Draft(radius::Code::kDisconnectAck), kDynamicPort);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: radius_packets FILE SECRET\n";
    return 2;
  }
  Talk talk(argv[1], argv[2]);
  logins(talk);
  records(talk);
  changes(talk);
  return 0;
}
