#include "ppp/dhcpv6.hpp"

#include <algorithm>
#include <array>

#include "ppp/dns_name.hpp"

namespace sluice::ppp {
namespace {

/// §7.3.
enum class Type : std::uint8_t {
  kSolicit = 1,
  kAdvertise = 2,
  kRequest = 3,
  kConfirm = 4,
  kRenew = 5,
  kRebind = 6,
  kReply = 7,
  kRelease = 8,
  kDecline = 9,
  kReconfigure = 10,
  kInformationRequest = 11,
};
/// §21.
constexpr std::uint16_t kClientId = 1, kServerId = 2, kIaNa = 3, kIaTa = 4, kOptionRequest = 6,
                        kStatusCode = 13, kRapidCommit = 14, kDnsServers = 23, kDomainList = 24, kIaPd = 25,
                        kIaPrefix = 26;
/// §21.13.
constexpr std::uint16_t kSuccess = 0, kNoAddrsAvail = 2, kNoBinding = 3, kNoPrefixAvail = 6;
/// Seconds. The prefix lives as long as the session; the client asks again often enough to notice.
constexpr std::uint32_t kT1 = 1800, kT2 = 2880, kPreferred = 3600, kValid = 7200;
/// §11.1.
constexpr std::size_t kMaxDuid = 130;
constexpr std::size_t kMaxReply = 1200;
/// Identity associations answered in one message.
constexpr std::size_t kMaxAssociations = 8;

struct Association {
  std::uint16_t option = 0;
  std::uint32_t iaid = 0;
  Bytes options;  ///< within it
};
struct Message {
  Type type = Type::kSolicit;
  std::array<std::uint8_t, 3> transaction{};
  Bytes client_id, server_id, requested;
  bool rapid_commit = false;
  std::vector<Association> associations;
};

/// Type, length and value (§21.1). False at a length past the end.
template <class Each>
bool each_option(Bytes options, Each each) {
  ByteReader reader(options);
  while (!reader.at_end()) {
    const std::uint16_t code = reader.u16();
    const Bytes value = reader.bytes(reader.u16());
    if (!reader.ok()) return false;
    each(code, value);
  }
  return true;
}

std::optional<Message> parse(Bytes bytes) {
  ByteReader reader(bytes);
  Message out;
  const std::uint8_t type = reader.u8();
  const Bytes transaction = reader.bytes(3);
  if (!reader.ok() || type < 1 || type > static_cast<std::uint8_t>(Type::kInformationRequest))
    return std::nullopt;
  out.type = Type{type};
  std::copy(transaction.begin(), transaction.end(), out.transaction.begin());
  bool good = true;
  const bool whole = each_option(reader.rest(), [&](std::uint16_t code, Bytes value) {
    if (code == kClientId) out.client_id = value;
    if (code == kServerId) out.server_id = value;
    if (code == kOptionRequest) out.requested = value;
    if (code == kRapidCommit) out.rapid_commit = true;
    if (code != kIaNa && code != kIaTa && code != kIaPd) return;
    ByteReader association(value);
    Association item{code, association.u32(), {}};
    if (code != kIaTa) association.skip(8);  // T1 and T2 (§21.4, §21.21)
    item.options = association.rest();
    good &= association.ok() && each_option(item.options, [](std::uint16_t, Bytes) {});
    if (out.associations.size() < kMaxAssociations) out.associations.push_back(item);
  });
  const bool ids_fit = out.client_id.size() <= kMaxDuid && out.server_id.size() <= kMaxDuid;
  if (!whole || !good || !ids_fit || out.requested.size() % 2 != 0) return std::nullopt;
  return out;
}

/// §16.2 to §16.12: who must, must not or may name whom.
bool acceptable(const Message& m, Bytes duid) {
  const bool named = !m.server_id.empty();
  const bool ours = named && equal(m.server_id, duid);
  switch (m.type) {
    case Type::kSolicit:
    case Type::kRebind:
      return !m.client_id.empty() && !named;
    case Type::kRequest:
    case Type::kRenew:
    case Type::kRelease:
    case Type::kDecline:
      return !m.client_id.empty() && ours;
    case Type::kInformationRequest:
      return m.associations.empty() && (!named || ours);
    case Type::kConfirm:      // about addresses, of which none is known here: no answer (§18.3.3)
    case Type::kAdvertise:    // a server's
    case Type::kReply:        // a server's
    case Type::kReconfigure:  // a server's
      return false;
  }
  return false;
}

void option(ByteWriter& out, std::uint16_t code, Bytes value) {
  out.u16(code);
  out.u16(static_cast<std::uint16_t>(value.size()));
  out.bytes(value);
}
void status(ByteWriter& out, std::uint16_t code) {
  out.u16(kStatusCode);
  out.u16(2);
  out.u16(code);
}
void prefix_option(ByteWriter& out, const Prefix& prefix, bool live) {
  out.u16(kIaPrefix);
  out.u16(25);
  out.u32(live ? kPreferred : 0);
  out.u32(live ? kValid : 0);
  out.u8(prefix.length);
  out.bytes(prefix.network.bytes());
}

class Answer {
 public:
  Answer(const Message& message, const Dhcpv6Offer& offer, DelegatedLease& lease)
      : message_(message), offer_(offer), lease_(lease), out_(buffer_) {}

