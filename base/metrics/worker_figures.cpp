#include "base/metrics/worker_figures.hpp"

#include "base/metrics/common_catalogue.hpp"

namespace sluice::metrics {
namespace {

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

void add_sockets(Page& page, std::string_view worker, std::string_view name, const SocketFigures& figures) {
  const auto add = [&](const Family& family, std::string_view direction, std::uint64_t value) {
    page.add(family, {worker, name, direction}, static_cast<double>(value));
  };
  add(common("sluice_socket_packets_total"), "in", figures.packets_in);
  add(common("sluice_socket_packets_total"), "out", figures.packets_out);
  add(common("sluice_socket_bytes_total"), "in", figures.bytes_in);
  add(common("sluice_socket_bytes_total"), "out", figures.bytes_out);
  page.add(common("sluice_kernel_drops_total"), {worker, name}, static_cast<double>(figures.kernel_drops));
}

void add_worker(Page& page, std::string_view worker, Duration cpu, Duration crypto) {
  page.add(common("sluice_worker_cpu_seconds_total"), {worker}, seconds(cpu));
  page.add(common("sluice_worker_crypto_seconds_total"), {worker}, seconds(crypto));
}

}  // namespace sluice::metrics
