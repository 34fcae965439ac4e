#pragma once
// The balancing policies: each takes one of some agents, all of which may take the tunnel. Pure.

#include <string_view>
#include <vector>

#include "edge/placement/placement.hpp"

namespace sluice::edge {

struct Scored {
  const Candidate* agent = nullptr;
  double score = 0;
};

// None of them may be handed an empty list. Ties go to the greater weight, then to the name, so that the
// order of the list does not matter.
const Scored& least_loaded(const std::vector<Scored>& agents);
const Scored& two_choices(const std::vector<Scored>& agents, RandomSource& random);
/// Smooth weighted round robin: nobody has two turns in a row while another of like weight waits.
const Scored& round_robin(const std::vector<Scored>& agents, Turns& turns);
/// Rendezvous hashing by weight: when an agent goes, only its own clients move. Every edge gives the same
/// answer.
const Scored& identity_hash(const std::vector<Scored>& agents, std::string_view key);

}  // namespace sluice::edge
