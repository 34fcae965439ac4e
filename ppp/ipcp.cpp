#include "ppp/ipcp.hpp"

namespace sluice::ppp {
namespace {

/// Naks of our own address that we argue about before leaving it out.
constexpr unsigned kMaxAddressNaks = 5;

void write_address(ByteWriter& out, std::uint8_t type, const IpAddress& address) {
  out.u8(type);
  out.u8(6);
  out.u32(address.to_v4());
}

bool is_server_option(std::uint8_t type) {
  return type >= ipcp_option::kDns1 && type <= ipcp_option::kNbns2;
}

}  // namespace

Ipcp::Ipcp(const PppConfig& config, Outbox& out, Drops& drops)
    : ControlProtocol(kIpcp, config.timers, out, drops),
      server_(config.role == Role::kServer),
      want_dns_(config.want_dns) {}

void Ipcp::assign(const Addresses& addresses) {
  addresses_ = addresses;
}

void Ipcp::reset_request() {
  ask_address_ = true;
  address_naks_ = 0;
  if (server_) return;
  asked_servers_ = {};
  ask_servers_ = want_dns_ ? std::uint8_t{0x0f} : std::uint8_t{0};
}

void Ipcp::write_request(ByteWriter& out) {
  if (ask_address_) write_address(out, ipcp_option::kAddress, addresses_.local);
  for (std::uint8_t i = 0; i < asked_servers_.size(); ++i) {
    if ((ask_servers_ & (1U << i)) == 0) continue;
    write_address(out, static_cast<std::uint8_t>(ipcp_option::kDns1 + i), asked_servers_[i]);
  }
}

void Ipcp::begin_request(Bytes) {
  address_named_ = false;
}

const IpAddress* Ipcp::name_server(std::uint8_t option) const {
  const bool nbns = option == ipcp_option::kNbns1 || option == ipcp_option::kNbns2;
  const std::size_t index = option == ipcp_option::kDns2 || option == ipcp_option::kNbns2 ? 1 : 0;
  const auto& list = nbns ? addresses_.nbns : addresses_.dns;
  return index < list.size() ? &list[index] : nullptr;
}

ControlProtocol::Answer Ipcp::judge_value(const CpOption& option, const IpAddress& wanted,
                                          ByteWriter& nak) const {
  if (option.value.size() != 4) return Answer::kReject;
  if (load_be32(option.value.data()) == wanted.to_v4()) return Answer::kAck;
  write_address(nak, option.type, wanted);
  return Answer::kNak;
}

ControlProtocol::Answer Ipcp::judge(const CpOption& option, ByteWriter& nak) {
  if (option.type == ipcp_option::kAddress) {
    address_named_ = true;
    if (server_) return judge_value(option, addresses_.remote, nak);
    if (option.value.size() != 4) return Answer::kReject;
    addresses_.remote = IpAddress::v4(load_be32(option.value.data()));
    return Answer::kAck;
  }
  if (!server_ || !is_server_option(option.type)) return Answer::kReject;
  const IpAddress* server = name_server(option.type);
  return server != nullptr ? judge_value(option, *server, nak) : Answer::kReject;
}

void Ipcp::add_missing(ByteWriter& nak) {
  // RFC 1332 §3.3: a peer that names no address is told the one it has.
  if (server_ && !address_named_) write_address(nak, ipcp_option::kAddress, addresses_.remote);
}

void Ipcp::store_server(std::uint8_t option, const IpAddress& address) {
  asked_servers_[option - ipcp_option::kDns1] = address;
  addresses_.dns.clear();
  addresses_.nbns.clear();
  for (std::size_t i = 0; i < asked_servers_.size(); ++i) {
    if (asked_servers_[i].is_unspecified()) continue;
    (i % 2 == 0 ? addresses_.dns : addresses_.nbns).push_back(asked_servers_[i]);
  }
}

void Ipcp::on_nak(const CpOption& option) {
  if (option.value.size() != 4) return;
  const IpAddress address = IpAddress::v4(load_be32(option.value.data()));
  if (option.type == ipcp_option::kAddress) {
    // A server keeps its own address, whatever the peer thinks of it.
    if (!server_) addresses_.local = address;
    if (++address_naks_ >= kMaxAddressNaks) ask_address_ = false;
  } else if (!server_ && is_server_option(option.type)) {
    store_server(option.type, address);
  }
}

IpcpSnapshot Ipcp::snapshot(Instant now) const {
  return {cp_snapshot(now), addresses_, ask_address_, ask_servers_, asked_servers_, address_naks_};
}

bool Ipcp::restore(const IpcpSnapshot& from, Instant now) {
  if (from.ask_servers > 0x0f || !cp_restore(from.cp, now)) return false;
  addresses_ = from.addresses;
  ask_address_ = from.ask_address;
  ask_servers_ = from.ask_servers;
  asked_servers_ = from.asked_servers;
  address_naks_ = from.address_naks;
  return true;
}

void Ipcp::on_reject(const CpOption& option) {
  if (option.type == ipcp_option::kAddress) ask_address_ = false;
  if (!is_server_option(option.type)) return;
  ask_servers_ = static_cast<std::uint8_t>(ask_servers_ & ~(1U << (option.type - ipcp_option::kDns1)));
}

}  // namespace sluice::ppp
