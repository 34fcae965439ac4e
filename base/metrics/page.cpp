#include "base/metrics/page.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <cassert>
#include <limits>
#include <sstream>

namespace sluice::metrics {
namespace {

using prometheus::ClientMetric;

prometheus::MetricType type_of(Kind kind) {
  switch (kind) {
    case Kind::kCounter:
      return prometheus::MetricType::Counter;
    case Kind::kGauge:
      return prometheus::MetricType::Gauge;
    case Kind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

ClientMetric labelled(const Family& family, Page::Labels labels) {
  assert(labels.size() == family.label_count());
  ClientMetric out;
  std::size_t i = 0;
  for (const auto value : labels) out.label.push_back({std::string(family.labels[i++]), std::string(value)});
  return out;
}

}  // namespace

struct Page::Samples {
  explicit Samples(const Family& row) {
    family.name = row.name;
    family.help = row.help;
    family.type = type_of(row.kind);
  }
  prometheus::MetricFamily family;
};

Page::Page() = default;
Page::~Page() = default;

void Page::add(const Family& family, Labels labels, double value) {
  assert(family.kind != Kind::kHistogram);
  auto metric = labelled(family, labels);
  (family.kind == Kind::kCounter ? metric.counter.value : metric.gauge.value) = value;
  auto& samples = families_[family.name];
  if (!samples) samples = std::make_unique<Samples>(family);
  samples->family.metric.push_back(std::move(metric));
}

void Page::add(const Family& family, Labels labels, const Histogram& histogram) {
  assert(family.kind == Kind::kHistogram);
  auto metric = labelled(family, labels);
  metric.histogram.sample_count = histogram.count();
  metric.histogram.sample_sum = histogram.sum();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i <= kBounds.size(); ++i) {
    below += histogram.counts()[i];
    const bool last = i == kBounds.size();
    metric.histogram.bucket.push_back({below, last ? std::numeric_limits<double>::infinity() : kBounds[i]});
  }
  auto& samples = families_[family.name];
  if (!samples) samples = std::make_unique<Samples>(family);
  samples->family.metric.push_back(std::move(metric));
}

void Page::add(const Family& family, const CauseCounts& counts) {
  for (const auto& [cause, count] : counts.all()) add(family, {cause}, static_cast<double>(count));
}

std::string Page::text() const {
  std::vector<prometheus::MetricFamily> all;
  for (const auto& [name, samples] : families_) all.push_back(samples->family);
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, all);
  return std::move(out).str();
}

}  // namespace sluice::metrics
