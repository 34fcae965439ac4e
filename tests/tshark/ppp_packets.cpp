// PPP frames for another decoder to read, and what ours reads in them.
//   ppp_packets generate FILE SEED   writes a pcap: dials of every kind of client, every way of proof, EAP,
//                                    IPv6, and what clients ask on the link
//   ppp_packets decode FILE          a line of JSON for each frame: tshark's names of fields, our values
#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/ppp/persona.hpp"

namespace {

using namespace sluice;
using namespace sluice::ppp;
using test::ip;

/// Known to tshark by its number only.
constexpr Protocol kApples = 0x8235;
constexpr std::uint32_t kPcapMagic = 0xa1b2c3d4, kLinkPppHdlc = 50;

class Pcap {
 public:
  explicit Pcap(const std::string& path) : file_(path, std::ios::binary) {
    word(kPcapMagic), half(2), half(4), word(0), word(0), word(65535), word(kLinkPppHdlc);
  }
  void add(Bytes frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    word(0), word(0), word(size), word(size);
    file_.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
  }

 private:
  void word(std::uint32_t value) { file_.write(reinterpret_cast<const char*>(&value), 4); }
  void half(std::uint16_t value) { file_.write(reinterpret_cast<const char*>(&value), 2); }
  std::ofstream file_;
};

// ---- generate

/// A dial with the server's events answered; every frame goes to the pcap.
template <class Client>
class Dial {
 public:
  Dial(Pcap& pcap, PppSession& server, Client& client) : pcap_(pcap), server_(server), client_(client) {}

  void run(Duration limit) {
    const Instant end = now + limit;
    while (now <= end) {
      while (exchange()) continue;
      std::optional<Instant> next = server_.next_timeout();
      if (const auto at = client_.next_timeout(); at && (!next || *at < *next)) next = at;
      if (!next) return;
      now = std::max(now, *next);
      server_.on_timeout(now);
      client_.on_timeout(now);
    }
  }
  void say(const ByteVector& packet) {
    ByteVector frame = test::raw_frame(packet[0] >> 4 == 4 ? kIpv4 : kIpv6, packet);
    pcap_.add(frame);
    server_.on_frame(frame, now);
  }
  Instant now{std::chrono::hours(1)};

