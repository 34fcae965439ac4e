"""A run that stays up: looking into it from outside, and ending it."""

import json
import os
import signal
import socket
import sys
import threading
import time

from . import report
from .lab import Lab
from .product import BUILD
from .runs import Run, kept_runs
from .sandbox import processes_of

SOCKET = "control.sock"


def hold(lab: Lab) -> None:
    """Answers commands for guests until a signal ends the run (as Interrupted)."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(str(lab.run.path(SOCKET)))
    server.listen()
    while True:
        link, _ = server.accept()
        threading.Thread(target=_answer, args=(lab, link), daemon=True).start()


def _answer(lab: Lab, link: socket.socket) -> None:
    with link, link.makefile("r") as reader:
        try:
            wanted = json.loads(reader.readline())
            guests = {client.name: client.guest for client in lab.clients}
            code, text = guests[wanted["guest"]].try_run(*wanted["argv"], timeout=wanted["timeout"])
        except Exception as error:
            code, text = 125, f"{type(error).__name__}: {error}\n"
        link.sendall(json.dumps({"rc": code, "text": text}).encode() + b"\n")


def advice(run: Run, lab: Lab) -> str:
    return f"""The system stays up. Look at it (as root):
  lab/demo --in edge sluicectl --socket /run/sluice/edge.sock sessions
  lab/demo --in client1 swanctl --list-sas
  lab/demo --in client1 ping -c 3 10.40.0.100
  lab/demo --in agent1 ip addr
  places: {', '.join([*lab.spaces, *(client.name for client in lab.clients)])}
  logs and captures: {run.folder}
End it:
  lab/demo --stop"""


def _only_kept() -> Run:
    runs = kept_runs()
    if not runs:
        raise SystemExit("no run is kept up; start one: lab/demo --keep")
    return runs[-1]


def look(place: str, argv: list[str]) -> int:
    """Runs a command in a namespace or a guest of the latest kept run."""
    run = _only_kept()
    if place in run.made("namespaces"):
        return _in_namespace(run, place, argv)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.connect(str(run.folder / SOCKET))
        link.sendall(json.dumps({"guest": place, "argv": argv, "timeout": 60}).encode() + b"\n")
        with link.makefile("r") as reader:
            answer = json.loads(reader.readline())
    sys.stdout.write(answer["text"])
    return answer["rc"]


def _in_namespace(run: Run, place: str, argv: list[str]) -> int:
    pid = str(run.inside()["pid"])
    os.environ["PATH"] = f"{BUILD / 'bin'}:{os.environ.get('PATH', '')}"
    enter = ["nsenter", "--target", pid, "--mount", "--pid", "--uts", "--ipc", "--"]
    os.execvp("nsenter", [*enter, "nsenter", f"--net=/run/netns/{place}", "--", *argv])


def stop() -> int:
    """Ends every kept run in order."""
    runs = kept_runs()
    if not runs:
        report.note("no run is kept up")
    clean = True
    for run in runs:
        keeper = run.keeper()
        if keeper:
            os.kill(keeper, signal.SIGTERM)
        deadline = time.monotonic() + 30
        while (run.keeper() or processes_of(run)) and time.monotonic() < deadline:
            time.sleep(0.1)
        left = processes_of(run)
        clean = clean and not left
        (report.bad if left else report.good)(f"{run.ident}: " + (f"left behind: {left}" if left else "ended, nothing of it is left"))
    return 0 if clean else 1
