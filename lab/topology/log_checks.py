"""The log's levels at run time."""

import json

from . import report
from .lab import Lab
from .report import demand

PATIENCE = 30


def levels(lab: Lab) -> str:
    """`sluicectl log` silences one module for a second, and it comes back by itself; every line has an id."""
    log = lab.edge.log
    log.wait(r"debug sluice-edge: \[placement\.load\] ", PATIENCE, log.mark())
    mark = log.mark()
    rows = json.loads(lab.edge.ctl("--json", "log", "placement", "info", "--for", "5m"))["modules"]
    demand(rows[0]["level"] == "info" and rows[0]["configured"] == "debug" and 0 < rows[0]["seconds_left"] <= 300, f"sluicectl log says {rows}")
    lab.edge.ctl("log", "placement", "info", "--for", "1s")
    log.wait(r"\[log\.level-back\] .*module=placement level=debug", PATIENCE, mark)
    log.wait(r"\[placement\.load\] ", PATIENCE, log.mark())
    lines = log.since(mark)
    first, last = (next(number for number, line in enumerate(lines) if f"[{word}]" in line) for word in ("log.level-set", "log.level-back"))
    between = [line for line in lines[first + 1 : last] if "debug sluice-edge: [placement." in line]
    demand(not between, f"a line of a module that is silenced: {between[:1]}")
    without = [line for line in log.lines if " sluice-edge: " in line and " sluice-edge: [" not in line]
    demand(not without, f"a line without an id: {without[:1]}")
    report.good("sluicectl log silenced a module for a second; every line has an id")
    return "a module silenced and back"
