"""The commands that the project's pages show, as somebody would type them."""

import re
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("sluicectl", "sluice-edge", "sluice-agent", "systemctl", "systemd-tmpfiles", "journalctl")
OURS = re.compile(r"(?:sudo )?((?:" + "|".join(PROGRAMS) + r")|(?:lab|tests)/[\w./-]+)(?= |$)")
SHELL = ("sh", "bash", "")


@dataclass(frozen=True)
class Shown:
    place: str  # file:line
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.words)


def _alternatives(words: list[str]) -> list[list[str]]:
    """ "a|b" stands for one of both."""
    for index, word in enumerate(words):
        if "|" in word:
            return [more for one in word.split("|") for more in _alternatives([*words[:index], one, *words[index + 1 :]])]
    return [words]


def commands_of(line: str) -> list[list[str]]:
    """Those of ours in a line of a shell or of a synopsis; comments and brackets apart."""
    out = []
    for part in re.split(r"&&|;|\s\|\s|\$\(|\)", re.sub(r"(^|\s)#.*", "", line)):
        bare = re.sub(r"[\[\]'\"]", "", part).strip().removeprefix("$ ")
        found = OURS.match(bare)
        if found:
            words = [word for word in bare[found.start(1) :].split() if word not in ("…", "...", "\\") and not word.startswith((">", "<", "2>"))]
            out += _alternatives(words)
    return out


def shown_in(page: Path, name: str) -> list[Shown]:
    """Of fenced shell blocks, indented blocks, and code in the text."""
    out: list[Shown] = []
    fence: str | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        place = f"{name}:{number}"
        if line.startswith("```"):
            fence = None if fence is not None else line.removeprefix("```").strip()
        elif fence is not None:
            if fence in SHELL:
                out += [Shown(place, tuple(words)) for words in commands_of(line)]
        elif line.startswith("    "):
            out += [Shown(place, tuple(words)) for words in commands_of(line)]
        else:
            for code in re.findall(r"`([^`]+)`", line):
                out += [Shown(place, tuple(words)) for words in commands_of(code)]
    return out
