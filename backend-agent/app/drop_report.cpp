#include "backend-agent/app/drop_report.hpp"

namespace sluice::agent {
namespace {

using Totals = std::map<std::string, std::uint64_t>;

template <class E>
void add_all(Totals& totals, const std::string& prefix, const CounterArray<E>& counters) {
  for (std::size_t i = 0; i < CounterArray<E>::kSize; ++i) {
    const auto reason = static_cast<E>(i);
    totals[prefix + std::string(to_string(reason))] += counters.read(reason);
  }
}

/// Of the data socket only what is a loss.
void add_port(Totals& totals, const CounterArray<transport::PortCount>& counters) {
  using transport::PortCount;
  for (const auto which :
       {PortCount::kKernelDrops, PortCount::kTruncated, PortCount::kReceiveErrors, PortCount::kSendFull,
        PortCount::kSendTooBig, PortCount::kSendUnreachable, PortCount::kSendErrors}) {
    totals["socket." + std::string(to_string(which))] += counters.read(which);
  }
}

void add_worker(Totals& totals, const Worker& worker) {
  add_all(totals, "lns.", worker.lns().drops());
  add_all(totals, "l2tp.", worker.lns().l2tp_drops());
  add_all(totals, "ppp.", worker.lns().ppp_drops());
  add_all(totals, "carrier.", worker.carrier().drops());
  const auto& exchange = worker.exchange();
  if (exchange.dropped_out() > 0) totals["carrier.data-link-queue-full"] += exchange.dropped_out();
  if (exchange.dropped_in() > 0) totals["carrier.data-link-worker-full"] += exchange.dropped_in();
  if (worker.handoff() != nullptr) add_all(totals, "handoff.", worker.handoff()->drops());
  add_port(totals, worker.port().counts());
  add_all(totals, "tun.", worker.tun().drops());
}

}  // namespace

std::map<std::string, std::uint64_t> all_drops(const Workers& workers) {
  Totals out;
  for (const auto& worker : workers.each()) add_worker(out, *worker);
  return out;
}

std::string DropReport::since_last(const Workers& workers) {
  Totals now = all_drops(workers);
  std::string out;
  for (const auto& [reason, count] : now) {
    const std::uint64_t before = last_[reason];
    if (count > before) out += (out.empty() ? "" : " ") + reason + ":" + std::to_string(count - before);
  }
  last_ = std::move(now);
  return out;
}

}  // namespace sluice::agent
