#pragma once
// Families that both daemons have; which daemon it is, Prometheus' own label `job` says.

#include "base/metrics/family.hpp"

namespace sluice::metrics {

inline constexpr Family kCommonFamilies[] = {
    {"sluice_build_info",
     Kind::kGauge,
     {"program", "version", "name"},
     "Always 1: which program, which version, and what it is called in its certificate."},
    {"sluice_ready", Kind::kGauge, {}, "1 while /readyz says ready."},
    {"sluice_draining", Kind::kGauge, {}, "1 while no new client is taken on purpose."},
    {"sluice_certificate_expiry_timestamp_seconds",
     Kind::kGauge,
     {"file"},
     "When a certificate of the channel ends (file=certificate), or when the oldest revocation list should "
     "be "
     "replaced (file=crl), in seconds since 1970."},
    {"sluice_workers", Kind::kGauge, {}, "Data workers."},
    {"sluice_worker_cpu_seconds_total", Kind::kCounter, {"worker"}, "Processor time of a data worker."},
    {"sluice_worker_crypto_seconds_total",
     Kind::kCounter,
     {"worker"},
     "Of a data worker's time, what it spent sealing and opening ESP."},
    {"sluice_socket_packets_total",
     Kind::kCounter,
     {"worker", "socket", "direction"},
     "Packets through a data worker's sockets; direction is in or out."},
    {"sluice_socket_bytes_total",
     Kind::kCounter,
     {"worker", "socket", "direction"},
     "Bytes of UDP or ESP payload through a data worker's sockets."},
    {"sluice_kernel_drops_total",
     Kind::kCounter,
     {"worker", "socket"},
     "Packets that the kernel dropped because a data worker's receive queue was full."},
    {"sluice_drops_total", Kind::kCounter, {"stage", "reason"}, "Packets dropped, by reason."},
    {"sluice_conntrack_entries",
     Kind::kGauge,
     {},
     "Entries in this network namespace's connection tracking table, where it has one."},
    {"sluice_conntrack_limit_entries", Kind::kGauge, {}, "How many fit in it."},
    {"sluice_http_requests_total",
     Kind::kCounter,
     {"result"},
     "Connections to the listener of this page, by what became of them."},
    {"process_cpu_seconds_total", Kind::kCounter, {}, "Processor time of the process."},
    {"process_resident_memory_bytes", Kind::kGauge, {}, "Memory of the process that is resident."},
    {"process_open_fds", Kind::kGauge, {}, "File descriptors that are open."},
    {"process_start_time_seconds", Kind::kGauge, {}, "When the process began, in seconds since 1970."},
};

consteval const Family& common(std::string_view name) {
  return row_of(kCommonFamilies, name);
}

}  // namespace sluice::metrics
