#pragma once
// A log line in words, without time, level and program.

#include <string>
#include <string_view>

#include "base/app/log.hpp"

namespace sluice::app {

/// Line ends and other controls become \xNN, so that no value forges a line; a double quote becomes a single
/// one, so that texts which quote a peer (and escaped it already) stay readable. Long ones end in "...".
std::string printable_log_value(std::string_view value);

/// "[module.what] text key=value key="two words"".
std::string format_log_line(MessageId id, MessageText text, LogFields fields);

}  // namespace sluice::app
