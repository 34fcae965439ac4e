#include "base/metrics/process_figures.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include "base/metrics/common_catalogue.hpp"

namespace sluice::metrics {
namespace {

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::optional<std::uint64_t> number_in(const char* file) {
  std::ifstream in(file);
  std::uint64_t value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

std::size_t open_files() {
  auto* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 0;
  std::size_t count = 0;
  while (const auto* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return count - 1;  // the folder's own
}

/// Bytes.
double resident() {
  std::ifstream in("/proc/self/statm");
  double whole = 0, resident_pages = 0;
  in >> whole >> resident_pages;
  return resident_pages * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

}  // namespace

std::optional<Conntrack> read_conntrack() {
  const auto entries = number_in("/proc/sys/net/netfilter/nf_conntrack_count");
  const auto limit = number_in("/proc/sys/net/netfilter/nf_conntrack_max");
  if (!entries || !limit) return std::nullopt;
  return Conntrack{*entries, *limit};
}

void add_process(Page& page, std::int64_t started_at) {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  page.add(common("process_cpu_seconds_total"), seconds(used.ru_utime) + seconds(used.ru_stime));
  page.add(common("process_resident_memory_bytes"), resident());
  page.add(common("process_open_fds"), static_cast<double>(open_files()));
  page.add(common("process_start_time_seconds"), static_cast<double>(started_at));
  if (const auto conntrack = read_conntrack()) {
    page.add(common("sluice_conntrack_entries"), static_cast<double>(conntrack->entries));
    page.add(common("sluice_conntrack_limit_entries"), static_cast<double>(conntrack->limit));
  }
}

}  // namespace sluice::metrics
