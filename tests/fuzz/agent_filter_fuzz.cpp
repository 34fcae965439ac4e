// link: sluice_agent_filter
// Bytes as a packet of a filtered session, and as a rule.
#include <cstdlib>

#include "backend-agent/filter/filter.hpp"

using namespace sluice;

namespace {

agent::Filter made_of(std::initializer_list<const char*> lines) {
  std::vector<agent::FilterRule> rules;
  for (const char* line : lines) rules.push_back(agent::parse_filter_rule(line).value());
  return agent::Filter(std::move(rules));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const agent::Filter strict = made_of(
      {"deny tcp 10.0.0.0/8 22", "deny udp 2001:db8::/33 53", "allow icmp any", "allow tcp any 1-1023"});
  static const agent::Filter open = made_of({"allow any"});
  const Bytes packet(data, size);
  for (const bool up : {true, false}) {
    // What passes the strict one is at least IP, which is all that the open one asks for.
    if (strict.passes(packet, up) && !open.passes(packet, up)) std::abort();
  }
  const auto rule = agent::parse_filter_rule(as_text(packet));
  if (rule) agent::Filter({*rule}).passes(packet, true);
  return 0;
}
