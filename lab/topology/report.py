"""What the lab tells its user: one line a step; colour only on a terminal."""

import os
import sys
import threading
import time

_started = time.monotonic()
_lock = threading.Lock()


def _paint(code: str, text: str) -> str:
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def _line(mark: str, text: str) -> None:
    with _lock:
        print(f"{mark} {time.monotonic() - _started:6.1f}s  {text}", flush=True)


def step(text: str) -> None:
    _line(_paint("36", " .. "), text)


def good(text: str) -> None:
    _line(_paint("32", " ok "), text)


def bad(text: str) -> None:
    _line(_paint("31", "FAIL"), text)


def note(text: str) -> None:
    _line("    ", text)


def block(title: str, text: str) -> None:
    """A program's own output, set off from ours."""
    with _lock:
        print(_paint("1", f"     -- {title}"), flush=True)
        for line in text.rstrip("\n").split("\n"):
            print(f"        {line}", flush=True)


class Failed(Exception):
    """Something the lab demands did not hold. The text says what, where, and what was seen instead."""


def demand(condition: bool, text: str) -> None:
    if not condition:
        raise Failed(text)
