#!/usr/bin/env python3
"""Fails on a command in the project's pages that its program would not take, or that no test runs.

Usage: check_commands.py ROOT FOLDER-OF-PROGRAMS [--table]
Of ours (sluicectl, sluice-edge, sluice-agent) every subcommand and option must be in the real program's --help, and a test must run it with each option.
Of the lab's and the tests' own, the file must be there and know the option. Of systemd's, a test must run the same words. --table prints which test runs what.
"""
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "lab" / "packages"))

import check_docs  # noqa: E402
import shown  # noqa: E402
from pages import Command, read_command  # noqa: E402

OURS = ("sluicectl", "sluice-edge", "sluice-agent")
# Where tests run commands. The suite runs every file of these.
CORPUS = ("tests/unit/edge_admin", "tests/unit/edge_init", "tests/unit/edge_config", "tests/unit/agent", "tests/unit/config", "tests/ctl", "tests/broken", "tests/e2e", "lab/topology", "lab/scenarios")
# What no test can run as it stands, and why.
EXEMPT = {
    "systemctl edit": "opens an editor",
    "journalctl": "reads the machine's own journal, which a test's machine does not have",
    "tests/bench/run": "takes minutes on an idle machine",
    "tests/bench/ike": "takes minutes on an idle machine",
    "tests/run": "it runs this",
}
PLACEHOLDER = re.compile(r"[A-Z][A-Z0-9-]*|<.*>")


@dataclass(frozen=True)
class Source:
    name: str
    text: str
    prefix: str  # a subcommand that the file's own helper puts in front of all words


def corpus(root: Path) -> list[Source]:
    out = []
    for folder in CORPUS:
        for file in sorted((root / folder).glob("*")):
            if file.is_file() and file.suffix in ("", ".py", ".cpp"):
                text = file.read_text(encoding="utf-8", errors="replace")
                implied = re.search(r'words\.insert\(words\.begin\(\), "([\w-]+)"\)', text)
                out.append(Source(str(file.relative_to(root)), text, implied[1] if implied else ""))
    return out


def parsed(command: Command, words: Iterable[str], root: Command) -> tuple[list[str], list[str], str | None]:
    """Subcommands, options, and what the program would not take."""
    path: list[str] = []
    options: list[str] = []
    takes_value = False
    for word in words:
        known = {name: value for name, _, value in (*command.options, *root.options)}
        below = {sub.words[-1]: sub for sub in command.subcommands}
        name, equals, _ = word.partition("=")
        if takes_value and (word == "-" or not word.startswith("-")):
            takes_value = False
        elif name.startswith("-"):
            if name not in known:
                return path, options, f"no option {name}"
            options.append(name)
            takes_value = known[name] and not equals
        elif word in below:
            command = below[word]
            path.append(word)
        elif command.subcommands and not PLACEHOLDER.fullmatch(word):
            return path, options, f"no subcommand {word}"
        elif not command.positionals and not command.subcommands:
            return path, options, f"takes no '{word}'"
    return path, options, None


def runs(source: Source, path: list[str], options: list[str]) -> bool:
    """Whether it has these words beside each other at the beginning of a list of strings, and each option somewhere."""
    words = path[1:] if source.prefix and path[:1] == [source.prefix] else path
    if source.prefix and not words:
        together = bool(path)
    else:
        beside = r",\s*".join(f'"{re.escape(word)}"' for word in words)
        together = bool(words) and re.search(rf'(?:[({{\[]|"sluicectl",|"--json",|"-j",)\s*{beside}(?!\])', source.text) is not None
    return together and all(f'"{option}"' in source.text or f'"{option}=' in source.text for option in options)


def judge_ours(tree: Command, words: tuple[str, ...], sources: list[Source]) -> tuple[str | None, str]:
    path, options, fault = parsed(tree, words[1:], tree)
    if fault:
        return fault, ""
    if words[0] != "sluicectl":
        found = next((source.name for source in sources if words[0].removeprefix("sluice-") in source.text and all(f'"{option}"' in source.text for option in options)), "")
        return (None, found) if found or not options else (f"no test runs {words[0]} with {' '.join(options)}", "")
    if not path:
        return None, "-"
    alone = next((source.name for source in sources if runs(source, path, options)), "")
    if alone:
        return None, alone
    each = [next((source.name for source in sources if runs(source, path, [option])), None) for option in options]
    if options and None not in each:
        return None, ", ".join(dict.fromkeys(name for name in each if name))
    missing = [option for option, name in zip(options, each) if name is None]
    return f"no test runs sluicectl {' '.join(path)}{' with ' + ' '.join(missing) if missing else ''}", ""


def judge_project(root: Path, words: tuple[str, ...]) -> str | None:
    file = root / words[0]
    if file.is_dir() or "NAME" in words[0] or "." in file.name:
        return None
    if file.with_suffix(".cpp").exists() and not file.exists():
        return None
    if not os.access(file, os.X_OK):
        return "there is no such program"
    text = file.read_text(encoding="utf-8")
    if words[0] == "lab/run" and len(words) > 1:
        scenario = root / "lab" / "scenarios" / words[1]
        if words[1] != "NAME" and not scenario.exists():
            return f"there is no scenario {words[1]}"
        text += scenario.read_text(encoding="utf-8") if scenario.exists() else ""
    text += "".join(more.read_text(encoding="utf-8") for folder in ("lab/topology", "tests/e2e") for more in (root / folder).glob("*.py"))
    missing = [word for word in words if word.startswith("--") and f'"{word}"' not in text and word not in text]
    return f"no option {missing[0]}" if missing else None


def judge_foreign(words: tuple[str, ...], sources: list[Source]) -> tuple[str | None, str]:
    bare = [word for word in words if not word.startswith("-") or word in ("--now", "--create")]
    if len(bare) < 3 and words[0] == "systemctl":
        return None, "-"  # half a command, in a sentence
    plain = " ".join(words)
    for source in sources:
        listed = re.search(r'",\s*"'.join(re.escape(word) for word in bare[:2]), source.text)
        if plain in source.text or (listed and bare[-1] in source.text):
            return None, source.name
    return "no test runs it", ""


def judge(root: Path, trees: dict[str, Command], words: tuple[str, ...], sources: list[Source]) -> tuple[str | None, str]:
    for known, why in EXEMPT.items():
        if " ".join(words).startswith(known):
            return None, f"({why})"
    if words[0] in OURS:
        return judge_ours(trees[words[0]], words, sources)
    if "/" in words[0]:
        return judge_project(root, words), "tests/run"
    return judge_foreign(words, sources)


def main() -> int:
    root, programs = Path(sys.argv[1]), Path(sys.argv[2])
    trees = {name: read_command(programs / name, []) for name in OURS}
    sources = corpus(root)
    problems, rows = [], {}
    for page in check_docs.pages(root):
        for command in shown.shown_in(page, str(page.relative_to(root))):
            fault, test = judge(root, trees, command.words, sources)
            if fault:
                problems.append(f"{command.place}: {command.text}: {fault}")
            rows.setdefault(command.text, test)
    if "--table" in sys.argv:
        for text, test in sorted(rows.items()):
            print(f"{text:75} {test}")
    for problem in problems:
        print(problem)
    print(f"{len(rows)} commands shown, {len(problems)} of them wrong or run by no test")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
