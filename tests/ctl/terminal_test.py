#!/usr/bin/python3
"""Tables and `sluicectl top` in terminals of several sizes, by tmux: nothing is too long, all is aligned, the screen is restored."""

import os
import re
import shlex
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import CTL, PATIENCE, FakeEdge
from terminal import Terminal, starts

SIZES = ((80, 24), (200, 50), (40, 10), (20, 4))


class Tables(unittest.TestCase):
    def shown(self, edge: FakeEdge, words: list[str], columns: int) -> list[str]:
        """Through a pseudo-terminal of that width."""
        with tempfile.TemporaryDirectory() as folder:
            command = " ".join(shlex.quote(word) for word in [CTL, "--socket", edge.socket, *words])
            script = f"stty cols {columns} rows 24; {command} 2>/dev/null"
            subprocess.run(["script", "-qec", script, f"{folder}/out"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=PATIENCE, env={**os.environ, "TERM": "xterm", "NO_COLOR": "1"}, check=True)
            text = Path(f"{folder}/out").read_text(encoding="utf-8")
        return [line.rstrip("\r") for line in text.split("\n") if not line.startswith("Script ") and line.strip()]

    def test_fit_and_are_aligned(self) -> None:
        with FakeEdge() as edge:
            for words in (["sessions"], ["tunnels"], ["backends"], ["peers"], ["peers", "--sas"], ["drops"], ["drains"]):
                for columns in (40, 80, 120, 200):
                    with self.subTest(words=words, columns=columns):
                        lines = self.shown(edge, words, columns)
                        self.assertGreater(len(lines), 1)
                        for line in lines:
                            self.assertLessEqual(len(line), columns, line)
                        # Between two columns there is nothing but blanks in all rows.
                        for column in starts(lines[0])[1:]:
                            self.assertTrue(any(all(line[at : at + 2].strip() == "" for line in lines) for at in range(max(0, column - 40), column)), lines)

    def test_colour_is_for_terminals_that_want_it(self) -> None:
        with FakeEdge() as edge, tempfile.TemporaryDirectory() as folder:
            for extra, coloured in (({"TERM": "xterm"}, True), ({"TERM": "xterm", "NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
                environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "TERM")} | extra
                subprocess.run(["script", "-qec", f"{CTL} --socket {edge.socket} backends", f"{folder}/out"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, timeout=PATIENCE, env=environment, check=True)
                self.assertEqual(coloured, "\x1b[" in Path(f"{folder}/out").read_text(encoding="utf-8"), extra)
            self.assertNotIn("\x1b", edge.ctl("backends").stdout)


class Top(unittest.TestCase):
    def begin(self, terminal: Terminal, edge: FakeEdge, interval: str = "0.2") -> list[str]:
        terminal.run(f"echo before; {CTL} --socket {edge.socket} top --interval {interval}; echo code $?")
        return terminal.until(lambda lines: terminal.is_alternate() and lines[0].startswith("edge1  ready"))

    def ends(self, terminal: Terminal, code: int) -> None:
        """The shell's screen is back, with what stood there, a cursor, and keys that are echoed."""
        terminal.until(lambda lines: f"code {code}" in lines)
        self.assertIn("before", terminal.lines())
        self.assertEqual("01", terminal.tmux("display-message", "-p", "#{alternate_on}#{cursor_flag}").strip())
        terminal.run("stty -a | tr ' ;' '\\n' | grep -cxE 'echo|icanon'")
        terminal.until(lambda lines: "2" in lines)

    def test_fits_every_size(self) -> None:
        with FakeEdge("--moving") as edge:
            for columns, rows in SIZES:
                with self.subTest(columns=columns, rows=rows), Terminal(columns, rows) as terminal:
                    lines = self.begin(terminal, edge)
                    self.assertLessEqual(len(lines), rows)
                    for line in lines:
                        self.assertLessEqual(len(line), columns)
                    if columns >= 80:
                        self.rates_are_shown(terminal)
                    terminal.type("q")
                    terminal.until(lambda _: not terminal.is_alternate())

    def rates_are_shown(self, terminal: Terminal) -> None:
        def busiest(lines: list[str]) -> str:
            header = next((at for at, line in enumerate(lines) if line.startswith("USER")), len(lines))
            return lines[header + 1] if header + 1 < len(lines) else ""

        # user11 moves the most of user3 to user11 and alice: the ports tell how much.
        lines = terminal.until(lambda lines: re.search(r"in [1-9][\d.]* [kM]bit/s", lines[2]) and re.match(r"user11 .* [1-9][\d.]* [kM]bit/s", busiest(lines)))
        self.assertIn("drops/s", lines[2])
        header = next(at for at, line in enumerate(lines) if line.startswith("USER"))
        self.assertIn("agent1", "\n".join(lines[:header]))
        rows = [line for line in lines[header:] if line.strip()]
        column = rows[0].index("AGENT")
        for row in rows[1:]:
            self.assertRegex(row[column:], r"^agent\d", rows)

    def test_keys(self) -> None:
        with FakeEdge("--moving") as edge, Terminal(100, 30) as terminal:
            self.begin(terminal, edge)
            terminal.type("d")
            terminal.until(lambda lines: lines[4].startswith("STAGE"))
            terminal.type("a")
            terminal.until(lambda lines: lines[4].startswith("NAME") and not any(line.startswith("sessions by") for line in lines))
            terminal.type("p")
            terminal.until(lambda lines: lines[4].startswith("sessions by traffic"))
            terminal.type("s")
            terminal.until(lambda lines: lines[4].startswith("sessions by in"))
            terminal.type("?")
            terminal.until(lambda lines: any("ends" in line for line in lines))
            terminal.type("o")
            terminal.until(lambda lines: lines[4].startswith("NAME"))
            terminal.type("Space")
            terminal.until(lambda lines: "PAUSED" in lines[0])
            terminal.type("Space")
            terminal.until(lambda lines: "PAUSED" not in lines[0])
            terminal.type("q")
            self.ends(terminal, 0)

    def test_keys_pressed_at_once(self) -> None:
        with FakeEdge() as edge, Terminal(100, 30) as terminal:
            self.begin(terminal, edge, "60")
            terminal.type("p", "s", "s", "s")
            terminal.until(lambda lines: lines[4].startswith("sessions by user"))
            terminal.type("d", "q")
            self.ends(terminal, 0)

    def test_a_terminal_that_changes_its_size(self) -> None:
        with FakeEdge() as edge, Terminal(80, 24) as terminal:
            self.begin(terminal, edge, "60")  # a new frame is not what draws it
            terminal.resize(160, 40)
            terminal.until(lambda lines: any("CORRELATION" in line for line in lines))
            terminal.resize(60, 12)
            terminal.until(lambda lines: not any("CORRELATION" in line for line in lines) and max(len(line) for line in lines) <= 60)
            terminal.type("q")
            terminal.until(lambda _: not terminal.is_alternate())

    def test_signals_restore_the_screen(self) -> None:
        with FakeEdge() as edge, Terminal(80, 24) as terminal:
            self.begin(terminal, edge)
            terminal.type("C-c")
            self.ends(terminal, 0)
        with FakeEdge() as edge, Terminal(80, 24) as terminal:
            self.begin(terminal, edge)
            shell = int(terminal.tmux("display-message", "-p", "#{pane_pid}"))
            child = int(Path(f"/proc/{shell}/task/{shell}/children").read_text(encoding="utf-8"))
            os.kill(child, 15)
            self.ends(terminal, 0)

    def test_is_stopped_and_goes_on(self) -> None:
        with FakeEdge() as edge, Terminal(80, 24) as terminal:
            terminal.run("set -m; echo before")
            terminal.run(f"{CTL} --socket {edge.socket} top --interval 0.2")
            terminal.until(lambda _: terminal.is_alternate())
            terminal.type("C-z")
            terminal.until(lambda lines: any("Stopped" in line for line in lines) and not terminal.is_alternate())
            terminal.run("fg")
            terminal.until(lambda lines: terminal.is_alternate() and lines[0].startswith("edge1"))
            terminal.type("q")
            terminal.until(lambda lines: not terminal.is_alternate() and "before" in lines)

    def test_a_daemon_that_restarts(self) -> None:
        with FakeEdge("--moving") as edge, Terminal(80, 24) as terminal:
            self.begin(terminal, edge)
            edge.stop()
            terminal.until(lambda lines: any(line.startswith("no answer, trying again") for line in lines))
            os.unlink(edge.socket)
            edge.start()
            terminal.until(lambda lines: not any(line.startswith("no answer") for line in lines))
            terminal.type("q")
            self.ends(terminal, 0)


if __name__ == "__main__":
    unittest.main()
