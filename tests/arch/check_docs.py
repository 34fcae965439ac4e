#!/usr/bin/env python3
"""Fails on a link between the project's pages that leads nowhere.

Usage: check_docs.py ROOT. Prints one line for each dead link: file:line: target.
"""
import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def pages(root: Path) -> list[Path]:
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"],
                            check=True, capture_output=True, text=True).stdout
    return [root / name for name in listed.split("\0") if name and (root / name).exists()]


def dead_links(root: Path) -> list[str]:
    problems: list[str] = []
    for page in pages(root):
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for target in LINK.findall(line):
                if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                    problems.append(f"{page.relative_to(root)}:{number}: {target}")
    return problems


def main() -> int:
    problems = dead_links(Path(sys.argv[1]))
    for problem in problems:
        print(problem)
    print(f"{len(problems)} dead links")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
