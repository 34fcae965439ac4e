#pragma once
// What a cause means for whoever dialled, and what its operator does about it. One table.

#include <string_view>

#include "edge/journal/entry.hpp"

namespace sluice::edge {

struct CauseAdvice {
  std::string_view cause;
  unsigned error = 0;       ///< that Windows shows where the entry does not say; 0: none
  std::string_view words;   ///< in place of the other side's own text; empty: that
  std::string_view advice;  ///< empty: nothing is to be done
};

/// The row of the entry's cause; an empty one where there is none.
const CauseAdvice& advice_for(const JournalEntry& entry);
/// The number that its user saw; 0: none.
unsigned error_of(const JournalEntry& entry);
/// What happened in a sentence: our words for the cause, with what the other side said behind them.
std::string words_of(const JournalEntry& entry);

}  // namespace sluice::edge
