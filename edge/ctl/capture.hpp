#pragma once
// `sluicectl capture`: a session's packets in a file that Wireshark reads.

#include "edge/ctl/command.hpp"

namespace sluice::ctl {

class CaptureCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.capture/1"}; }

 private:
  vici::Message order() const;

  std::string session_, out_ = "sluice-capture.pcapng";
  std::vector<std::string> points_{"esp", "l2tp", "ppp"};
  std::uint64_t seconds_ = 30, packets_ = 10'000, bytes_ = 16 << 20;
};

}  // namespace sluice::ctl
