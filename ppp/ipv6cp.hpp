#pragma once
// IPv6 Control Protocol (RFC 5072): the two interface identifiers of a link.

#include <cstdint>

#include "base/random.hpp"
#include "ppp/cp.hpp"
#include "ppp/snapshot.hpp"

namespace sluice::ppp {

namespace ipv6cp_option {
inline constexpr std::uint8_t kInterfaceId = 1;
}

class Ipv6cp final : public ControlProtocol {
 public:
  Ipv6cp(const PppConfig& config, RandomSource& random, Outbox& out, Drops& drops);

  /// Our identifier and the one to suggest to a peer without; 0: chosen at random. Before up().
  void assign(std::uint64_t local_id, std::uint64_t remote_id);
  /// As agreed, once open. Never equal, never 0.
  std::uint64_t local_id() const { return local_id_; }
  std::uint64_t remote_id() const { return remote_id_; }

  Ipv6cpSnapshot snapshot(Instant now) const;
  /// False when the values cannot be a state of this protocol.
  bool restore(const Ipv6cpSnapshot& from, Instant now);

 protected:
  void write_request(ByteWriter& out) override;
  void reset_request() override;
  void begin_request(Bytes options) override;
  Answer judge(const CpOption& option, ByteWriter& nak) override;
  void add_missing(ByteWriter& nak) override;
  void on_nak(const CpOption& option) override;
  void on_reject(const CpOption& option) override;

 private:
  std::uint64_t fresh_identifier(std::uint64_t other);
  std::uint64_t suggestion();

  RandomSource& random_;
  std::uint64_t local_id_ = 0, remote_id_ = 0, suggested_id_ = 0;
  bool ask_id_ = true;
  bool id_named_ = false;
  unsigned collisions_ = 0;
};

}  // namespace sluice::ppp
