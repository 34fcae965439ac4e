#pragma once
// Between our addresses and times and Asio's.

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>

#include "base/ip.hpp"
#include "base/time.hpp"

namespace sluice::transport {

inline IpAddress from_asio(const boost::asio::ip::address& address) {
  if (address.is_v4()) return IpAddress::v4(address.to_v4().to_uint());
  const auto v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    return IpAddress::v4(boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_uint());
  }
  return IpAddress::from_bytes(v6.to_bytes()).value_or(IpAddress{});
}
inline Endpoint from_asio(const boost::asio::ip::tcp::endpoint& endpoint) {
  return {from_asio(endpoint.address()), endpoint.port()};
}
inline boost::asio::ip::address to_asio(const IpAddress& address) {
  if (address.is_v4()) return boost::asio::ip::address_v4(address.to_v4());
  boost::asio::ip::address_v6::bytes_type bytes{};
  std::copy(address.bytes().begin(), address.bytes().end(), bytes.begin());
  return boost::asio::ip::address_v6(bytes);
}
/// Both count the monotonic clock (base/app/clock.hpp).
inline std::chrono::steady_clock::time_point to_asio(Instant at) {
  return std::chrono::steady_clock::time_point(at.time_since_epoch());
}

}  // namespace sluice::transport
