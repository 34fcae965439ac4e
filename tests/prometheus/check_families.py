#!/usr/bin/env python3
"""Checks what names metrics against the catalogues in the code.

docs/metrics.md must have a row for each family; alert rules and dashboard may name only families and labels that exist; names
follow Prometheus' habits.

    check_families.py ROOT            prints what is wrong
    check_families.py ROOT --write    writes the tables of docs/metrics.md anew
"""
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path

CATALOGUES = {
    "Both": "base/metrics/common_catalogue.hpp",
    "sluice-edge": "edge/metrics/catalogue.hpp",
    "sluice-agent": "backend-agent/app/metrics_catalogue.hpp",
}
FAMILY = re.compile(r'\{\s*"(\w+)",\s*Kind::k(\w+),\s*\{([^}]*)\},\s*((?:"(?:[^"\\]|\\.)*"\s*)+)\}')
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
OURS = re.compile(r"\b((?:sluice|process)_\w+)(?:\{([^}]*)\})?")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
ALWAYS = {"job", "instance", "le"}


@dataclass(frozen=True)
class Family:
    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def families_in(text: str) -> list[Family]:
    out = []
    for name, kind, labels, help_ in FAMILY.findall(text):
        out.append(Family(name, kind.lower(), tuple(QUOTED.findall(labels)), "".join(QUOTED.findall(help_))))
    return out


def catalogue(root: Path) -> dict[str, list[Family]]:
    return {of: families_in((root / file).read_text(encoding="utf-8")) for of, file in CATALOGUES.items()}


def tables(all_: dict[str, list[Family]]) -> str:
    out = []
    for of, families in all_.items():
        out.append(f"\n## {of}\n\n| family | kind | labels | what |\n|---|---|---|---|\n")
        for family in families:
            labels = ", ".join(f"`{label}`" for label in family.labels)
            out.append(f"| `{family.name}` | {family.kind} | {labels} | {family.help} |\n")
    return "".join(out)


def conventions(families: list[Family]) -> list[str]:
    problems = []
    for family in families:
        if (family.kind == "counter") != family.name.endswith("_total"):
            problems.append(f"{family.name}: counters, and nothing else, end in _total")
        if family.kind == "histogram" and not family.name.endswith("_seconds"):
            problems.append(f"{family.name}: a histogram of durations ends in _seconds")
        if not family.help.endswith("."):
            problems.append(f"{family.name}: its help is no sentence")
        if set(family.labels) & ALWAYS:
            problems.append(f"{family.name}: Prometheus gives the labels {ALWAYS & set(family.labels)} itself")
    names = [family.name for family in families]
    problems += [f"{name}: twice in the catalogues" for name in sorted({n for n in names if names.count(n) > 1})]
    return problems


def family_of(name: str, known: dict[str, Family]) -> Family | None:
    if name in known:
        return known[name]
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    family = known.get(base)
    return family if family and family.kind == "histogram" else None


def wrong_in(expression: str, known: dict[str, Family]) -> list[str]:
    """What an expression of PromQL names that no family has."""
    problems, labels = [], set(ALWAYS)
    for name, matchers in OURS.findall(expression):
        family = family_of(name, known)
        if not family:
            problems.append(f"there is no family {name}")
            continue
        labels |= set(family.labels)
        for label in LABEL.findall(matchers):
            if label not in ALWAYS | set(family.labels):
                problems.append(f"{name} has no label {label}")
    for group in GROUPING.findall(expression):
        for label in re.findall(r"\w+", group):
            if label not in labels:
                problems.append(f"no family of this expression has the label {label}")
    return problems


def expressions_of_rules(text: str) -> list[tuple[str, str]]:
    """Alert and expression; enough YAML for our own file: `expr: one line`, or `expr: >` and indented lines."""
    out = []
    for name, first, more in re.findall(r"- alert: (\w+)\n +expr: (.*)\n((?: {10,}.*\n)*)", text):
        out.append((name, more if first.strip() == ">" else first))
    return out


def overlaps(panels: list[dict]) -> list[str]:
    problems = []
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            problems.append(f"panel \"{panel['title']}\" is wider than the page")
        for cell in ((x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])):
            if cell in taken and taken[cell] != panel["title"]:
                problems.append(f"panels \"{panel['title']}\" and \"{taken[cell]}\" overlap")
                break
            taken[cell] = panel["title"]
    return problems


def wrong_in_dashboard(dashboard: dict, known: dict[str, Family]) -> list[str]:
    panels = dashboard["panels"]
    problems = overlaps(panels)
    if len({panel["id"] for panel in panels}) != len(panels):
        problems.append("two panels have one id")
    for panel in panels:
        for target in panel.get("targets", []):
            problems += [f"panel \"{panel['title']}\": {problem}" for problem in wrong_in(target["expr"], known)]
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                if not re.search(rf"\b{label}\b", target["expr"]) and label not in ALWAYS | {name for f in known.values() for name in f.labels}:
                    problems.append(f"panel \"{panel['title']}\": its legend has a label {label}, which nothing has")
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            problems += wrong_in(variable["query"]["query"], known)
    return problems


def check(root: Path) -> list[str]:
    all_ = catalogue(root)
    families = [family for of in all_.values() for family in of]
    known = {family.name: family for family in families}
    problems = [f"{file}: no family is found in it" for of, file in CATALOGUES.items() if not all_[of]]
    problems += conventions(families)
    if tables(all_) not in (root / "docs" / "metrics.md").read_text(encoding="utf-8"):
        problems.append("docs/metrics.md: its tables are not the catalogues': tests/prometheus/check_families.py . --write mends it")
    samples = root / "docs" / "samples" / "prometheus"
    rules = expressions_of_rules((samples / "sluice-alerts.yml").read_text(encoding="utf-8"))
    if not rules:
        problems.append("sluice-alerts.yml: no rule is found in it")
    for name, expression in rules:
        problems += [f"alert {name}: {problem}" for problem in wrong_in(expression, known)]
    problems += wrong_in_dashboard(json.loads((samples / "sluice-dashboard.json").read_text(encoding="utf-8")), known)
    return problems


def write(root: Path) -> None:
    page = root / "docs" / "metrics.md"
    text = page.read_text(encoding="utf-8")
    head = text[: text.index("\n## Both\n")] if "\n## Both\n" in text else text
    page.write_text(head + tables(catalogue(root)), encoding="utf-8")


def main() -> int:
    root = Path(sys.argv[1])
    if "--write" in sys.argv:
        write(root)
    problems = check(root)
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
