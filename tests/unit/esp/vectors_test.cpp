// Packets and vectors that others made, through every engine. Where they come from: tests/vectors/README.md.
#include <botan/mac.h>

#include <array>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "support.hpp"

namespace sluice::esp {
namespace {

const std::string kFolder = std::string(SLUICE_VECTORS) + "/esp/";

ByteVector hex(const std::string& text) {
  auto bytes = from_hex(text);
  if (!bytes) throw std::runtime_error("not hex: " + text);
  return *bytes;
}

ByteVector file(const std::string& name) {
  std::ifstream in(kFolder + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

ByteVector hmac_sha1(Bytes key, Bytes message) {
  auto mac = Botan::MessageAuthenticationCode::create_or_throw("HMAC(SHA-1)");
  mac->set_key(key.data(), key.size());
  mac->update(message.data(), message.size());
  const auto digest = mac->final();
  return {digest.begin(), digest.end()};
}

class Vectors : public testing::TestWithParam<std::string_view> {
 protected:
  std::unique_ptr<Engine> engine = engine_named(GetParam());

  InboundSaPtr inbound_sa(SuiteId id, std::uint32_t spi, Bytes encryption, Bytes integrity = {}) {
    SaParameters p;
    p.spi = Spi(spi);
    p.suite = &suite(id);
    p.encryption_key = encryption;
    p.integrity_key = integrity;
    return inbound(*engine, p);
  }
};

// The packets in RFC 3602 §4 have no ICV: they get one here, so that the whole path sees them.
TEST_P(Vectors, Rfc3602Packets) {
  std::ifstream in(kFolder + "rfc3602_esp_packets.json");
  const auto cases = nlohmann::json::parse(in);
  const ByteVector integrity(20, 0x5a);
  ASSERT_EQ(cases.size(), 4U);
  for (const auto& one : cases) {
    auto packet = hex(one["esp"]);
    const auto icv = hmac_sha1(integrity, packet);
    packet.insert(packet.end(), icv.begin(), icv.begin() + 12);
    auto sa = inbound_sa(SuiteId::kAes128CbcSha1, 1000, hex(one["key"]), integrity);
    const auto opened = open_one(*engine, *sa, packet);
    EXPECT_EQ(opened.result, DropReason::kNone) << one["case"];
    EXPECT_EQ(opened.payload, hex(one["payload"])) << one["case"];
    EXPECT_EQ(opened.next_header, one["next_header"].get<int>());
    EXPECT_EQ(opened.sequence, one["seq"].get<std::uint64_t>());
  }
}

// draft-mcgrew-gcm-test-01. AES-192 and GMAC are no suites of ours.
TEST_P(Vectors, McGrewGcmPackets) {
  std::ifstream in(kFolder + "mcgrew_gcm_esp.json");
  std::size_t opened_count = 0;
  for (const auto& one : nlohmann::json::parse(in)) {
    auto key = hex(one["key"]);
    const auto plain = hex(one["plaintext"]);
    if (key.size() == 24 || plain.empty()) continue;
    const auto id = key.size() == 16 ? SuiteId::kAesGcm128 : SuiteId::kAesGcm256;
    const auto aad = hex(one["aad"]);
    const auto nonce = hex(one["nonce_salt_iv"]);
    key.insert(key.end(), nonce.begin(), nonce.begin() + 4);
    SaParameters p;
    p.spi = Spi(load_be32(aad.data()));
    p.suite = &suite(id);
    p.encryption_key = key;
    p.extended_sequence = aad.size() == 12;
    // The packet before it was the last one seen.
    p.last_sequence = (p.extended_sequence ? load_be64(aad.data() + 4) : load_be32(aad.data() + 4)) - 1;
    auto sa = inbound(*engine, p);
    ByteVector packet(aad.begin(), aad.begin() + 4);
    packet.insert(packet.end(), aad.end() - 4, aad.end());
    packet.insert(packet.end(), nonce.begin() + 4, nonce.end());
    for (const auto* part : {"ciphertext", "tag"}) {
      const auto bytes = hex(one[part]);
      packet.insert(packet.end(), bytes.begin(), bytes.end());
    }
    const auto opened = open_one(*engine, *sa, packet);
    ASSERT_EQ(opened.result, DropReason::kNone) << one["case"] << drop_reason_name(opened.result);
    const std::size_t pad = plain[plain.size() - 2];
    EXPECT_TRUE(equal(opened.payload, Bytes(plain).first(plain.size() - 2 - pad))) << one["case"];
    EXPECT_EQ(opened.next_header, plain.back());
    ++opened_count;
  }
  EXPECT_EQ(opened_count, 4U);
}

/// The records of one section of a Botan .vec file.
std::vector<std::map<std::string, std::string>> section(const std::string& name, const std::string& title) {
  std::ifstream in(kFolder + name);
  std::vector<std::map<std::string, std::string>> records;
  std::map<std::string, std::string> record;
  bool inside = false;
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with('[')) inside = line == "[" + title + "]";
    const auto equals = line.find(" = ");
    if (!inside || equals == std::string::npos) continue;
    const auto key = line.substr(0, line.find(' '));
    record[key] = line.substr(equals + 3);
    if (key == "Out") records.push_back(std::exchange(record, {}));
  }
  return records;
}

/// One job for the engine's lower half, with a key of its own.
struct Primitive {
  const Suite& s;
  Engine& engine;
  ByteVector state;
  void* key;
  bool loaded;

