#!/usr/bin/env python3
"""Fails where docs/messages.md and the log lines in the code differ: an id that only one of them has, an id that two
places in the code use, another text, another level.

Usage: check_messages.py ROOT. Prints one line for each fault: file:line: what.
"""
import re
import sys
from dataclasses import dataclass
from pathlib import Path

FOLDERS = ("base", "proto", "vici", "edge", "backend-agent", "lab/swarm")
PAGE = "docs/messages.md"
LEVELS = ("debug", "info", "warning", "error")

# The compiler sees to it that each call has an id and a text, both literals. A level that is an expression stands between.
CALL = re.compile(r"\b(log_(?:debug|info|warning|error)|log|write)\(([^\";{}]*?)\"([a-z]+\.[a-z0-9-]+)\",\s*((?:\"(?:[^\"\\]|\\.)*\"\s*)+)")
EVERY_CALL = re.compile(r"(?<!inline void )\blog_(?:debug|info|warning|error)\(")
ROW = re.compile(r"^\| `([a-z]+\.[a-z0-9-]+)` \| ([a-z, ]+) \| (.+?) \| (.+?) \| (.+?) \|$")


@dataclass(frozen=True)
class Line:
    where: str
    levels: tuple[str, ...]  # none: an expression that names none
    text: str


def levels_of(function: str, before: str) -> tuple[str, ...]:
    if function.startswith("log_"):
        return (function.removeprefix("log_"),)
    named = {word.lower() for word in re.findall(r"LogLevel::k(\w+)", before)}
    return tuple(level for level in LEVELS if level in named)


def lines_in_code(root: Path, problems: list[str]) -> dict[str, Line]:
    found: dict[str, Line] = {}
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.[ch]pp")):
            name = file.relative_to(root).as_posix()
            source = file.read_text(encoding="utf-8")
            number = lambda at: source.count("\n", 0, at) + 1  # noqa: E731
            understood = set()
            for call in CALL.finditer(source):
                function, before, id_, literals = call.groups()
                understood.add(call.start())
                text = "".join(re.findall(r"\"((?:[^\"\\]|\\.)*)\"", literals))
                where = f"{name}:{number(call.start())}"
                if id_ in found:
                    problems.append(f"{where}: {id_} is the id of {found[id_].where}, too")
                found[id_] = Line(where, levels_of(function, before), text)
            for call in EVERY_CALL.finditer(source):
                if call.start() not in understood:
                    problems.append(f"{name}:{number(call.start())}: this log line is not understood")
    return found


def rows_of_page(root: Path, problems: list[str]) -> dict[str, Line]:
    found: dict[str, Line] = {}
    page = root / PAGE
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if not line.startswith("| `"):
            continue
        where = f"{PAGE}:{number}"
        row = ROW.match(line)
        if row is None:
            problems.append(f"{where}: not a row of id, level, text, meaning and what to do")
            continue
        id_, levels, text, _, _ = row.groups()
        if id_ in found:
            problems.append(f"{where}: {id_} stands twice")
        found[id_] = Line(where, tuple(levels.split(", ")), text)
    return found


def check(root: Path) -> list[str]:
    problems: list[str] = []
    code, page = lines_in_code(root, problems), rows_of_page(root, problems)
    for id_, line in sorted(code.items()):
        row = page.get(id_)
        if row is None:
            problems.append(f"{line.where}: {id_} is missing in {PAGE}")
            continue
        if row.text != line.text:
            problems.append(f"{row.where}: {id_} says \"{line.text}\" in {line.where}")
        if len(line.levels) == 1 and row.levels != line.levels:
            problems.append(f"{row.where}: {id_} is of level {line.levels[0]} in {line.where}")
        if len(line.levels) != 1 and (len(row.levels) < 2 or not set(line.levels) <= set(row.levels)):
            problems.append(f"{row.where}: {id_} is of more than one level in {line.where}")
    for id_, row in sorted(page.items()):
        if id_ not in code:
            problems.append(f"{row.where}: no code says {id_}")
        for level in row.levels:
            if level not in LEVELS:
                problems.append(f"{row.where}: {level} is no level")
    return problems


def main() -> int:
    problems = check(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} faults in the list of messages")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
