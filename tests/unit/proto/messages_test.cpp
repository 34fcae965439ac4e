#include "proto/channel/messages.hpp"

#include <gtest/gtest.h>

#include <channel.pb.h>

namespace sluice::channel {
namespace {

TunnelOpen an_open() {
  return {RelayId(7),
          1,
          0,
          TunnelId(9),
          {IpAddress::v4(0xc0000201), 4500},
          IpAddress::v4(0xc6336401),
          "peer\xff\x00!",
          "AES_CBC_128/HMAC_SHA1_96",
          "c-1",
          1400,
          true,
          1024};
}

TunnelResume a_resume() {
  TunnelResume out;
  out.resume = 8;
  out.relay = RelayId(7);
  out.correlation_id = "c-7";
  out.peer_identity = "peer\xff!";
  out.client = {IpAddress::v4(0xc0000201), 4500};
  out.l2tp_port = 1701;
  out.agent_tunnel = TunnelId(9);
  out.client_tunnel = TunnelId(65535);
  out.agent_worker = 1;
  out.ns = 65535;
  out.nr = 3;
  out.established = true;
  out.sessions = {{SessionId(1), SessionId(2), true, "user", "pap", IpAddress::v4(0x0a1e0102), 77},
                  {SessionId(3), SessionId(), false, "", "", std::nullopt, 0}};
  return out;
}

std::vector<Message> one_of_each() {
  const DataPaths paths{3, {{0, 0, Spi(0x1000), Spi(0x2000)}, {0, 1, Spi(0x1001), Spi(0x2001)}}};
  return {Hello{1, 4, 0x1122334455667788, 100, 2, 5000, 4000, "sluice-agent"},
          Welcome{1, 99, "edge1", 2, 4501, paths},
          paths,
          LoadReport{10, 11, 500, 123456, 77, true, 250, 12},
          KeepAlive{42},
          an_open(),
          TunnelAccept{RelayId(1)},
          TunnelRefuse{RelayId(2), "full"},
          TunnelClose{RelayId(3), CloseCause::kPeerGone, "no SA"},
          SessionUp{RelayId(4), SessionId(5), "user", "mschapv2", IpAddress::parse("2001:db8::1"), 1234},
          SessionDown{RelayId(4), SessionId(5), "user-request", "hung up", "user"},
          Goodbye{"done"},
          a_resume(),
          TunnelResumed{8, RelayId(3), 1},
          TunnelLost{9, CloseCause::kPeerGone, "who?"},
          TunnelEnd{RelayId(3), "draining"}};
}

TEST(Messages, EachRoundTrips) {
  const auto all = one_of_each();
  ASSERT_EQ(all.size() + 1, std::variant_size_v<Message>);
  for (const auto& message : all) {
    const auto decoded = decode(encode(message));
    ASSERT_TRUE(decoded.ok()) << name_of(message);
    EXPECT_EQ(decoded.value(), message) << name_of(message);
  }
}

TEST(Messages, EveryTruncationAndBitFlipIsDecodedOrRefused) {
  for (const auto& message : one_of_each()) {
    ByteVector bytes = encode(message);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
      const ByteVector part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
      const auto decoded = decode(part);
      EXPECT_FALSE(decoded.ok() && decoded.value() == message) << name_of(message) << " cut at " << cut;
    }
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
      // Whatever decodes must be a value that encodes to itself again.
      if (const auto decoded = decode(bytes)) {
        const auto again = decode(encode(decoded.value()));
        EXPECT_TRUE(std::holds_alternative<UnknownMessage>(decoded.value()) ||
                    (again.ok() && again.value() == decoded.value()));
      }
      bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1U << (bit % 8)));
    }
  }
}

