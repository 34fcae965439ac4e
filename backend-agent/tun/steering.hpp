#pragma once
// Which queue of a TUN device gets a packet: looked up by its destination, by the longest prefix, in the
// kernel (TUNSETSTEERINGEBPF). A bunch is looked up once. Needs CAP_BPF, or CAP_SYS_ADMIN. Thread: control.

#include <cstdint>
#include <optional>
#include <string>

#include "base/app/unique_fd.hpp"
#include "base/ip.hpp"
#include "base/result.hpp"

namespace sluice::agent {

class Steering {
 public:
  /// For the device that `queue` is one of. Until it is told more, all goes to the first queue. Errors name
  /// the step, the cause and what to do.
  static Result<Steering, std::string> attach(int queue);

  /// Packets for this network go to that queue from now on. Gives the error's text, if any.
  std::optional<std::string> set(const Prefix& prefix, std::uint32_t queue);
  void remove(const Prefix& prefix);

 private:
  explicit Steering(app::UniqueFd map) : map_(std::move(map)) {}
  app::UniqueFd map_;
};

}  // namespace sluice::agent
