#include "base/app/log_limit.hpp"

#include <algorithm>

namespace sluice::app {

void LogLimit::set(std::uint32_t rate, std::uint32_t burst) {
  rate_ = rate;
  burst_ = std::max<double>(burst, 1);
}

bool LogLimit::admit(std::string_view message, Instant now, double cost) {
  if (rate_ == 0) return true;
  const auto [entry, fresh] = buckets_.try_emplace(message);
  auto& bucket = entry->second;
  if (fresh) {
    bucket.tokens = burst_;
  } else if (now > bucket.filled) {
    const double seconds = std::chrono::duration<double>(now - bucket.filled).count();
    bucket.tokens = std::min(burst_, bucket.tokens + seconds * rate_);
  }
  bucket.filled = std::max(bucket.filled, now);
  if (bucket.tokens >= cost) {
    bucket.tokens -= cost;
    return true;
  }
  if (bucket.left_out++ == 0) bucket.first_left_out = now;
  return false;
}

std::vector<LogLimit::LeftOut> LogLimit::take_left_out(Instant now) {
  std::vector<LeftOut> out;
  for (auto& [message, bucket] : buckets_) {
    if (bucket.left_out == 0 || now - bucket.first_left_out < kTellAfter) continue;
    out.push_back({message, bucket.left_out});
    bucket.left_out = 0;
  }
  std::sort(out.begin(), out.end(), [](const LeftOut& a, const LeftOut& b) { return a.message < b.message; });
  return out;
}

}  // namespace sluice::app