 private:
  bool exchange() {
    bool any = false;
    while (auto frame = server_.poll_transmit()) {
      any = true;
      pcap_.add(*frame);
      client_.on_frame(*frame, now);
    }
    while (auto frame = client_.poll_transmit()) {
      any = true;
      pcap_.add(*frame);
      server_.on_frame(*frame, now);
    }
    Credential credential;
    credential.password = Secret("secret");
    while (auto event = server_.poll_event()) {
      any = true;
      if (auto* need = std::get_if<AuthNeeded>(&*event)) {
        server_.auth_result(need->request.attempt, verify(need->request, credential), now);
      } else if (std::holds_alternative<AddressNeeded>(*event)) {
        Addresses given = test::addresses_with_ipv6();
        given.split_routes = {*Prefix::parse("10.0.0.0/8")};
        server_.set_addresses(given, now);
      }
    }
    return any;
  }
  Pcap& pcap_;
  PppSession& server_;
  Client& client_;
};

ByteVector dhcp_inform() {
  ByteVector message(240);
  message[0] = 1;
  message[1] = 8;
  message[2] = 6;
  store_be32(message.data() + 4, 0x12345678);
  store_be32(message.data() + 12, ip("10.99.0.7").to_v4());
  store_be32(message.data() + 236, 0x63825363);
  for (const int b : {53, 1, 8, 55, 5, 6, 15, 44, 121, 249, 255})
    message.push_back(static_cast<std::uint8_t>(b));
  return make_udp({ip("10.99.0.7"), 68}, {ip("255.255.255.255"), 67}, message);
}

/// What a client may ask by IPv6 on the link.
std::vector<ByteVector> questions(std::uint64_t own, std::uint64_t servers) {
  const IpAddress from = link_local(own), to = link_local(servers);
  const ByteVector client{0, 1, 0, 10, 0, 3, 0, 1, 2, 3, 4, 5, 6, 7};
  ByteVector server{0, 2, 0, 12, 0, 3, 0, 27, 0, 0, 0, 0, 0, 0, 0, 0};
  store_be64(server.data() + 8, servers);
  const ByteVector ia_pd{0, 25, 0, 12, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0};
  const ByteVector ia_na{0, 3, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  const auto dhcp = [&](std::uint8_t type, std::initializer_list<ByteVector> options) {
    ByteVector message{type, 7, 8, 9};
    for (const auto& option : options) message.insert(message.end(), option.begin(), option.end());
    return make_udp({from, 546}, {ip("ff02::1:2"), 547}, message);
  };
  ByteVector neighbour{kNeighbourSolicitation, 0, 0, 0, 0, 0, 0, 0};
  neighbour.insert(neighbour.end(), to.bytes().begin(), to.bytes().end());
  return {make_icmpv6(from, ip("ff02::2"), ByteVector{kRouterSolicitation, 0, 0, 0, 0, 0, 0, 0}),
          make_icmpv6(from, to, neighbour),
          make_icmpv6(from, to, ByteVector{kEchoRequest6, 0, 0, 0, 0, 1, 0, 2, 'h', 'i'}),
          dhcp(1, {client, ia_pd, ia_na}),
          dhcp(3, {client, server, ia_pd}),
          dhcp(5, {client, server, ia_pd}),
          dhcp(6, {client, ia_pd}),
          dhcp(11, {client, ByteVector{0, 6, 0, 4, 0, 23, 0, 24}}),
          dhcp(8, {client, server, ia_pd}),
          dhcp(8, {client, server, ia_pd})};
}

void ask_on_the_link(Dial<PppSession>& dial, const PppSession& server) {
  dial.say(dhcp_inform());
  const auto ids = server.snapshot(dial.now).ipv6cp;
  for (const auto& question : questions(ids.remote_id, ids.local_id)) {
    dial.say(question);
    dial.run(std::chrono::seconds(1));
  }
}

/// Our own client, which knows EAP.
void dial_ourselves(Pcap& pcap, RandomSource& random, AuthMethod method, AuthMethod eap, bool right) {
  Drops drops;
  auto server_config = test::server_config();
  server_config.auth = {method};
  server_config.eap_methods = {eap == AuthMethod::kChapMd5 ? AuthMethod::kMsChapV2 : AuthMethod::kChapMd5,
                               eap};
  auto client_config = test::client_config("alice", right ? "secret" : "wrong");
  client_config.auth = {method};
  client_config.eap_methods = {eap};
  client_config.want_ipv6 = true;
  PppSession server(std::make_shared<const PppConfig>(std::move(server_config)), random, drops);
  PppSession client(std::make_shared<const PppConfig>(std::move(client_config)), random, drops);
  Dial dial(pcap, server, client);
  server.start(dial.now);
  client.start(dial.now);
  dial.run(std::chrono::seconds(60));
  if (!server.ipv6_up()) return;
  server.tell_time_remaining(std::chrono::seconds(60), "soon");
  ask_on_the_link(dial, server);
  client.stop("test", "bye", dial.now);
  dial.run(std::chrono::seconds(10));
}

void generate(const std::string& path, std::uint32_t seed) {
  test::SeededRandom random(seed);
  Pcap pcap(path);
  for (const auto& persona : test::personas()) {
    Drops drops;
    PppSession server(std::make_shared<const PppConfig>(test::server_config()), random, drops);
    test::PersonaClient client(persona, random, Instant{std::chrono::hours(1)});
    Dial dial(pcap, server, client);
    server.start(dial.now);
    dial.run(std::chrono::seconds(60));
    client.hang_up();
    dial.run(std::chrono::seconds(10));
  }
  for (const AuthMethod method : all_auth_methods()) {
    for (const AuthMethod eap : {AuthMethod::kChapMd5, AuthMethod::kMsChapV2}) {
      for (const bool right : {true, false}) dial_ourselves(pcap, random, method, eap, right);
    }
  }
}

// ---- decode

/// tshark's name of a field, and our values in order.
class Row {
 public:
  void number(const std::string& name, std::uint64_t value) {
    fields_[name].push_back(std::to_string(value));
  }
  void text(const std::string& name, std::string_view value) {
    fields_[name].push_back("\"" + escaped(value) + "\"");
  }
  void hex(const std::string& name, Bytes value) { fields_[name].push_back("\"" + to_hex(value) + "\""); }
  void address(const std::string& name, const IpAddress& value) { text(name, value.to_string()); }
  std::string json() const {
    std::string out;
    for (const auto& [name, values] : fields_) {
      std::string list;
      for (const auto& value : values) list += (list.empty() ? "" : ",") + value;
      out += (out.empty() ? "\"" : ",\"") + name + "\":[" + list + "]";
    }
    return "{" + out + "}";
  }

 private:
  std::map<std::string, std::vector<std::string>> fields_;
};

void lcp_option_value(Row& row, const CpOption& option) {
  ByteReader in(option.value);
  if (option.type == lcp_option::kMru) row.number("lcp.opt.mru", in.u16());
  if (option.type == lcp_option::kMagic) row.number("lcp.opt.magic_number", in.u32());
  if (option.type == lcp_option::kAuth) {
    row.number("lcp.opt.auth_protocol", in.u16());
    if (in.remaining() == 1) row.number("lcp.opt.algorithm", in.u8());
  }
}
void ipcp_option_value(Row& row, const CpOption& option) {
  static const std::map<std::uint8_t, std::string> kNames{{ipcp_option::kAddress, "ipcp.opt.ip_address"},
                                                          {ipcp_option::kDns1, "ipcp.opt.pri_dns_address"},
                                                          {ipcp_option::kNbns1, "ipcp.opt.pri_nbns_address"},
                                                          {ipcp_option::kDns2, "ipcp.opt.sec_dns_address"},
                                                          {ipcp_option::kNbns2, "ipcp.opt.sec_nbns_address"}};
  const auto found = kNames.find(option.type);
  if (found == kNames.end() || option.value.size() != 4) return;
  row.address(found->second, IpAddress::v4(load_be32(option.value.data())));
}

void control(Row& row, Protocol protocol, Bytes payload) {
  const auto packet = parse_cp_packet(payload);
  if (!packet) return row.number("refused", 1);
  row.number("ppp.code", packet->code);
  row.number("ppp.identifier", packet->id);
  row.number("ppp.length", packet->whole.size());
  const Code code{packet->code};
  ByteReader in(packet->body);
  if (code == Code::kProtocolReject && protocol == kLcp) row.number("lcp.rej_proto", in.u16());
  if (code >= Code::kEchoRequest) row.number("lcp.magic_number", in.u32());
  if (code == Code::kTimeRemaining) row.number("lcp.secs_remaining", in.u32());
  if (code == Code::kIdentification || code == Code::kTimeRemaining)
    row.text("lcp.message", as_text(in.rest()));
  if (code > Code::kConfigureReject || (protocol != kLcp && protocol != kIpcp && protocol != kIpv6cp)) return;
  const std::string prefix = protocol == kLcp ? "lcp" : protocol == kIpcp ? "ipcp" : "ipv6cp";
  CpOptionReader options(packet->body);
  while (const auto option = options.next()) {
    row.number(prefix + ".opt.type", option->type);
    row.number(prefix + ".opt.length", option->whole.size());
    if (protocol == kLcp) lcp_option_value(row, *option);
    if (protocol == kIpcp) ipcp_option_value(row, *option);
    if (protocol == kIpv6cp) row.hex("ipv6cp.interface_identifier", option->value);
  }
  if (!options.ok()) row.number("refused", 1);
}

void proof(Row& row, Protocol protocol, Bytes payload) {
  const auto packet = parse_cp_packet(payload);
  if (!packet) return row.number("refused", 1);
  const std::string prefix = protocol == kPapProtocol ? "pap" : "chap";
  row.number(prefix + ".code", packet->code);
  row.number(prefix + ".identifier", packet->id);
  row.number(prefix + ".length", packet->whole.size());
  if (protocol == kPapProtocol && packet->code == 1) {
    const auto request = parse_pap_request(packet->body);
    if (!request) return row.number("refused", 1);
    row.text("pap.peer_id", request->user);
    row.text("pap.password", as_text(request->password));
  } else if (protocol == kChapProtocol && packet->code <= 2) {
    const auto value = parse_chap_value(packet->body);
    if (!value) return row.number("refused", 1);
    row.number("chap.value_size", value->value.size());
    row.hex("chap.value", value->value);
    row.text("chap.name", value->name);
  } else if (protocol == kChapProtocol && !packet->body.empty()) {
    row.text("chap.message", as_text(packet->body));
  }
}

void eap_method(Row& row, const EapPacket& packet) {
  if (packet.type == EapType::kIdentity && packet.code == EapCode::kResponse)
    row.text("eap.identity", as_text(packet.data));
  if (packet.type == EapType::kNak) {
    for (const std::uint8_t wanted : packet.data) row.number("eap.desired_type", wanted);
  }
  if (packet.type == EapType::kMd5) {
    const auto md5 = parse_eap_md5(packet.data);
    if (!md5) return row.number("refused", 1);
    row.number("eap.md5.value_size", md5->value.size());
    row.hex("eap.md5.value", md5->value);
  }
  if (packet.type != EapType::kMsChapV2) return;
  const auto ms = parse_eap_mschap(packet.data);
  if (!ms) return row.number("refused", 1);
  row.number("eap.ms_chap_v2.opcode", static_cast<unsigned>(ms->op));
  if (packet.data.size() == 1) return;
  row.number("eap.ms_chap_v2.id", ms->id);
  row.number("eap.ms_chap_v2.length", packet.data.size());
  if (ms->op == EapMsOp::kChallenge) row.hex("eap.ms_chap_v2.challenge", ms->value);
  if (ms->op == EapMsOp::kResponse) {
    row.hex("eap.ms_chap_v2.peer_challenge", ms->value.first(16));
    row.hex("eap.ms_chap_v2.nt_response", ms->value.subspan(24, 24));
  }
  if (ms->op <= EapMsOp::kResponse) row.text("eap.ms_chap_v2.name", ms->text);
  if (ms->op == EapMsOp::kSuccess) row.text("eap.ms_chap_v2.message", ms->text);
}

void eap(Row& row, Bytes payload) {
  const auto packet = parse_eap(payload);
  if (!packet) return row.number("refused", 1);
  row.number("eap.code", static_cast<unsigned>(packet->code));
  row.number("eap.id", packet->id);
  row.number("eap.len", packet->whole.size());
  if (packet->code >= EapCode::kSuccess) return;
  row.number("eap.type", static_cast<unsigned>(packet->type));
  eap_method(row, *packet);
}

/// IP: that the checksums are right is what we say of all of it; of what we write ourselves also the values.
void internet(Row& row, Bytes payload) {
  const auto packet = parse_ip(payload);
  if (!packet) return row.number("refused", 1);
  const std::string prefix = packet->source.is_v6() ? "ipv6" : "ip";
  row.address(prefix + ".src", packet->source);
  row.address(prefix + ".dst", packet->destination);
  if (packet->source.is_v4()) row.number("ip.checksum.status", 1);
  if (const auto udp = parse_udp(*packet)) {
    row.number("udp.srcport", udp->source_port);
    row.number("udp.dstport", udp->destination_port);
    row.number("udp.checksum.status", 1);
  } else if (packet->protocol == kIcmpv6Protocol) {
    row.number("icmpv6.type", packet->payload[0]);
    row.number("icmpv6.checksum.status", 1);
  }
  if (packet->payload.size() < 8 || packet->payload[0] != kRouterAdvertisement ||
      packet->protocol != kIcmpv6Protocol)
    return;
  const Addresses said = test::addresses_with_ipv6();
  row.number("icmpv6.nd.ra.router_lifetime", 1800);
  row.number("icmpv6.opt.prefix.length", said.v6->prefix->length);
  row.address("icmpv6.opt.prefix", said.v6->prefix->network);
  row.number("icmpv6.opt.mtu", 1400);
  row.address("icmpv6.opt.rdnss", said.v6->dns[0]);
  row.text("icmpv6.opt.dnssl", said.domain);
}

/// What the answers on the link must say, whoever reads them.
void answers(Row& row, Bytes payload) {
  const auto packet = parse_ip(payload);
  const auto udp = packet ? parse_udp(*packet) : std::nullopt;
  if (!udp) return;
  if (udp->source_port == 67) {
    row.number("dhcp.type", 2);
    row.number("dhcp.option.dhcp", 5);
    row.address("dhcp.ip.client", ip("10.99.0.7"));
    row.address("dhcp.option.domain_name_server", ip("9.9.9.9"));
    row.address("dhcp.option.domain_name_server", ip("1.1.1.1"));
    row.text("dhcp.option.domain_name", "corp.example");
  } else if (udp->source_port == 547) {
    row.number("dhcpv6.msgtype", udp->data[0]);
    row.number("dhcpv6.xid", 0x070809);
  }
}

void decode(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const ByteVector all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (std::size_t at = 24; at + 16 <= all.size();) {
    std::uint32_t size = 0;
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(at + 8), 4, reinterpret_cast<std::uint8_t*>(&size));
    const Bytes frame = Bytes(all).subspan(at + 16, size);
    at += 16 + size;
    Row row;
    const auto header = parse_frame(frame);
    if (header) {
      const Bytes payload = frame.subspan(header->header_size);
      const Protocol protocol = header->protocol;
      row.number("ppp.protocol", protocol);
      if (protocol == kIpv4 || protocol == kIpv6) {
        internet(row, payload);
        answers(row, payload);
      } else if (protocol == kEapProtocol) {
        eap(row, payload);
      } else if (protocol == kPapProtocol || protocol == kChapProtocol) {
        proof(row, protocol, payload);
      } else if (protocol != kApples) {
        control(row, protocol, payload);
      }
    } else {
      row.number("refused", 1);
    }
    std::cout << row.json() << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() == 3 && args[0] == "generate") {
    generate(args[1], static_cast<std::uint32_t>(std::stoul(args[2])));
  } else if (args.size() == 2 && args[0] == "decode") {
    decode(args[1]);
  } else {
    std::cerr << "usage: ppp_packets generate FILE SEED | decode FILE\n";
    return 2;
  }
  return 0;
}
