#pragma once
// Counts by a word that says why. The words are ours, but come from many places and from the other end of a
// channel: beyond kMaxCauses different ones the rest counts as "other", so that a page stays small. One
// thread.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace sluice::metrics {

class CauseCounts {
 public:
  static constexpr std::size_t kMaxCauses = 48;
  static constexpr std::size_t kLongest = 48;

  void add(std::string_view cause) {
    const auto found = counts_.find(cause);
    if (found != counts_.end()) return void(++found->second);
    const bool fits = counts_.size() < kMaxCauses && cause.size() <= kLongest && is_word(cause);
    ++counts_[fits ? std::string(cause) : "other"];
  }
  const std::map<std::string, std::uint64_t, std::less<>>& all() const { return counts_; }

 private:
  static bool is_word(std::string_view text) {
    constexpr std::string_view kAllowed =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_. ";
    return !text.empty() && text.find_first_not_of(kAllowed) == std::string_view::npos;
  }
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

}  // namespace sluice::metrics
