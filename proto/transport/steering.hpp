#pragma once
// Which worker's socket a datagram lands on: the low bits of its SPI say (channel/spi_source.hpp). A zero
// word, the non-ESP marker (RFC 3948 §2.2), a datagram shorter than an SPI and bits that name no worker go to
// worker 0.

#include <cstdint>
#include <optional>
#include <string>

namespace sluice::transport {

/// Attaches the program to the SO_REUSEPORT group of `fd`. Worker n is the n-th socket that was bound to the
/// group. Gives the error's text, if any.
std::optional<std::string> attach_spi_steering(int fd, std::uint32_t workers);

/// Lets through to a raw ESP socket only packets whose SPI names `worker`.
std::optional<std::string> attach_raw_spi_filter(int fd, bool ipv6, std::uint32_t worker,
                                                 std::uint32_t workers);

}  // namespace sluice::transport