template <class F>
std::string refused_field(F&& change) {
  pb::ControlMessage message;
  change(message);
  ByteVector bytes(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(bytes.data());
  const auto decoded = decode(bytes);
  if (decoded.ok()) return "";
  EXPECT_FALSE(decoded.error().malformed);
  return decoded.error().field;
}

pb::Hello& good_hello(pb::ControlMessage& m) {
  auto& hello = *m.mutable_hello();
  hello.set_version_min(1);
  hello.set_version_max(1);
  hello.set_weight(1);
  hello.set_workers(1);
  hello.set_data_port(1);
  return hello;
}

TEST(Messages, NamesTheFieldOutOfRange) {
  EXPECT_EQ(refused_field([](auto& m) { good_hello(m); }), "");
  EXPECT_EQ(refused_field([](auto& m) { good_hello(m).set_weight(1001); }), "hello.weight");
  EXPECT_EQ(refused_field([](auto& m) { good_hello(m).set_weight(0); }), "hello.weight");
  EXPECT_EQ(refused_field([](auto& m) { good_hello(m).set_workers(kMaxWorkers + 1); }), "hello.workers");
  EXPECT_EQ(refused_field([](auto& m) { good_hello(m).set_data_port(65536); }), "hello.data_port");
  EXPECT_EQ(refused_field([](auto& m) {
              auto& hello = good_hello(m);
              hello.set_workers(3);
              hello.set_data_port(65534);
            }),
            "hello.data_port")
      << "no room for a port for each worker";
  EXPECT_EQ(refused_field([](auto& m) { good_hello(m).set_version_min(2); }), "hello.version_min");
  EXPECT_EQ(refused_field([](auto& m) { good_hello(m).set_software(std::string(kMaxText + 1, 'a')); }),
            "hello.software");
  EXPECT_EQ(refused_field([](auto& m) { m.mutable_tunnel_accept(); }), "tunnel_accept.relay_id");
  EXPECT_EQ(refused_field([](auto& m) { m.mutable_data_paths(); }), "data_paths.path");
  EXPECT_EQ(refused_field([](auto& m) {
              auto& path = *m.mutable_data_paths()->add_path();
              path.set_spi_to_edge(255);
            }),
            "data_paths.path.spi_to_edge");
  EXPECT_EQ(refused_field([](auto& m) { m.mutable_welcome()->set_version(0); }), "welcome.version");
  EXPECT_EQ(refused_field([](auto& m) {
              auto& up = *m.mutable_session_up();
              up.set_relay_id(1);
              up.set_session_id(1);
              up.set_client_ip("12345");
            }),
            "session_up.client_ip");
  EXPECT_EQ(refused_field([](auto& m) {
              auto& down = *m.mutable_session_down();
              down.set_relay_id(1);
              down.set_session_id(65536);
            }),
            "session_down.session_id");
}

TEST(Messages, TunnelOpenRefusesEachFieldOutOfRange) {
  const auto with = [](auto change) {
    return refused_field([&](pb::ControlMessage& m) {
      const auto bytes = encode(an_open());
      ASSERT_TRUE(m.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
      change(*m.mutable_tunnel_open());
    });
  };
  EXPECT_EQ(with([](auto& o) { o.set_assigned_tunnel_id(0); }), "tunnel_open.assigned_tunnel_id");
  EXPECT_EQ(with([](auto& o) { o.set_assigned_tunnel_id(65536); }), "tunnel_open.assigned_tunnel_id");
  EXPECT_EQ(with([](auto& o) { o.set_client_address(""); }), "tunnel_open.client_address");
  EXPECT_EQ(with([](auto& o) { o.set_edge_address("abc"); }), "tunnel_open.edge_address");
  EXPECT_EQ(with([](auto& o) { o.set_client_port(70000); }), "tunnel_open.client_port");
  EXPECT_EQ(with([](auto& o) { o.set_edge_worker(kMaxWorkers); }), "tunnel_open.edge_worker");
  EXPECT_EQ(with([](auto& o) { o.set_ppp_mtu(65536); }), "tunnel_open.ppp_mtu");
}

TEST(Messages, PassesOverWhatALaterVersionSays) {
  // Field 200, length-delimited, two bytes: a message this version does not know.
  const ByteVector later{0xc2, 0x0c, 0x02, 0x08, 0x01};
  const auto decoded = decode(later);
  ASSERT_TRUE(decoded.ok());
  EXPECT_TRUE(std::holds_alternative<UnknownMessage>(decoded.value()));

  pb::ControlMessage message;
  message.mutable_tunnel_close()->set_relay_id(1);
  message.mutable_tunnel_close()->set_cause(static_cast<pb::CloseCause>(77));
  ByteVector bytes(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(bytes.data());
  EXPECT_EQ(decode(bytes).value(), Message(TunnelClose{RelayId(1), CloseCause::kUnspecified, ""}));
}

TEST(Messages, MalformedProtobufIsCalledMalformed) {
  EXPECT_TRUE(decode(ByteVector{0x0a, 0x7f, 0x00}).error().malformed);
}

TEST(Messages, LongTextIsCutOnEncoding) {
  const auto decoded = decode(encode(Goodbye{std::string(5000, 'x')}));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(std::get<Goodbye>(decoded.value()).reason.size(), kMaxText);
}

pb::TunnelResume& good_resume(pb::ControlMessage& m) {
  auto& resume = *m.mutable_tunnel_resume();
  resume.set_resume_id(1);
  resume.set_relay_id(1);
  resume.set_client_address(std::string(4, '\1'));
  resume.set_assigned_tunnel_id(1);
  resume.set_client_tunnel_id(1);
  return resume;
}

TEST(Messages, TunnelResumeRefusesEachFieldOutOfRange) {
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m); }), "");
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m).set_resume_id(0); }), "tunnel_resume.resume_id");
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m).set_relay_id(0); }), "tunnel_resume.relay_id");
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m).set_client_tunnel_id(65536); }),
            "tunnel_resume.client_tunnel_id");
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m).set_assigned_tunnel_id(0); }),
            "tunnel_resume.assigned_tunnel_id");
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m).set_ns(65536); }), "tunnel_resume.ns");
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m).set_client_address("abc"); }),
            "tunnel_resume.client_address");
  EXPECT_EQ(refused_field([](auto& m) { good_resume(m).add_session()->set_session_id(0); }),
            "tunnel_resume.session.session_id");
  EXPECT_EQ(refused_field([](auto& m) {
              auto& resume = good_resume(m);
              for (std::size_t i = 0; i <= kMaxResumedSessions; ++i) resume.add_session()->set_session_id(1);
            }),
            "tunnel_resume.session");
}

}  // namespace
}  // namespace sluice::channel
