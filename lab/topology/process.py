"""Child processes whose output is kept in a log file and can be waited upon line by line."""

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from .report import Failed


class LineLog:
    """The lines a program has said so far: written to a file, and awaited by pattern."""

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.path = path
        self.lines: list[str] = []
        self.ended: int | None = None
        self._changed = threading.Condition()
        self._file = open(path, "a", encoding="utf-8", buffering=1)

    def add(self, line: str) -> None:
        with self._changed:
            self.lines.append(line)
            self._file.write(f"{time.strftime('%H:%M:%S')}.{int(time.time() * 1000) % 1000:03d} {line}\n")
            self._changed.notify_all()

    def end(self, code: int) -> None:
        with self._changed:
            self.ended = code
            self._changed.notify_all()

    def mark(self) -> int:
        """A place in the log: what is said later comes after it."""
        return len(self.lines)

    def since(self, mark: int) -> list[str]:
        return self.lines[mark:]

    def find(self, pattern: str, mark: int = 0) -> re.Match[str] | None:
        return next(filter(None, (re.search(pattern, line) for line in self.lines[mark:])), None)

    def wait(self, pattern: str, timeout: float, mark: int = 0, failure: str | None = None) -> re.Match[str]:
        """The first line since `mark` that matches. Fails at the timeout, at a line that matches `failure`, and when the program ends."""
        deadline = time.monotonic() + timeout
        seen = mark
        with self._changed:
            while True:
                while seen < len(self.lines):
                    line = self.lines[seen]
                    seen += 1
                    if found := re.search(pattern, line):
                        return found
                    if failure and re.search(failure, line):
                        raise Failed(f"{self.name} said: {line.strip()} (log: {self.path})")
                if self.ended is not None:
                    raise Failed(f"{self.name} ended with code {self.ended} before it said /{pattern}/ (log: {self.path})")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise Failed(f"{self.name} did not say /{pattern}/ within {timeout:g} s (log: {self.path})")
                self._changed.wait(left)


class Process:
    """A program in the lab. It dies with the lab; its output goes to LOG and to `log`."""

    def __init__(self, name: str, argv: Sequence[str], log: Path, env: dict[str, str] | None = None, pass_fds: Sequence[int] = ()) -> None:
        self.name = name
        self.log = LineLog(log, name)
        self._popen = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            pass_fds=pass_fds,
            start_new_session=True,  # Ctrl-C is for the lab, which then ends them in order
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._popen.pid

    def alive(self) -> bool:
        return self._popen.poll() is None

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            self.log.add(line.decode(errors="replace").rstrip())
        self.log.end(self._popen.wait())

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self.alive():
            self._popen.send_signal(number)

    def kill_group(self) -> None:
        try:
            os.killpg(self._popen.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def wait(self, timeout: float) -> int:
        """Its exit code, once its last words are in the log too."""
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not end within {timeout:g} s") from None
        self._reader.join(2)  # a child of its own may hold the pipe open for longer
        return code

    def stop(self, timeout: float = 5) -> None:
        """SIGTERM, then SIGKILL for it and its children."""
        self.kill(signal.SIGTERM)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.log.add(f"lab: {self.name} did not end within {timeout:g} s after SIGTERM: SIGKILL")
        self.kill_group()


def run(argv: Sequence[str], timeout: float = 20, stdin: str = "") -> str:
    """Runs a short command; its output, or Failed with what it said."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"'{' '.join(argv)}' did not end within {timeout:g} s") from None
    except OSError as error:
        raise Failed(f"'{argv[0]}' cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        raise Failed(f"'{' '.join(argv)}' failed ({done.returncode}): {(done.stderr or done.stdout).strip()}")
    return done.stdout


def eventually(what: str, check: Callable[[], object], timeout: float, pause: float = 0.1) -> object:
    """For the few states that nothing announces: asks until the answer is true."""
    deadline = time.monotonic() + timeout
    while not (answer := check()):
        if time.monotonic() > deadline:
            raise Failed(f"not seen within {timeout:g} s: {what}")
        time.sleep(pause)
    return answer
