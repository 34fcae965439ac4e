#pragma once
// What every data worker counts, of whichever daemon.

#include <cstdint>
#include <string_view>

#include "base/counters.hpp"
#include "base/metrics/page.hpp"
#include "base/time.hpp"

namespace sluice::metrics {

/// Since the socket was opened.
struct SocketFigures {
  std::uint64_t packets_in = 0, bytes_in = 0, packets_out = 0, bytes_out = 0;
  std::uint64_t kernel_drops = 0;
};

/// Of an enumeration like transport::PortCount.
template <class E>
SocketFigures socket_figures(const CounterArray<E>& counts) {
  return {counts.read(E::kPacketsIn), counts.read(E::kBytesIn), counts.read(E::kPacketsOut),
          counts.read(E::kBytesOut), counts.read(E::kKernelDrops)};
}
inline SocketFigures& operator+=(SocketFigures& sum, const SocketFigures& one) {
  sum.packets_in += one.packets_in;
  sum.bytes_in += one.bytes_in;
  sum.packets_out += one.packets_out;
  sum.bytes_out += one.bytes_out;
  sum.kernel_drops += one.kernel_drops;
  return sum;
}

/// sluice_socket_* and sluice_kernel_drops_total of all sockets of one name.
void add_sockets(Page& page, std::string_view worker, std::string_view name, const SocketFigures& figures);
/// sluice_worker_*.
void add_worker(Page& page, std::string_view worker, Duration cpu, Duration crypto);

}  // namespace sluice::metrics
