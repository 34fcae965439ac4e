#!/usr/bin/env python3
"""docs/settings-edge.md and docs/settings-agent.md are what the programs print; each key of the examples is in them, and the other way round.

Usage: settings_pages.py FOLDER-OF-PROGRAMS [--write]
"""

import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLE = re.compile(r"^#? ?\[\[?([\w.]+)\]\]?")
KEY = re.compile(r"^(?:# |#)?(\w+) = ")
PAGE_TABLE = re.compile(r"^## \[\[?(\w+)\]")
LIKE_LISTEN = "listener."  # the keys of [listen] again
PAGE_KEY = re.compile(r"^\| `([\w.]+)` \|")


def keys_of(text: str, table: re.Pattern[str], key: re.Pattern[str]) -> set[str]:
    found, current = set(), ""
    for line in text.splitlines():
        if match := table.match(line):
            current = match[1]
        elif match := key.match(line):
            found.add(f"{current}.{match[1]}")
    return found


def main() -> int:
    faults = []
    for kind in ("edge", "agent"):
        page = DOCS / f"settings-{kind}.md"
        printed = subprocess.run([str(Path(sys.argv[1]) / f"sluice-{kind}"), "--settings"], capture_output=True, text=True, check=True, timeout=60).stdout
        if "--write" in sys.argv:
            page.write_text(printed)
        if page.read_text() != printed:
            faults.append(f"{page.name} is not what sluice-{kind} --settings prints; this writes it: {sys.argv[0]} FOLDER-OF-PROGRAMS --write")
        known = keys_of(printed, PAGE_TABLE, PAGE_KEY)
        shown = keys_of((DOCS / "examples" / f"{kind}.toml").read_text(), TABLE, KEY)
        faults += [f"examples/{kind}.toml has {key}, which sluice-{kind} does not know" for key in sorted(shown - known)]
        faults += [f"examples/{kind}.toml does not show {key}" for key in sorted(known - shown) if ".modules." not in key and not key.startswith(LIKE_LISTEN)]
    print("\n".join(faults))
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
