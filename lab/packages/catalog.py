#!/usr/bin/env python3
"""Makes systemd's message catalogue of docs/messages.md: `journalctl -x` then says of each line what it means and what to do.

Usage: catalog.py OUTPUT-FILE
"""

import re
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "messages.md"
ROW = re.compile(r"^\| `([a-z]+\.[a-z0-9-]+)` \| [a-z, ]+ \| (.+?) \| (.+?) \| (.+?) \|$")


def message_id(name: str) -> str:
    """The journal's 128 bits for an id, as the daemons make them."""

    def fnv1a(text: str) -> int:
        hash_ = 0xCBF29CE484222325
        for byte in text.encode():
            hash_ = ((hash_ ^ byte) * 0x100000001B3) & (1 << 64) - 1
        return hash_

    high, low = fnv1a("sluice:" + name), fnv1a("sluice/" + name)
    return f"{high & ~0xF000 | 0x8000:016x}{low & ~(0xC << 60) | 0x8 << 60:016x}"


def plain(text: str) -> str:
    """Without Markdown's marks: a link is its text."""
    return re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).replace("`", "")


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?")) else ".")


def catalog(page: str) -> str:
    entries = []
    for line in page.splitlines():
        if row := ROW.match(line):
            id_, text, meaning, act = (plain(cell) for cell in row.groups())
            entries.append(
                f"-- {message_id(id_)}\nSubject: [{id_}] {text}\nDefined-By: Sluice\n"
                f"Documentation: man:sluice-edge(8) man:sluice-agent(8)\n\n{sentence(meaning)}\nWhat to do: {act}.\n"
            )
    return "\n".join(entries)


def main() -> None:
    Path(sys.argv[1]).write_text(catalog(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
