#include "proto/transport/steering.hpp"

#include <linux/filter.h>
#include <sys/socket.h>

#include <array>
#include <limits>
#include <span>

#include "proto/channel/spi_source.hpp"
#include "proto/transport/socket_support.hpp"

namespace sluice::transport {
namespace {

constexpr sock_filter step(unsigned code, std::uint32_t k, std::uint8_t jump_true = 0,
                           std::uint8_t jump_false = 0) {
  return {static_cast<std::uint16_t>(code), jump_true, jump_false, k};
}

template <std::size_t N>
std::optional<std::string> attach(int fd, int option, std::array<sock_filter, N> code, const char* what) {
  const sock_fprog program{static_cast<unsigned short>(N), code.data()};
  if (::setsockopt(fd, SOL_SOCKET, option, &program, sizeof program) == 0) return std::nullopt;
  return errno_text(what);
}

}  // namespace

std::optional<std::string> attach_spi_steering(int fd, std::uint32_t workers) {
  const std::array code{
      step(BPF_LD | BPF_W | BPF_ABS,
           0),  // the payload begins at 0; a load past the end returns 0 from the program
      step(BPF_ALU | BPF_AND | BPF_K, channel::worker_mask(workers)),
      step(BPF_JMP | BPF_JGE | BPF_K, workers, 1, 0),
      step(BPF_RET | BPF_A, 0),
      step(BPF_RET | BPF_K, 0),
  };
  return attach(fd, SO_ATTACH_REUSEPORT_CBPF, code, "cannot steer datagrams to workers by SPI");
}

std::optional<std::string> attach_raw_spi_filter(int fd, bool ipv6, std::uint32_t worker,
                                                 std::uint32_t workers) {
  constexpr std::uint32_t kWhole = std::numeric_limits<std::uint32_t>::max();
  // Bits that name no worker count as worker 0's, as they do for UDP.
  const std::uint32_t when_none = worker == 0 ? kWhole : 0;
  const std::array code{
      // A raw IPv4 socket sees the IP header, whose length X takes; a raw IPv6 socket begins at its payload.
      ipv6 ? step(BPF_LDX | BPF_W | BPF_IMM, 0) : step(BPF_LDX | BPF_B | BPF_MSH, 0),
      step(BPF_LD | BPF_W | BPF_IND, 0),
      step(BPF_ALU | BPF_AND | BPF_K, channel::worker_mask(workers)),
      step(BPF_JMP | BPF_JGE | BPF_K, workers, 2, 0),
      step(BPF_JMP | BPF_JEQ | BPF_K, worker, 0, 2),
      step(BPF_RET | BPF_K, kWhole),
      step(BPF_RET | BPF_K, when_none),
      step(BPF_RET | BPF_K, 0),
  };
  return attach(fd, SO_ATTACH_FILTER, code, "cannot filter raw ESP by SPI");
}

}  // namespace sluice::transport
