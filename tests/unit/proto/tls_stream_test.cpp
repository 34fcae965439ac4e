// Real TLS over loopback TCP, with certificates made here.
#include "proto/transport/tls_stream.hpp"

#include <botan/credentials_manager.h>
#include <botan/data_src.h>
#include <botan/pkcs8.h>
#include <botan/system_rng.h>
#include <botan/tls_callbacks.h>
#include <botan/tls_client.h>
#include <botan/tls_extensions.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <limits>

#include "proto/transport/tls_material.hpp"
#include "tests/unit/proto/seeded_random.hpp"
#include "tests/unit/proto/test_pki.hpp"

namespace sluice::transport {
namespace {

using pki::Validity;

using net::ip::tcp;
using Opened = Result<TlsStream::Ptr, TlsError>;
constexpr auto kAwait = net::as_tuple(net::use_awaitable);

/// A pair of TCP sockets joined on loopback.
std::pair<tcp::socket, tcp::socket> tcp_pair(net::io_context& io) {
  tcp::acceptor acceptor(io, {net::ip::address_v4::loopback(), 0});
  tcp::socket client(io);
  client.connect(acceptor.local_endpoint());
  return {acceptor.accept(), std::move(client)};
}

class TlsStreamTest : public testing::Test {
 protected:
  /// Runs the loop until all coroutines ended; a hang fails the test instead of stopping the suite.
  void run() {
    io_.restart();
    io_.run_for(std::chrono::seconds(20));
    EXPECT_TRUE(io_.stopped()) << "something still waits";
  }
  template <class F>
  void spawn(F&& f) {
    net::co_spawn(io_, std::forward<F>(f), [](std::exception_ptr e) {
      if (e) std::rethrow_exception(e);
    });
  }
  /// Handshakes both ways at once.
  void handshake(TlsIdentity edge, TlsIdentity agent, TlsOptions edge_options = {},
                 TlsOptions agent_options = {}) {
    auto [a, b] = tcp_pair(io_);
    spawn([this, s = std::move(a), edge, edge_options]() mutable -> net::awaitable<void> {
      server_.emplace(co_await TlsStream::accept(std::move(s), edge, edge_options));
    });
    spawn([this, s = std::move(b), agent, agent_options]() mutable -> net::awaitable<void> {
      client_.emplace(co_await TlsStream::connect(std::move(s), agent, agent_options));
      // Where the server refuses us we learn it by its alert, at the latest on reading.
      if (client_->ok() && server_ && !server_->ok()) {
        const auto got = co_await client_->value()->read();
        if (!got) client_.emplace(Failure{got.error()});
      }
    });
    run();
  }
  TlsFailure server_failure() {
    return server_ && !server_->ok() ? server_->error().failure : TlsFailure::kCount;
  }
  TlsFailure client_failure() {
    return client_ && !client_->ok() ? client_->error().failure : TlsFailure::kCount;
  }

  /// What the server makes of raw bytes, and what it answered before it closed.
  std::pair<TlsFailure, ByteVector> server_given(
      const ByteVector& bytes, bool shut = true,
      std::chrono::milliseconds timeout = std::chrono::milliseconds(3000)) {
    auto [a, b] = tcp_pair(io_);
    auto client = std::make_shared<tcp::socket>(std::move(b));
    ByteVector answer;
    TlsOptions options;
    options.handshake_timeout = timeout;
    spawn([this, s = std::move(a), options]() mutable -> net::awaitable<void> {
      server_.emplace(co_await TlsStream::accept(std::move(s), edge_, options));
    });
    spawn([&answer, client, bytes, shut]() -> net::awaitable<void> {
      co_await net::async_write(*client, net::buffer(bytes), kAwait);
      boost::system::error_code ignored;
      if (shut) client->shutdown(tcp::socket::shutdown_send, ignored);
      co_await net::async_read(*client, net::dynamic_buffer(answer), kAwait);
    });
    run();
    return {server_failure(), answer};
  }