  std::optional<ByteVector> make() {
    const bool solicit = message_.type == Type::kSolicit;
    const bool commits = !solicit || message_.rapid_commit;
    out_.u8(static_cast<std::uint8_t>(commits ? Type::kReply : Type::kAdvertise));
    out_.bytes(message_.transaction);
    option(out_, kServerId, offer_.duid);
    if (!message_.client_id.empty()) option(out_, kClientId, message_.client_id);
    if (solicit && commits) option(out_, kRapidCommit, {});
    if (message_.type == Type::kRelease || message_.type == Type::kDecline) {
      release();
    } else {
      for (const auto& association : message_.associations) give(association, commits);
      configuration();
    }
    if (!out_.ok()) return std::nullopt;
    return ByteVector(out_.written().begin(), out_.written().end());
  }

 private:
  bool wants(std::uint16_t code) const {
    if (message_.requested.empty()) return true;
    ByteReader reader(message_.requested);
    while (!reader.at_end()) {
      if (reader.u16() == code) return true;
    }
    return false;
  }

  void configuration() {
    if (!offer_.dns.empty() && wants(kDnsServers)) {
      out_.u16(kDnsServers);
      out_.u16(static_cast<std::uint16_t>(offer_.dns.size() * 16));
      for (const auto& server : offer_.dns) out_.bytes(server.bytes());
    }
    const ByteVector domain = encode_dns_name(offer_.domain);
    if (!domain.empty() && wants(kDomainList)) option(out_, kDomainList, domain);
  }

  /// Opens an IA; its length is filled in by end().
  std::size_t begin(const Association& association) {
    out_.u16(association.option);
    const std::size_t at = out_.size();
    out_.u16(0);
    out_.u32(association.iaid);
    return at;
  }
  void end(std::size_t at) { out_.patch_u16(at, static_cast<std::uint16_t>(out_.size() - at - 2)); }

  void give(const Association& association, bool commits) {
    const std::size_t at = begin(association);
    const bool ours = !lease_.bound || lease_.iaid == association.iaid || message_.type == Type::kSolicit;
    const bool free = association.option == kIaPd && offer_.delegated && !given_ && ours;
    if (association.option != kIaTa) {
      out_.u32(free ? kT1 : 0);
      out_.u32(free ? kT2 : 0);
    }
    if (association.option != kIaPd) {
      status(out_, kNoAddrsAvail);
    } else if (free) {
      given_ = true;
      if (commits) lease_ = {true, association.iaid};
      prefix_option(out_, *offer_.delegated, true);
      outdated(association);
    } else {
      status(out_, kNoPrefixAvail);
    }
    end(at);
  }

  /// §18.3.4: a prefix the client holds and should not is named with lifetimes of 0.
  void outdated(const Association& association) {
    if (message_.type != Type::kRenew && message_.type != Type::kRebind) return;
    (void)each_option(association.options, [&](std::uint16_t code, Bytes value) {
      if (code != kIaPrefix || value.size() < 25) return;
      const Prefix held{*IpAddress::from_bytes(value.subspan(9, 16)), value[8]};
      if (held != *offer_.delegated && held.length <= 128) prefix_option(out_, held, false);
    });
  }

  /// §18.3.7: what is not bound is said to be not bound, the rest is a success.
  void release() {
    for (const auto& association : message_.associations) {
      const bool held = association.option == kIaPd && lease_.bound && lease_.iaid == association.iaid;
      if (held) {
        lease_ = {};
        continue;
      }
      const std::size_t at = begin(association);
      if (association.option != kIaTa) out_.u64(0);
      status(out_, kNoBinding);
      end(at);
    }
    status(out_, kSuccess);
  }

  const Message& message_;
  const Dhcpv6Offer& offer_;
  DelegatedLease& lease_;
  std::array<std::uint8_t, kMaxReply> buffer_{};
  ByteWriter out_;
  bool given_ = false;
};

}  // namespace

std::optional<ByteVector> answer_dhcpv6(Bytes bytes, const Dhcpv6Offer& offer, DelegatedLease& lease) {
  const auto message = parse(bytes);
  if (!message || !acceptable(*message, offer.duid)) return std::nullopt;
  return Answer(*message, offer, lease).make();
}

}  // namespace sluice::ppp
