#!/usr/bin/env python3
"""Checks a conformance page (docs/*-conformance.md) against the tests it names.

Each row of its tables must name at least one test (`Suite.Name` of a TEST macro, or `lab/scenarios/NAME`), all of which exist, or
begin its last column with "does not apply:" and a reason.

    check_conformance.py PROJECT PAGE...
"""
import re
import sys
from pathlib import Path

TEST = re.compile(r"^[ \t]*TEST(?:_F|_P)?\(\s*(\w+)\s*,\s*(\w+)\s*\)", re.MULTILINE)
NAME = re.compile(r"`([^`]+)`")
EXEMPT = re.compile(r"does not apply: \S")


def tests_in(project: Path) -> set[str]:
    found = set()
    for source in (project / "tests").rglob("*.cpp"):
        found |= {f"{suite}.{name}" for suite, name in TEST.findall(source.read_text(encoding="utf-8"))}
    return found


def rows_of(page: str) -> list[tuple[int, list[str]]]:
    """Line number and columns of each table row, without headings and rulers."""
    rows = []
    lines = page.splitlines()
    for number, line in enumerate(lines, 1):
        if not line.startswith("|") or set(line) <= set("|-: "):
            continue
        heading = number < len(lines) and set(lines[number]) <= set("|-: ") and "-" in lines[number]
        if not heading:
            rows.append((number, [column.strip() for column in line.strip().strip("|").split("|")]))
    return rows


def check(project: Path, page: Path) -> list[str]:
    known = tests_in(project)
    problems = []
    rows = rows_of(page.read_text(encoding="utf-8"))
    if not rows:
        problems.append(f"{page}: no table")
    for number, columns in rows:
        shown_by = columns[-1]
        names = NAME.findall(shown_by)
        if not names and not EXEMPT.match(shown_by):
            problems.append(f"{page}:{number}: names neither a test nor a reason ('does not apply: ...')")
        for name in names:
            exists = (project / name).exists() if "/" in name else name in known
            if not exists:
                problems.append(f"{page}:{number}: there is no test {name}")
    return problems


def main() -> int:
    project = Path(sys.argv[1])
    problems = [problem for page in sys.argv[2:] for problem in check(project, Path(page))]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
