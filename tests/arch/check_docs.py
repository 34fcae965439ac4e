#!/usr/bin/env python3
"""Fails on a link between the project's pages that leads nowhere: a file that is not there, or a heading that its page does not have.

Usage: check_docs.py ROOT. Prints one line for each dead link: file:line: target.
"""
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")
CODE = re.compile(r"`[^`]*`")


def pages(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
                            check=True, capture_output=True, text=True).stdout
    return [root / name for name in listed.split("\0") if name and (root / name).exists()]


def text_lines(page: Path) -> list[tuple[int, str]]:
    """Lines outside of fenced blocks, numbered."""
    out, fenced = [], False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            fenced = not fenced
        elif not fenced:
            out.append((number, line))
    return out


def anchor_of(heading: str) -> str:
    """As GitHub makes it of a heading."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


@cache
def anchors(page: Path) -> frozenset[str]:
    seen: dict[str, int] = {}
    out: set[str] = set()
    for _, line in text_lines(page):
        if heading := re.match(r"#{1,6}\s+(.*)", line):
            name = anchor_of(heading[1])
            out.add(f"{name}-{seen[name]}" if name in seen else name)
            seen[name] = seen.get(name, 0) + 1
    return frozenset(out)


def dead(page: Path, target: str, anchor: str | None) -> bool:
    if "://" in target or target.startswith("mailto:"):
        return False
    file = page.parent / target if target else page
    if not file.exists():
        return True
    return anchor is not None and file.suffix == ".md" and anchor not in anchors(file)


def dead_links(root: Path) -> list[str]:
    problems: list[str] = []
    for page in pages(root):
        for number, line in text_lines(page):
            for target, anchor in LINK.findall(CODE.sub("", line)):
                if dead(page, target, anchor or None):
                    problems.append(f"{page.relative_to(root)}:{number}: {target}{'#' + anchor if anchor else ''}")
    return problems


def main() -> int:
    problems = dead_links(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} dead links")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
