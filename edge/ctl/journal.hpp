#pragma once
// `sluicectl events`, `sluicectl trace` and `sluicectl why`: what the edge remembers of its clients.

#include "edge/ctl/command.hpp"
#include "edge/ctl/row.hpp"

namespace sluice::ctl {

/// An entry of the journal in a sentence, as people read it; what peers chose is escaped.
std::string entry_text(const vici::Message& entry);

class EventsCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.events/1"}; }

 private:
  vici::Message arguments() const;
  int follow(const Conversation& with) const;

  bool follow_ = false;
  std::uint32_t last_ = 0;
  std::vector<std::string> kinds_;
  std::string user_, identity_, client_, agent_, correlation_;
};

class TraceCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.trace/1"}; }

 private:
  std::string who_;
  std::uint32_t last_ = 1;
};

class WhyCommand final : public Command {
 public:
  CLI::App* add_to(CLI::App& app) override;
  int run(const Conversation& with) override;
  std::vector<std::string_view> schemas() const override { return {"sluice.why/1"}; }

 private:
  std::string who_;
  std::uint32_t last_ = 5;
};

}  // namespace sluice::ctl
