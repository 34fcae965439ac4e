#pragma once
// systemd's journal: a line with its fields apart, so that `journalctl SLUICE_ID=5f0c1d9a2b77` finds all
// lines of one client and `journalctl MESSAGE_ID=...` all of one kind.

#include <string>
#include <string_view>
#include <vector>

#include "base/app/log.hpp"

namespace sluice::app {

/// Whether stderr is connected to the journal (sd_journal_stream: JOURNAL_STREAM names its device and inode).
bool stderr_is_journal();

/// Whether a journal takes lines on this machine.
bool journal_is_there();

/// The 128 bits, in hex, that stand for a message id in the journal; the same in each version and program.
std::string journal_message_id(std::string_view id);

/// A line as the journal takes it, NAME=value each: MESSAGE as it would be written to stderr, PRIORITY, who
/// says it, the id and its module, and each field as SLUICE_KEY. What is not printable is escaped as on
/// stderr.
std::vector<std::string> journal_entries(std::string_view program, LogLevel level, MessageId id,
                                         MessageText text, LogFields fields);

/// False if the journal did not take it.
bool send_to_journal(const std::vector<std::string>& entries);

}  // namespace sluice::app