  net::io_context io_;
  test::TestPki pki_;
  TlsIdentity edge_ = pki_.identity("edge1", Role::kEdge);
  TlsIdentity agent_ = pki_.identity("agent1", Role::kAgent);
  std::optional<Opened> server_, client_;
};

TEST_F(TlsStreamTest, BothSidesKnowEachOtherAndAgreeOnExportedKeys) {
  handshake(edge_, agent_);
  ASSERT_TRUE(server_ && server_->ok()) << server_->error().text;
  ASSERT_TRUE(client_ && client_->ok()) << client_->error().text;
  const auto& server = *server_->value();
  const auto& client = *client_->value();
  EXPECT_EQ(server.peer().name, "agent1");
  EXPECT_EQ(server.peer().role, Role::kAgent);
  EXPECT_EQ(client.peer().name, "edge1");
  EXPECT_EQ(client.peer().role, Role::kEdge);
  const ByteVector context{1, 2, 3}, other{1, 2, 4};
  const auto a = server.export_key("EXPORTER-x", context, 20),
             b = client.export_key("EXPORTER-x", context, 20);
  ASSERT_EQ(a.size(), 20U);
  EXPECT_TRUE(equal(a.bytes(), b.bytes()));
  EXPECT_FALSE(equal(a.bytes(), server.export_key("EXPORTER-x", other, 20).bytes()));
  EXPECT_FALSE(equal(a.bytes(), server.export_key("EXPORTER-y", context, 20).bytes()));
  EXPECT_EQ(server.remote(), client.local());
}

TEST_F(TlsStreamTest, EachConnectionHasItsOwnKeys) {
  handshake(edge_, agent_);
  const auto first = server_->value()->export_key("EXPORTER-x", {}, 20);
  handshake(edge_, agent_);
  EXPECT_FALSE(equal(first.bytes(), server_->value()->export_key("EXPORTER-x", {}, 20).bytes()));
}

TEST_F(TlsStreamTest, CarriesBytesBothWaysAndClosesInOrder) {
  handshake(edge_, agent_);
  ASSERT_TRUE(server_->ok() && client_->ok());
  test::SeededRandom random(2);
  ByteVector sent(300'000);
  random.fill(sent);
  ByteVector echoed, received;
  std::optional<TlsFailure> client_end, server_end;
  spawn([&, s = server_->value()]() -> net::awaitable<void> {
    while (true) {
      const auto got = co_await s->read();
      if (!got) {
        server_end = got.error().failure;
        co_return;
      }
      received.insert(received.end(), got.value().begin(), got.value().end());
      EXPECT_TRUE(co_await s->write(got.value()));
    }
  });
  spawn([&, c = client_->value()]() -> net::awaitable<void> {
    EXPECT_TRUE(co_await c->write(sent));
    while (echoed.size() < sent.size()) {
      const auto got = co_await c->read();
      EXPECT_TRUE(got.ok());
      if (!got) co_return;
      echoed.insert(echoed.end(), got.value().begin(), got.value().end());
    }
    c->close();
    const auto got = co_await c->read();
    client_end = got.ok() ? TlsFailure::kCount : got.error().failure;
    EXPECT_FALSE(c->send(sent)) << "closed";
  });
  run();
  EXPECT_TRUE(equal(received, sent));
  EXPECT_TRUE(equal(echoed, sent));
  EXPECT_EQ(server_end, TlsFailure::kClosed);
  EXPECT_EQ(client_end, TlsFailure::kClosed);
}

TEST_F(TlsStreamTest, TheQueueIsBoundedAndWritersWaitForRoom) {
  TlsOptions small;
  small.max_queued = 100'000;
  handshake(edge_, agent_, small);
  ASSERT_TRUE(server_->ok() && client_->ok());
  const ByteVector chunk(16'000, 7);
  std::size_t queued = 0;
  while (server_->value()->send(chunk)) {
    queued += chunk.size();
    ASSERT_LT(queued, 200'000U) << "the peer does not read, so there must be an end";
  }
  EXPECT_FALSE(server_->value()->send(ByteVector(200'000))) << "never fits";
  std::size_t got_bytes = 0;
  spawn([&, s = server_->value()]() -> net::awaitable<void> {
    EXPECT_TRUE(co_await s->write(chunk));
    s->close();
  });
  spawn([&, c = client_->value()]() -> net::awaitable<void> {
    while (true) {
      const auto got = co_await c->read();
      if (!got) co_return;
      got_bytes += got.value().size();
    }
  });
  run();
  EXPECT_EQ(got_bytes, queued + chunk.size());
}

TEST_F(TlsStreamTest, ATruncatedStreamIsNotAClose) {
  handshake(edge_, agent_);
  ASSERT_TRUE(server_->ok() && client_->ok());
  std::optional<TlsFailure> end;
  spawn([&, s = server_->value()]() -> net::awaitable<void> {
    const auto got = co_await s->read();
    end = got.ok() ? TlsFailure::kCount : got.error().failure;
  });
  client_->value()->abort();
  run();
  EXPECT_EQ(end, TlsFailure::kTruncated);
}

/// An identity that no check of ours has seen: for peers that misbehave.
TlsIdentity unchecked(const std::string& ca, const std::string& certificate, const std::string& key) {
  auto material = std::make_shared<TlsIdentity::Material>();
  Botan::DataSource_Memory ca_source(ca), key_source(key);
  material->anchors.store.add_certificate(Botan::X509_Certificate(ca_source));
  if (!certificate.empty()) {
    Botan::DataSource_Memory source(certificate);
    material->chain.emplace_back(source);
  }
  material->key = Botan::PKCS8::load_key(key_source);
  return TlsIdentity(std::move(material));
}

TEST_F(TlsStreamTest, AnotherCasCertificateIsRefusedByTheServer) {
  const auto stranger = test::TestPki{}.issue("agent1", Role::kAgent);
  handshake(edge_, unchecked(pki_.ca.certificate, stranger.certificate, stranger.key));
  EXPECT_EQ(server_failure(), TlsFailure::kCertificate);
  EXPECT_EQ(client_failure(), TlsFailure::kRejected);
}

TEST_F(TlsStreamTest, AnotherCasCertificateIsRefusedByTheClient) {
  const auto stranger = test::TestPki{}.issue("edge1", Role::kEdge);
  handshake(unchecked(pki_.ca.certificate, stranger.certificate, stranger.key), agent_);
  EXPECT_EQ(client_failure(), TlsFailure::kCertificate);
  EXPECT_EQ(server_failure(), TlsFailure::kRejected);
}

TEST_F(TlsStreamTest, AForgedCaOfTheSameNameIsNotOurs) {
  const test::TestPki forged;
  const auto pair = forged.issue("agent1", Role::kAgent);
  handshake(edge_, unchecked(pki_.ca.certificate, pair.certificate + forged.ca.certificate, pair.key));
  EXPECT_EQ(server_failure(), TlsFailure::kCertificate);
}

TEST_F(TlsStreamTest, ExpiredAndNotYetValidCertificatesAreRefused) {
  Validity past, future;
  past.from = std::chrono::system_clock::now() - std::chrono::hours(48);
  past.to = past.from + std::chrono::hours(24);
  future.from = std::chrono::system_clock::now() + std::chrono::hours(24);
  future.to = future.from + std::chrono::hours(24);
  for (const auto& validity : {past, future}) {
    const auto agent = pki_.issue("agent1", Role::kAgent, validity);
    handshake(edge_, unchecked(pki_.ca.certificate, agent.certificate, agent.key));
    EXPECT_EQ(server_failure(), TlsFailure::kCertificate);
    const auto edge = pki_.issue("edge1", Role::kEdge, validity);
    handshake(unchecked(pki_.ca.certificate, edge.certificate, edge.key), agent_);
    EXPECT_EQ(client_failure(), TlsFailure::kCertificate);
  }
}

TEST_F(TlsStreamTest, AnAgentIsNoEdgeAndAnEdgeIsNoAgent) {
  handshake(edge_, pki_.identity("edge2", Role::kEdge));
  EXPECT_EQ(server_failure(), TlsFailure::kCertificate);
  handshake(agent_, pki_.identity("agent2", Role::kAgent));
  EXPECT_EQ(client_failure(), TlsFailure::kCertificate);
}

TEST_F(TlsStreamTest, RevokedCertificatesAreRefusedOnBothSides) {
  const auto edge = pki_.issue("edge1", Role::kEdge), agent = pki_.issue("agent1", Role::kAgent);
  const auto revoked = pki_.crl({edge, agent}), none = pki_.crl({});
  const auto good_edge = pki_.issue("edge2", Role::kEdge), good_agent = pki_.issue("agent2", Role::kAgent);

  handshake(pki_.identity(good_edge, Role::kEdge, revoked), pki_.identity(agent, Role::kAgent));
  EXPECT_EQ(server_failure(), TlsFailure::kCertificate);
  EXPECT_NE(server_->error().text.find("the certificate of agent1 does not hold"), std::string::npos)
      << server_->error().text;
  EXPECT_EQ(client_failure(), TlsFailure::kRejected);
  EXPECT_NE(client_->error().text.find("certificate_revoked"), std::string::npos) << client_->error().text;

  handshake(pki_.identity(edge, Role::kEdge), pki_.identity(good_agent, Role::kAgent, revoked));
  EXPECT_EQ(client_failure(), TlsFailure::kCertificate);
  EXPECT_NE(client_->error().text.find("was revoked on"), std::string::npos) << client_->error().text;
  EXPECT_EQ(server_failure(), TlsFailure::kRejected);
  EXPECT_NE(server_->error().text.find("certificate_revoked"), std::string::npos) << server_->error().text;

  handshake(pki_.identity(good_edge, Role::kEdge, revoked), pki_.identity(good_agent, Role::kAgent, revoked));
  EXPECT_TRUE(server_->ok() && client_->ok());
  handshake(pki_.identity(edge, Role::kEdge, none), pki_.identity(agent, Role::kAgent, none));
  EXPECT_TRUE(server_->ok() && client_->ok());
}

TEST_F(TlsStreamTest, ACertificateForOtherAddressesIsRefused) {
  const auto made = [this](const char* name, Role role, const char* address) {
    const auto pair = pki::issue_certificate(pki_.ca, {name, role, {*IpAddress::parse(address)}}, {});
    return pki_.identity(*pair, role);
  };
  handshake(made("edge1", Role::kEdge, "127.0.0.1"), made("agent1", Role::kAgent, "127.0.0.1"));
  EXPECT_TRUE(server_->ok() && client_->ok());
  handshake(edge_, made("agent1", Role::kAgent, "192.0.2.1"));
  EXPECT_EQ(server_failure(), TlsFailure::kCertificate);
  EXPECT_NE(server_->error().text.find("for other addresses than 127.0.0.1"), std::string::npos);
  handshake(made("edge1", Role::kEdge, "2001:db8::1"), agent_);
  EXPECT_EQ(client_failure(), TlsFailure::kCertificate);
}

TEST_F(TlsStreamTest, AStandingStreamIsObjectedToForRevocationAndAnotherCaOnly) {
  Validity brief;
  brief.to = std::chrono::system_clock::now() + std::chrono::seconds(2);
  const auto agent = pki_.issue("agent1", Role::kAgent, brief);
  handshake(edge_, pki_.identity(agent, Role::kAgent));
  ASSERT_TRUE(server_ && server_->ok());
  const auto& stream = *server_->value();
  EXPECT_EQ(stream.objection(edge_), std::nullopt);
  EXPECT_EQ(stream.objection(pki_.identity("edge1", Role::kEdge)), std::nullopt) << "renewed";
  const auto edge = pki_.issue("edge1", Role::kEdge);
  EXPECT_EQ(
      stream.objection(pki_.identity(edge, Role::kEdge, pki_.crl({pki_.issue("agent2", Role::kAgent)}))),
      std::nullopt);
  const auto revoked = stream.objection(pki_.identity(edge, Role::kEdge, pki_.crl({agent})));
  ASSERT_TRUE(revoked.has_value());
  EXPECT_NE(revoked->find("the certificate of agent1 no longer holds"), std::string::npos) << *revoked;
  EXPECT_TRUE(stream.objection(test::TestPki{}.identity("edge1", Role::kEdge)).has_value());
  net::steady_timer ended(io_, std::chrono::milliseconds(2100));
  ended.wait();
  EXPECT_EQ(stream.objection(pki_.identity("edge1", Role::kEdge)), std::nullopt)
      << "that it has ended meanwhile is no reason";
}

TEST_F(TlsStreamTest, AClientWithoutCertificateIsRefused) {
  const auto agent = pki_.issue("agent1", Role::kAgent);
  handshake(edge_, unchecked(pki_.ca.certificate, "", agent.key));
  EXPECT_EQ(server_failure(), TlsFailure::kHandshake);
  EXPECT_EQ(client_failure(), TlsFailure::kRejected);
}

TEST_F(TlsStreamTest, ACertificateWithoutItsKeyIsRefused) {
  const auto agent = pki_.issue("agent1", Role::kAgent), other = pki_.issue("agent2", Role::kAgent);
  handshake(edge_, unchecked(pki_.ca.certificate, agent.certificate, other.key));
  EXPECT_EQ(server_failure(), TlsFailure::kHandshake);
  EXPECT_EQ(client_failure(), TlsFailure::kRejected);
}

TEST_F(TlsStreamTest, NamesAreAskedForOnBothSides) {
  std::vector<std::string> asked;
  TlsOptions refuse;
  refuse.authorise = [&](const PeerName& peer) {
    asked.push_back(peer.name);
    return false;
  };
  handshake(edge_, agent_, refuse);
  EXPECT_EQ(server_failure(), TlsFailure::kNotAuthorised);
  EXPECT_EQ(client_failure(), TlsFailure::kRejected);
  EXPECT_NE(client_->error().text.find("access_denied"), std::string::npos) << client_->error().text;
  handshake(edge_, agent_, {}, refuse);
  EXPECT_EQ(client_failure(), TlsFailure::kNotAuthorised);
  EXPECT_EQ(asked, (std::vector<std::string>{"agent1", "edge1"}));
}

/// A TLS client that may do what ours never does.
class OddClient : public Botan::TLS::Callbacks, public Botan::Credentials_Manager {
 public:
  OddClient(tcp::socket socket, TlsIdentity identity)
      : socket_(std::move(socket)), identity_(std::move(identity)) {}
  net::awaitable<void> run(Botan::TLS::Policy& policy) {
    Botan::TLS::Client client(*this, sessions_, *this, policy, Botan::system_rng());
    std::array<std::uint8_t, 4096> room;
    while (!client.is_closed()) {
      co_await net::async_write(socket_, net::buffer(std::exchange(out_, {})), kAwait);
      const auto [ec, size] = co_await socket_.async_read_some(net::buffer(room), kAwait);
      if (ec) co_return;
      try {
        client.received_data(room.data(), size);
      } catch (const std::exception&) {
        co_return;
      }
    }
  }
  bool without_master_secret = false;
  std::string alert;

 private:
  void tls_emit_data(const std::uint8_t data[], std::size_t size) override {
    out_.insert(out_.end(), data, data + size);
  }
  void tls_record_received(std::uint64_t, const std::uint8_t[], std::size_t) override {}
  void tls_alert(Botan::TLS::Alert got) override { alert = got.type_string(); }
  bool tls_session_established(const Botan::TLS::Session&) override { return false; }
  void tls_verify_cert_chain(const std::vector<Botan::X509_Certificate>&,
                             const std::vector<std::shared_ptr<const Botan::OCSP::Response>>&,
                             const std::vector<Botan::Certificate_Store*>&, Botan::Usage_Type,
                             const std::string&, const Botan::TLS::Policy&) override {}
  void tls_modify_extensions(Botan::TLS::Extensions& extensions, Botan::TLS::Connection_Side) override {
    if (without_master_secret) extensions.remove_extension(Botan::TLS::TLSEXT_EXTENDED_MASTER_SECRET);
  }
  std::vector<Botan::X509_Certificate> cert_chain(const std::vector<std::string>&, const std::string&,
                                                  const std::string&) override {
    return identity_.material().chain;
  }
  Botan::Private_Key* private_key_for(const Botan::X509_Certificate&, const std::string&,
                                      const std::string&) override {
    return identity_.material().key.get();
  }

  tcp::socket socket_;
  TlsIdentity identity_;
  Botan::TLS::Session_Manager_Noop sessions_;
  ByteVector out_;
};

class PolicyWith : public Botan::TLS::Policy {
 public:
  std::vector<std::string> ciphers{"AES-128/GCM"};
  std::vector<std::string> macs{"AEAD"};
  std::vector<std::string> exchanges{"ECDH"};
  std::vector<std::string> allowed_ciphers() const override { return ciphers; }
  std::vector<std::string> allowed_macs() const override { return macs; }
  std::vector<std::string> allowed_key_exchange_methods() const override { return exchanges; }
};

class OddClientTest : public TlsStreamTest {
 protected:
  /// Lets such a client try; nothing if it got in.
  std::optional<TlsFailure> let_in(PolicyWith policy, bool without_master_secret = false) {
    auto [a, b] = tcp_pair(io_);
    OddClient client(std::move(b), agent_);
    client.without_master_secret = without_master_secret;
    spawn([&]() -> net::awaitable<void> { co_await client.run(policy); });
    spawn([this, s = std::move(a)]() mutable -> net::awaitable<void> {
      server_.emplace(co_await TlsStream::accept(std::move(s), edge_, {}));
      if (server_->ok()) server_->value()->close();
    });
    run();
    if (server_->ok()) return std::nullopt;
    return server_failure();
  }
};

TEST_F(OddClientTest, AStrictOneGetsIn) {
  EXPECT_EQ(let_in({}), std::nullopt);
}
TEST_F(OddClientTest, NoExtendedMasterSecretNoEntry) {
  EXPECT_EQ(let_in({}, true), TlsFailure::kHandshake);
}
TEST_F(OddClientTest, CbcIsRefused) {
  PolicyWith policy;
  policy.ciphers = {"AES-128"};
  policy.macs = {"SHA-256", "SHA-1"};
  EXPECT_EQ(let_in(policy), TlsFailure::kHandshake);
}
TEST_F(OddClientTest, StaticKeyExchangeIsRefused) {
  PolicyWith policy;
  policy.exchanges = {"RSA", "DH"};
  EXPECT_EQ(let_in(policy), TlsFailure::kHandshake);
}

TEST_F(TlsStreamTest, GarbageGetsNoAnswer) {
  test::SeededRandom random(11);
  for (int i = 0; i < 20; ++i) {
    ByteVector bytes(1 + random.below(3000));
    random.fill(bytes);
    const auto [failure, answer] = server_given(bytes);
    EXPECT_TRUE(failure == TlsFailure::kNotTls || failure == TlsFailure::kTruncated);
    EXPECT_TRUE(answer.empty()) << "round " << i;
  }
  const std::string http = "GET / HTTP/1.1\r\nHost: edge\r\n\r\n";
  const auto [failure, answer] = server_given(ByteVector(http.begin(), http.end()));
  EXPECT_EQ(failure, TlsFailure::kNotTls);
  EXPECT_TRUE(answer.empty());
}

TEST_F(TlsStreamTest, HalfOpenConnectionsTimeOut) {
  // Neither bytes nor an end; then the first bytes of a record whose rest never comes.
  for (const ByteVector& bytes : {ByteVector{}, ByteVector{0x16, 0x03, 0x01, 0x02, 0x00, 0x01}}) {
    const auto [failure, answer] = server_given(bytes, false, std::chrono::milliseconds(100));
    EXPECT_EQ(failure, TlsFailure::kTimeout);
    EXPECT_TRUE(answer.empty());
  }
}

TEST_F(TlsStreamTest, ASlowTricklingPeerDoesNotExtendItsTime) {
  auto [a, b] = tcp_pair(io_);
  TlsOptions options;
  options.handshake_timeout = std::chrono::milliseconds(200);
  const auto began = std::chrono::steady_clock::now();
  spawn([this, s = std::move(a), options]() mutable -> net::awaitable<void> {
    server_.emplace(co_await TlsStream::accept(std::move(s), edge_, options));
  });
  spawn([c = std::move(b)]() mutable -> net::awaitable<void> {
    // A record of 16 KiB, a byte each few milliseconds.
    ByteVector bytes{0x16, 0x03, 0x03, 0x40, 0x00, 0x01};
    net::steady_timer timer(c.get_executor());
    for (std::size_t i = 0; i < 10000; ++i) {
      const std::uint8_t byte = i < bytes.size() ? bytes[i] : 0;
      const auto [ec, n] = co_await net::async_write(c, net::buffer(&byte, 1), kAwait);
      if (ec) co_return;
      timer.expires_after(std::chrono::milliseconds(5));
      co_await timer.async_wait(kAwait);
    }
  });
  run();
  EXPECT_EQ(server_failure(), TlsFailure::kTimeout);
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(3));
}

/// A man in the middle that hands on `flip`'s bit turned over, or stops after `limit` bytes of the client's.
net::awaitable<void> relay(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to,
                           std::size_t flip, std::size_t limit) {
  std::array<std::uint8_t, 4096> room;
  std::size_t passed = 0;
  while (true) {
    auto [ec, size] = co_await from->async_read_some(net::buffer(room), kAwait);
    if (ec) break;
    size = std::min(size, limit - passed);
    if (flip >= passed && flip < passed + size) room[flip - passed] ^= 0x10;
    passed += size;
    const auto [write_ec, written] = co_await net::async_write(*to, net::buffer(room.data(), size), kAwait);
    if (write_ec || passed == limit) break;
  }
  boost::system::error_code ignored;
  to->shutdown(tcp::socket::shutdown_send, ignored);
}

TEST_F(TlsStreamTest, AHandshakeTamperedWithOrCutNeverSucceeds) {
  constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  const auto through = [this](std::size_t flip, std::size_t limit) {
    auto [a, near_edge] = tcp_pair(io_);
    auto [near_agent, b] = tcp_pair(io_);
    auto left = std::make_shared<tcp::socket>(std::move(near_edge));
    auto right = std::make_shared<tcp::socket>(std::move(near_agent));
    TlsOptions quick;
    quick.handshake_timeout = std::chrono::milliseconds(500);
    server_.reset();
    spawn([this, s = std::move(a), quick]() mutable -> net::awaitable<void> {
      server_.emplace(co_await TlsStream::accept(std::move(s), edge_, quick));
      if (server_->ok()) server_->value()->close();
    });
    spawn([this, s = std::move(b), quick]() mutable -> net::awaitable<void> {
      client_.emplace(co_await TlsStream::connect(std::move(s), agent_, quick));
      if (client_->ok()) client_->value()->close();
    });
    spawn([=]() -> net::awaitable<void> { co_await relay(right, left, flip, limit); });
    spawn([=]() -> net::awaitable<void> { co_await relay(left, right, kNone, kNone); });
    run();
    return server_->ok();
  };
  EXPECT_TRUE(through(kNone, kNone));
  // The client's part of the handshake is about 840 bytes; beyond lies its close_notify.
  for (std::size_t at = 0; at < 800; at += 47)
    EXPECT_FALSE(through(at, kNone)) << "bit turned in byte " << at;
  for (std::size_t at = 1; at < 800; at += 97) EXPECT_FALSE(through(kNone, at)) << "cut after " << at;
}

}  // namespace
}  // namespace sluice::transport
