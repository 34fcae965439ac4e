"""A User Mode Linux guest: boots in a namespace, takes commands, reports what its programs say."""

import itertools
import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .network import Namespace
from .process import LineLog, Process
from .report import Failed, demand
from .runs import Run

INIT = Path(__file__).with_name("guest_init.py")
BOOT_PATIENCE = 40.0


class Guest:
    """One guest on the tap device `tap` of `namespace`. Any thread may give it commands, several at a time."""

    def __init__(self, run_: Run, name: str, namespace: Namespace, tap: str, address: str, gateway: str) -> None:
        self.name = name
        self._run = run_
        self._numbers = itertools.count(1)
        self._waiting: dict[int, dict[str, Any]] = {}
        self._changed = threading.Condition()
        self._ready = False
        self._gone = False
        self._logs: dict[str, LineLog] = {}
        request_read, self._request = os.pipe()
        answers, answer_write = os.pipe()
        self._machine = namespace.start(
            f"{name}-console",
            [
                "linux.uml", "mem=192M", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={INIT}", "con=null",
                "con0=null,fd:1", f"ssl0=fd:{request_read},fd:{answer_write}", f"vec0:transport=tap,ifname={tap},depth=128",
                f"GUEST_ADDRESS={address}", f"GUEST_GATEWAY={gateway}", "uml_dir=/run/uml", f"umid={name}", "quiet",
                "STRONGSWAN_CONF=/run/strongswan.conf",
            ],
            {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": "/run/uml", "HOME": "/run/uml"},
            (request_read, answer_write),
        )
        os.close(request_read)
        os.close(answer_write)
        threading.Thread(target=self._listen, args=(answers,), daemon=True).start()

    @property
    def console(self) -> Process:
        return self._machine

    def log_path(self, name: str) -> Path:
        return self._run.path("logs", f"{self.name}-{name}.log")

    def log(self, name: str) -> LineLog:
        """What the program started, or the file followed, under this name says."""
        with self._changed:
            if name not in self._logs:
                self._logs[name] = LineLog(self.log_path(name), f"{name} on {self.name}")
            return self._logs[name]

    def wait_ready(self) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self._ready or self._gone, BOOT_PATIENCE) or not self._ready:
                tail = " | ".join(self._machine.log.lines[-4:])
                raise Failed(f"guest {self.name} did not boot; its console ends: {tail} (log: {self._machine.log.path})")

    def command(self, op: str, patience: float = 20, **arguments: Any) -> dict[str, Any]:
        """The guest's answer to one operation of guest_init.py."""
        number = next(self._numbers)
        line = json.dumps({"id": number, "op": op, **arguments}) + "\n"
        with self._changed:
            if self._gone:
                raise Failed(f"guest {self.name} did not carry out {op}: it is gone")
            os.write(self._request, line.encode())
            answered = self._changed.wait_for(lambda: number in self._waiting or self._gone, patience + 10)
            if not answered or number not in self._waiting:
                why = "it is gone" if self._gone else f"no answer within {patience + 10:g} s"
                raise Failed(f"guest {self.name} did not carry out {op} {arguments.get('argv', '')}: {why}")
            return self._waiting.pop(number)

    def try_run(self, *argv: str, timeout: float = 20, stdin: str = "") -> tuple[int, str]:
        """Exit code, and output with what was said on standard error after it."""
        answer = self.command("run", timeout, argv=argv, timeout=timeout, input=stdin)
        return answer["rc"], answer["out"] + answer["err"]

    def run(self, *argv: str, timeout: float = 20, stdin: str = "") -> str:
        code, text = self.try_run(*argv, timeout=timeout, stdin=stdin)
        demand(code == 0, f"'{' '.join(argv)}' on {self.name} failed ({code}): {text.strip()}")
        return text

    def start(self, name: str, argv: Sequence[str], env: dict[str, str] | None = None) -> LineLog:
        log = self.log(name)
        log.ended = None  # of one that bore the name before
        self._good("start", name=name, argv=list(argv), env=env or {})
        return log

    def follow(self, name: str, path: str) -> LineLog:
        """Makes a FIFO in the guest; every line written to it appears in the log NAME."""
        log = self.log(name)
        self._good("follow", name=name, path=path)
        return log

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        self._good("write", path=path, text=text, mode=mode)

    def kill(self, name: str, number: int = 15) -> None:
        self._good("kill", name=name, signal=number)

    def destroy(self) -> None:
        self._machine.kill_group()

    def _good(self, op: str, **arguments: Any) -> None:
        answer = self.command(op, **arguments)
        demand(answer["rc"] == 0, f"{op} on {self.name} failed: {answer['err']}")

    def _listen(self, fd: int) -> None:
        with open(fd, "rb") as stream:
            for line in stream:
                try:
                    self._take(json.loads(line))
                except ValueError:
                    self._machine.log.add(f"lab: not understood from the guest: {line[:200]!r}")
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _take(self, message: dict[str, Any]) -> None:
        event = message.get("event")
        if event == "line":
            self.log(message["name"]).add(message["line"])
        elif event == "exit":
            self.log(message["name"]).end(message["rc"])
        else:
            with self._changed:
                if event == "ready":
                    self._ready = True
                else:
                    self._waiting[message["id"]] = message
                self._changed.notify_all()
