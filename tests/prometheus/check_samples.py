#!/usr/bin/env python3
"""promtool's own judgement of docs/samples/prometheus, and of how the alert rules behave (alerts_test.yml).

Usage: check_samples.py ROOT
"""
import re
import shutil
import subprocess
import sys
from pathlib import Path


def untested(rules: Path, tests: Path) -> list[str]:
    """Alerts that no test makes fire."""
    names = re.findall(r"^ +- alert: (\w+)$", rules.read_text(encoding="utf-8"), re.MULTILINE)
    text = tests.read_text(encoding="utf-8")
    return [name for name in names if f'{{alertname="{name}"}}' not in text]


def main() -> int:
    samples = Path(sys.argv[1]) / "docs" / "samples" / "prometheus"
    rules, tests = samples / "sluice-alerts.yml", Path(__file__).parent / "alerts_test.yml"
    if not shutil.which("promtool"):
        print("promtool is missing: lab/install lab installs it")
        return 1
    failed = 0
    for what in (["check", "config", str(samples / "prometheus.yml")], ["check", "rules", str(rules)], ["test", "rules", str(tests)]):
        failed |= subprocess.run(["promtool", *what], check=False).returncode
    for name in untested(rules, tests):
        print(f"{tests.name}: no test makes {name} fire")
        failed = 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
