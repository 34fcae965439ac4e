#pragma once
// Whether a crash leaves the process's memory behind in a file.

namespace sluice::app {

/// No core dump of this process, nor of those that it starts; and nobody but root may look into its memory.
/// For processes that hold keys and passwords of others.
void forbid_core_dumps();

}  // namespace sluice::app
