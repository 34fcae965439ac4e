#include "ppp/ipv6cp.hpp"

namespace sluice::ppp {
namespace {

constexpr std::size_t kIdSize = 8;
/// Naks of our identifier that we argue about before leaving it out.
constexpr unsigned kMaxCollisions = 8;
/// The universal/local bit of an identifier made up here is clear (RFC 5072 §4.1).
constexpr std::uint64_t kUniversalBit = 0x0200'0000'0000'0000;

void write_id(ByteWriter& out, std::uint64_t id) {
  out.u8(ipv6cp_option::kInterfaceId);
  out.u8(kIdSize + 2);
  out.u64(id);
}

}  // namespace

Ipv6cp::Ipv6cp(const PppConfig& config, RandomSource& random, Outbox& out, Drops& drops)
    : ControlProtocol(kIpv6cp, config.timers, out, drops), random_(random) {}

void Ipv6cp::assign(std::uint64_t local_id, std::uint64_t remote_id) {
  local_id_ = local_id;
  suggested_id_ = remote_id;
}

std::uint64_t Ipv6cp::fresh_identifier(std::uint64_t other) {
  std::uint64_t id = 0;
  do {
    id = ((std::uint64_t{random_.u32()} << 32) | random_.u32()) & ~kUniversalBit;
  } while (id == 0 || id == other);
  return id;
}

/// What a peer without an acceptable identifier should take.
std::uint64_t Ipv6cp::suggestion() {
  if (suggested_id_ == 0 || suggested_id_ == local_id_) suggested_id_ = fresh_identifier(local_id_);
  return suggested_id_;
}

void Ipv6cp::reset_request() {
  ask_id_ = true;
  collisions_ = 0;
  if (local_id_ == 0) local_id_ = fresh_identifier(suggested_id_);
}

void Ipv6cp::write_request(ByteWriter& out) {
  if (ask_id_) write_id(out, local_id_);
}

void Ipv6cp::begin_request(Bytes) {
  id_named_ = false;
  remote_id_ = suggestion();
}

ControlProtocol::Answer Ipv6cp::judge(const CpOption& option, ByteWriter& nak) {
  if (option.type != ipv6cp_option::kInterfaceId || option.value.size() != kIdSize) return Answer::kReject;
  id_named_ = true;
  const std::uint64_t id = load_be64(option.value.data());
  // RFC 5072 §4.1: zero, or the same on both sides, is answered with a Nak that holds another one.
  if (id == 0 || id == local_id_) {
    write_id(nak, suggestion());
    return Answer::kNak;
  }
  remote_id_ = id;
  return Answer::kAck;
}

void Ipv6cp::add_missing(ByteWriter& nak) {
  if (!id_named_) write_id(nak, suggestion());
}

void Ipv6cp::on_nak(const CpOption& option) {
  if (option.type != ipv6cp_option::kInterfaceId || option.value.size() != kIdSize) return;
  const std::uint64_t id = load_be64(option.value.data());
  if (++collisions_ >= kMaxCollisions) ask_id_ = false;
  // §4.1: take what is suggested; where that is no use, choose again.
  const bool usable = id != 0 && id != local_id_ && id != remote_id_;
  local_id_ = usable ? id : fresh_identifier(remote_id_);
}

void Ipv6cp::on_reject(const CpOption& option) {
  if (option.type == ipv6cp_option::kInterfaceId) ask_id_ = false;
}

Ipv6cpSnapshot Ipv6cp::snapshot(Instant now) const {
  return {cp_snapshot(now), local_id_, remote_id_, suggested_id_, ask_id_, collisions_};
}

bool Ipv6cp::restore(const Ipv6cpSnapshot& from, Instant now) {
  if (!cp_restore(from.cp, now)) return false;
  if (opened() && (from.local_id == 0 || from.remote_id == 0 || from.local_id == from.remote_id))
    return false;
  local_id_ = from.local_id;
  remote_id_ = from.remote_id;
  suggested_id_ = from.suggested_id;
  ask_id_ = from.ask_id;
  collisions_ = from.collisions;
  return true;
}

}  // namespace sluice::ppp
