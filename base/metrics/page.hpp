#pragma once
// A page in Prometheus' text format, filled at the moment somebody asks. One thread.

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/metrics/cause_counts.hpp"
#include "base/metrics/family.hpp"
#include "base/metrics/histogram.hpp"

namespace sluice::metrics {

class Page {
 public:
  using Labels = std::initializer_list<std::string_view>;

  Page();
  ~Page();

  /// One sample; `labels` are the values in the order of the family's labels, all of them. `family` outlives
  /// the page. The same labels twice are a fault of the caller's.
  void add(const Family& family, Labels labels, double value);
  void add(const Family& family, double value) { add(family, {}, value); }
  void add(const Family& family, Labels labels, const Histogram& histogram);
  /// A sample for each cause; the family has one label.
  void add(const Family& family, const CauseCounts& counts);

  std::string text() const;

 private:
  struct Samples;
  std::map<std::string_view, std::unique_ptr<Samples>> families_;
};

}  // namespace sluice::metrics
