#pragma once
// The socket for CoA- and Disconnect-Requests (RFC 5176). Thread: control.

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <map>

#include "backend-agent/radius/core/dynamic.hpp"

namespace sluice::agent {

class DynamicPort {
 public:
  /// Carries a request out and says how that went.
  using Carry = std::function<radius::ErrorCause(const radius::DynamicRequest&)>;
  /// Throws std::runtime_error when the address cannot be listened on.
  DynamicPort(boost::asio::io_context& io, const Endpoint& listen, radius::DynamicSettings settings,
              Carry carry);
  void stop();
  const radius::DynamicServer& server() const { return server_; }

 private:
  void receive();
  void take(const Endpoint& from, Bytes datagram);
  void tell_drops(const Endpoint& from);

  radius::DynamicServer server_;
  Carry carry_;
  boost::asio::ip::udp::socket socket_;
  boost::asio::ip::udp::endpoint from_;
  std::array<std::uint8_t, radius::kMaxPacket> buffer_;
  std::map<radius::DynamicDrop, std::uint64_t> told_;
  Instant told_at_{};
};

}  // namespace sluice::agent
