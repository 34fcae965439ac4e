"""lab/run: finds a scenario by name and becomes it."""

import os
import re
import signal
import sys
from pathlib import Path

from . import setup
from .scenario import need_root

SCENARIOS = Path(__file__).resolve().parents[1] / "scenarios"


def describe(name: str) -> str:
    """The first line of the docstring of the check that the scenario uses."""
    text = (SCENARIOS / name).read_text()
    own = re.search(r'def check.*?"""(.*?)"""', text, re.S)
    if own:
        return own[1]
    used = re.search(r"(\w+)\.(\w+)(?:, [^()]*)?\)\s*$", text)
    if used:
        module = (Path(__file__).with_name(used[1] + ".py")).read_text()
        found = re.search(rf'def {used[2]}\(.*?"""(.*?)"""', module, re.S)
        if found:
            return found[1]
    return ""


def main() -> int:
    names = sorted(path.name for path in SCENARIOS.iterdir() if os.access(path, os.X_OK))
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # "| head" is no error
        print("usage: lab/run NAME\n\nscenarios:")
        for name in names:
            print(f"  {name:<22} {describe(name)}")
        return 0 if len(sys.argv) > 1 else 2
    name = sys.argv[1]
    if name not in names:
        print(f"there is no scenario '{name}'; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    need_root(f"lab/run {name}")
    setup.ready(product=name != "reference")
    os.execv(SCENARIOS / name, [str(SCENARIOS / name), *sys.argv[2:]])


if __name__ == "__main__":
    sys.exit(main())
