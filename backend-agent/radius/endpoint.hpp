#pragma once
// Endpoints as Asio has them.

#include <boost/asio/ip/udp.hpp>

#include "base/ip.hpp"

namespace sluice::agent {

inline boost::asio::ip::udp::endpoint to_asio(const Endpoint& endpoint) {
  return {boost::asio::ip::make_address(endpoint.address.to_string()), endpoint.port};
}

inline Endpoint from_asio(const boost::asio::ip::udp::endpoint& endpoint) {
  const auto address = endpoint.address();
  if (address.is_v4()) return {IpAddress::v4(address.to_v4().to_uint()), endpoint.port()};
  return {*IpAddress::from_bytes(address.to_v6().to_bytes()), endpoint.port()};
}

}  // namespace sluice::agent
