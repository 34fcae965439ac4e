#pragma once
// Internet Protocol Control Protocol (RFC 1332) with name servers (RFC 1877). Van Jacobson compression is
// refused.

#include <array>
#include <optional>
#include <vector>

#include "ppp/addresses.hpp"
#include "ppp/cp.hpp"

namespace sluice::ppp {

namespace ipcp_option {
inline constexpr std::uint8_t kAddresses = 1, kCompression = 2, kAddress = 3;
inline constexpr std::uint8_t kDns1 = 129, kNbns1 = 130, kDns2 = 131, kNbns2 = 132;
}  // namespace ipcp_option

class Ipcp final : public ControlProtocol {
 public:
  Ipcp(const PppConfig& config, Outbox& out, Drops& drops);

  /// Server: what to give. Before up().
  void assign(const Addresses& addresses);
  /// Client: what was learned. Server: what was assigned.
  const Addresses& addresses() const { return addresses_; }

  IpcpSnapshot snapshot(Instant now) const;
  /// False when the values cannot be a state of this protocol.
  bool restore(const IpcpSnapshot& from, Instant now);

 protected:
  void write_request(ByteWriter& out) override;
  void reset_request() override;
  void begin_request(Bytes options) override;
  Answer judge(const CpOption& option, ByteWriter& nak) override;
  void add_missing(ByteWriter& nak) override;
  void on_nak(const CpOption& option) override;
  void on_reject(const CpOption& option) override;

 private:
  /// The server a name-server option stands for; null for options that are none, or beyond what is
  /// configured.
  const IpAddress* name_server(std::uint8_t option) const;
  Answer judge_value(const CpOption& option, const IpAddress& wanted, ByteWriter& nak) const;
  void store_server(std::uint8_t option, const IpAddress& address);

  const bool server_;
  const bool want_dns_;
  Addresses addresses_;
  bool ask_address_ = true;
  bool address_named_ = false;
  std::uint8_t ask_servers_ = 0;  ///< client: bit n stands for option 129 + n
  std::array<IpAddress, 4> asked_servers_;
  unsigned address_naks_ = 0;
};

}  // namespace sluice::ppp
