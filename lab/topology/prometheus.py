"""A real Prometheus beside the edge, with the shipped alert rules, only more impatient."""

import json
import re
import shutil
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from . import network
from .lab import Lab
from .process import Process, eventually, run
from .product import PROJECT
from .report import Failed, demand

SAMPLES = PROJECT / "docs" / "samples" / "prometheus"
PORT = 9464
EDGE = f"127.0.0.1:{PORT}"  # as reached from the edge itself
EDGE_SETTINGS = f'\n[metrics]\nlisten = "{EDGE}"\n'
AGENT_SETTINGS = f'\n[metrics]\nlisten = "0.0.0.0:{PORT}"\n'
OWN = "127.0.0.1:9090"
# Run in the edge's namespace: status and body of each address given, as JSON.
FETCH = """
import json, sys, urllib.error, urllib.request
def fetch(url):
    try:
        answer = urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError as refusal:
        answer = refusal
    return answer.status, answer.read().decode()
print(json.dumps([fetch(url) for url in sys.argv[1:]]))
"""


def targets(lab: Lab) -> dict[str, str]:
    """Name and address of each daemon that serves metrics, as the edge reaches it."""
    return {"edge": EDGE} | {agent.name: f"{network.agent_core(agent.number)}:{PORT}" for agent in lab.agents}


def fetch(lab: Lab, *pages: str) -> list[tuple[int, str]]:
    """Status and body of each "address:port/path"."""
    said = lab.spaces["edge"].run(["python3", "-c", FETCH, *(f"http://{page}" for page in pages)])
    return [(status, body) for status, body in json.loads(said)]


def config(lab: Lab) -> str:
    """The shipped one with the lab's addresses and shorter times."""
    text = (SAMPLES / "prometheus.yml").read_text()
    text = re.sub(r"(scrape|evaluation)_interval: \w+", r"\1_interval: 1s", text)
    places = targets(lab)
    edges = json.dumps([places.pop("edge")])
    agents = json.dumps(list(places.values()))
    text, first = re.subn(r'targets: \["edge1[^\]]*\]', f"targets: {edges}", text)
    text, second = re.subn(r'targets: \["agent1[^\]]*\]', f"targets: {agents}", text)
    demand(first == 1 and second == 1, "prometheus.yml no longer has the two lists of targets that the lab puts its own into")
    return text


class Prometheus:
    def __init__(self, lab: Lab) -> None:
        demand(shutil.which("prometheus") is not None, "prometheus is missing: lab/install lab installs it")
        self._lab = lab
        self._space = lab.spaces["edge"]
        rules = re.sub(r"\bfor: \w+", "for: 1s", (SAMPLES / "sluice-alerts.yml").read_text())
        lab.run.write("prometheus/sluice-alerts.yml", rules)
        file = lab.run.write("prometheus/prometheus.yml", config(lab))
        self.process: Process = self._space.start(
            "prometheus",
            ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={file.parent / 'data'}", f"--web.listen-address={OWN}", "--log.level=warn"],
        )
        lab.processes.append(self.process)

    def ask(self, *paths: str) -> list[Any]:
        answers = fetch(self._lab, *(OWN + path for path in paths))
        for path, (status, body) in zip(paths, answers):
            if status != 200:
                raise Failed(f"Prometheus says {status} to {path}: {body.strip()}")
        return [json.loads(body)["data"] for _, body in answers]

    def untrue(self, expressions: Iterable[str]) -> list[str]:
        """Those that have no result."""
        wanted = list(expressions)
        answers = self.ask(*(f"/api/v1/query?query={quote(expression)}" for expression in wanted))
        return [expression for expression, answer in zip(wanted, answers) if not answer["result"]]

    def firing(self) -> set[tuple[str, str]]:
        """Alerts that fire, and the agent or instance that they are about."""
        alerts = self.ask("/api/v1/alerts")[0]["alerts"]
        return {(a["labels"]["alertname"], a["labels"].get("agent", a["labels"].get("instance", ""))) for a in alerts if a["state"] == "firing"}

    def demand_true(self, expressions: Iterable[str], timeout: float = 15) -> None:
        """Within that time all at once have a result."""
        left = list(expressions)
        try:
            eventually("", lambda: not self._untrue_yet(left), timeout, 0.3)
        except Failed:
            raise Failed(f"not true in Prometheus within {timeout:g} s: {left}") from None

    def _untrue_yet(self, left: list[str]) -> list[str]:
        try:
            left[:] = self.untrue(left)
        except Failed:  # still starting
            pass
        return left


def check_page(text: str) -> None:
    """promtool's judgement of a page."""
    said = run(["promtool", "check", "metrics"], stdin=text)
    demand(not said.strip(), f"promtool check metrics: {said.strip()}")