  Primitive(Engine& e, SuiteId id, bool sealing, Bytes encryption, Bytes integrity)
      : s(suite(id)), engine(e), state(e.key_state_size(s, sealing) + 64), key(state.data()) {
    std::size_t space = state.size();
    std::align(64, state.size() - 64, key, space);
    loaded = engine.load_key(key, {&s, sealing, encryption, integrity});
  }
  ~Primitive() { engine.drop_key(key, s); }
  Primitive(const Primitive&) = delete;
  Primitive& operator=(const Primitive&) = delete;
};

TEST_P(Vectors, BotanGcm) {
  std::size_t count = 0;
  for (const auto& [title, id] :
       {std::pair{"AES-128/GCM", SuiteId::kAesGcm128}, {"AES-256/GCM", SuiteId::kAesGcm256}}) {
    for (auto& record : section("gcm.vec", title)) {
      const auto nonce = hex(record["Nonce"]);
      const auto plain = hex(record["In"]);
      const auto aad = hex(record["AD"]);
      const auto out = hex(record["Out"]);
      if (nonce.size() != 12 || plain.empty() || aad.size() > 255) continue;
      for (const bool sealing : {true, false}) {
        const Primitive key(*engine, id, sealing, hex(record["Key"]), {});
        ASSERT_TRUE(key.loaded);
        auto text = sealing ? plain : ByteVector(out.begin(), out.end() - 16);
        ByteVector icv(out.end() - 16, out.end());
        if (sealing) icv.assign(16, 0);
        CryptoJob job;
        job.suite = &key.s;
        job.key = key.key;
        job.esp = text.data();
        job.text_length = static_cast<std::uint32_t>(text.size());
        job.iv = nonce.data();
        job.aad = aad.data();
        job.aad_length = static_cast<std::uint8_t>(aad.size());
        job.icv = icv.data();
        job.sealing = sealing;
        CryptoJob* one = &job;
        engine->run({&one, 1});
        EXPECT_TRUE(sealing ? equal(text, Bytes(out).first(plain.size())) : equal(text, plain))
            << record["In"];
        EXPECT_TRUE(sealing ? equal(icv, Bytes(out).last(16)) : job.authentic) << record["In"];
        ++count;
      }
    }
  }
  EXPECT_GT(count, 20U);
}

// CBC through the engine's lower half; its HMAC is checked against Botan's own.
TEST_P(Vectors, BotanCbc) {
  std::size_t count = 0;
  const ByteVector integrity(20, 0x77);
  const std::array<std::pair<const char*, SuiteId>, 4> sections{
      {{"AES-128/CBC/NoPadding", SuiteId::kAes128CbcSha1},
       {"AES-192/CBC/NoPadding", SuiteId::kAes192CbcSha1},
       {"AES-256/CBC/NoPadding", SuiteId::kAes256CbcSha1},
       {"TripleDES/CBC/NoPadding", SuiteId::kTripleDesCbcSha1}}};
  for (const auto& [title, id] : sections) {
    for (auto& record : section("cbc.vec", title)) {
      const Suite& s = suite(id);
      const auto iv = hex(record["Nonce"]);
      const auto out = hex(record["Out"]);
      if (iv.size() != s.iv_size || hex(record["Key"]).size() != s.key_size) continue;
      const Primitive key(*engine, id, true, hex(record["Key"]), integrity);
      ASSERT_TRUE(key.loaded);
      ByteVector packet(8);
      packet.insert(packet.end(), iv.begin(), iv.end());
      const auto plain = hex(record["In"]);
      packet.insert(packet.end(), plain.begin(), plain.end());
      const std::size_t covered = packet.size();
      packet.resize(covered + 12);
      CryptoJob job;
      job.suite = &s;
      job.key = key.key;
      job.esp = packet.data();
      job.iv = packet.data() + 8;
      job.text_offset = 8 + s.iv_size;
      job.text_length = static_cast<std::uint32_t>(plain.size());
      job.mac_length = static_cast<std::uint32_t>(covered);
      job.icv = packet.data() + covered;
      job.sealing = true;
      // Once alone and once among enough to fill lanes.
      std::array<ByteVector, 16> copies;
      std::array<CryptoJob, 16> jobs;
      std::vector<CryptoJob*> all{&job};
      for (std::size_t i = 0; i < copies.size(); ++i) {
        copies[i] = packet;
        jobs[i] = job;
        jobs[i].esp = copies[i].data();
        jobs[i].iv = copies[i].data() + 8;
        jobs[i].icv = copies[i].data() + covered;
        all.push_back(&jobs[i]);
      }
      engine->run(std::span(all).first(1));
      engine->run(std::span(all).subspan(1));
      for (const auto* done : all) {
        EXPECT_TRUE(equal({done->text(), plain.size()}, out)) << title;
        const auto wanted = hmac_sha1(integrity, {done->esp, covered});
        EXPECT_TRUE(equal({done->icv, 12}, Bytes(wanted).first(12)));
      }
      ++count;
    }
  }
  EXPECT_GE(count, 5U);
}

// HMAC alone: a text of one block is ciphered, then the MAC covers exactly the vector's message, which lies
// before it.
TEST_P(Vectors, BotanHmac) {
  std::size_t count = 0;
  const std::array<std::pair<const char*, SuiteId>, 4> sections{
      {{"HMAC(SHA-1)", SuiteId::kAes128CbcSha1},
       {"HMAC(SHA-256)", SuiteId::kAes128CbcSha256},
       {"HMAC(SHA-384)", SuiteId::kAes128CbcSha384},
       {"HMAC(SHA-512)", SuiteId::kAes128CbcSha512}}};
  const ByteVector encryption(16, 1);
  for (const auto& [title, id] : sections) {
    for (auto& record : section("hmac.vec", title)) {
      const Suite& s = suite(id);
      const auto message = hex(record["In"]);
      const auto out = hex(record["Out"]);
      // ESP keys have the digest's size; shorter ones with zeros behind are the same key to HMAC (RFC 2104).
      auto secret = hex(record["Key"]);
      if (secret.size() > s.integrity_key_size || message.empty()) continue;
      secret.resize(s.integrity_key_size);
      const Primitive key(*engine, id, true, encryption, secret);
      ASSERT_TRUE(key.loaded);
      std::array<ByteVector, 9> buffers;
      std::array<ByteVector, 9> tags;
      std::array<CryptoJob, 9> jobs;
      std::vector<CryptoJob*> all;
      const ByteVector iv(16, 2);
      for (std::size_t i = 0; i < jobs.size(); ++i) {
        buffers[i] = message;
        buffers[i].resize(message.size() + 16);
        tags[i].resize(s.icv_size);
        jobs[i].suite = &s;
        jobs[i].key = key.key;
        jobs[i].esp = buffers[i].data();
        jobs[i].iv = iv.data();
        jobs[i].text_offset = static_cast<std::uint32_t>(message.size());
        jobs[i].text_length = 16;
        jobs[i].mac_length = static_cast<std::uint32_t>(message.size());
        jobs[i].icv = tags[i].data();
        jobs[i].sealing = true;
        all.push_back(&jobs[i]);
      }
      engine->run(std::span(all).first(1));
      engine->run(std::span(all).subspan(1));
      for (const auto& tag : tags)
        EXPECT_TRUE(equal(tag, Bytes(out).first(s.icv_size))) << title << " " << record["In"];
      ++count;
    }
  }
  EXPECT_GE(count, 12U);
}

/// The IPv4 payloads of a classic little-endian pcap of Ethernet frames.
std::vector<ByteVector> ip_payloads(const std::string& name, std::uint8_t protocol) {
  std::vector<ByteVector> out;
  const auto bytes = file(name);
  const auto length_at = [&](std::size_t at) {
    return std::size_t{bytes[at]} | std::size_t{bytes[at + 1]} << 8 | std::size_t{bytes[at + 2]} << 16;
  };
  for (std::size_t at = 24; at + 16 <= bytes.size();) {
    const auto frame = Bytes(bytes).subspan(at + 16, length_at(at + 8));
    at += 16 + frame.size();
    const auto ip = frame.subspan(14);
    if (ip[9] != protocol) continue;
    const auto payload = ip.subspan(std::size_t{ip[0] & 15U} * 4);
    out.emplace_back(payload.begin(), payload.end());
  }
  return out;
}

/// An ICMP echo request from one inside network to the other, as every capture carries.
void expect_ping(Bytes inner) {
  ASSERT_GE(inner.size(), 84U);
  EXPECT_EQ(inner[0], 0x45);
  EXPECT_EQ(load_be16(inner.data() + 2), 84);
  EXPECT_EQ(inner[9], 1);
  EXPECT_EQ(load_be32(inner.data() + 12), 0xc0000201U);  // 192.0.2.1
  EXPECT_EQ(load_be32(inner.data() + 16), 0xc0000101U);  // 192.0.1.1
  EXPECT_EQ(inner[20], 8);
}

ByteVector capture_key(std::string_view spi) {
  std::ifstream in(kFolder + "esp-secrets.txt");
  std::string line;
  while (std::getline(in, line)) {
    if (line.starts_with(spi)) return hex(line.substr(line.rfind(":0x") + 3));
  }
  return {};
}

// The whole of it: the capture's own ICVs, by the authentication key of Openswan's test network.
TEST_P(Vectors, AesCaptureIsAuthenticAndOpens) {
  const auto packets = ip_payloads("08-sunrise-sunset-aes.pcap", 50);
  ASSERT_EQ(packets.size(), 8U);
  const auto integrity = hex("8765876587658765876587658765876587658765");
  auto sa = inbound_sa(SuiteId::kAes256CbcSha1, 0xd1234567, capture_key("0xd1234567"), integrity);
  std::uint64_t sequence = 0;
  for (const auto& packet : packets) {
    const auto opened = open_one(*engine, *sa, packet);
    ASSERT_EQ(opened.result, DropReason::kNone);
    EXPECT_EQ(opened.sequence, ++sequence);
    EXPECT_EQ(opened.next_header, 4);
    expect_ping(opened.payload);
  }
  EXPECT_EQ(open_one(*engine, *sa, packets[3]).result, DropReason::kReplayed);
}

/// HMAC-MD5 guards these captures, which is no suite of ours: their ICV, of the same size, is made anew.
ByteVector guarded_anew(ByteVector packet, Bytes integrity) {
  packet.resize(packet.size() - 12);
  const auto icv = hmac_sha1(integrity, packet);
  packet.insert(packet.end(), icv.begin(), icv.begin() + 12);
  return packet;
}

TEST_P(Vectors, TripleDesCapturesOpen) {
  const ByteVector integrity(20, 3);
  const auto key = hex("4043434545464649494a4a4c4c4f4f515152525454575758");
  for (const bool udp : {false, true}) {
    auto packets = udp ? ip_payloads("espudp1.pcap", 17) : ip_payloads("02-sunrise-sunset-esp.pcap", 50);
    ASSERT_EQ(packets.size(), 8U);
    auto sa = inbound_sa(SuiteId::kTripleDesCbcSha1, 0x12345678, key, integrity);
    for (auto& packet : packets) {
      if (udp) packet.erase(packet.begin(), packet.begin() + 8);
      const auto opened = open_one(*engine, *sa, guarded_anew(packet, integrity));
      ASSERT_EQ(opened.result, DropReason::kNone);
      expect_ping(opened.payload);
    }
  }
}

TEST_P(Vectors, EspWithinEspOpensTwice) {
  const ByteVector integrity(20, 3);
  auto outer = inbound_sa(SuiteId::kTripleDesCbcSha1, 0x12345678, capture_key("0x12345678"), integrity);
  auto inner = inbound_sa(SuiteId::kTripleDesCbcSha1, 0xabcdabcd, capture_key("0xabcdabcd"), integrity);
  const auto packets = ip_payloads("08-sunrise-sunset-esp2.pcap", 50);
  ASSERT_EQ(packets.size(), 8U);
  for (const auto& packet : packets) {
    const auto once = open_one(*engine, *outer, guarded_anew(packet, integrity));
    ASSERT_EQ(once.result, DropReason::kNone);
    ASSERT_EQ(once.next_header, 4);
    ASSERT_EQ(once.payload[9], 50);
    const ByteVector within(once.payload.begin() + 20, once.payload.end());
    const auto twice = open_one(*engine, *inner, guarded_anew(within, integrity));
    ASSERT_EQ(twice.result, DropReason::kNone);
    expect_ping(twice.payload);
  }
}

TEST_P(Vectors, TruncatedCaptureIsTooShort) {
  const auto packets = ip_payloads("esp_truncated.pcap", 17);
  ASSERT_EQ(packets.size(), 1U);
  for (const auto& s : suites()) {
    const Keys keys(s);
    auto sa = inbound(*engine, keys.parameters(s));
    EXPECT_EQ(open_one(*engine, *sa, Bytes(packets[0]).subspan(8)).result, DropReason::kTooShort);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Vectors, testing::ValuesIn(engine_names()),
                         [](const auto& one) { return case_name(one.param); });

}  // namespace
}  // namespace sluice::esp
