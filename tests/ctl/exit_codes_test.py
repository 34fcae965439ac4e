#!/usr/bin/python3
"""Exit codes, standard error, pipes: what scripts rely on, for each command."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import unittest

from harness import CTL, PATIENCE, FakeEdge, ctl

OK, FAILED, USAGE, UNREACHABLE, PARTIAL = range(5)
# Commands that ask the daemon: each must tell when there is none.
ASKING = [
    ["sessions"], ["tunnels"], ["backends"], ["peers"], ["peers", "--sas"], ["drops"], ["drains"], ["ready"], ["stats"], ["version"],
    ["probe", "backend", "agent1"], ["probe", "ike"], ["explain", "placement", "bob"], ["drain", "agent", "agent1"], ["drain", "edge"],
    ["drain", "edge", "--undo"], ["top", "--once"], ["top", "--json"],
]  # fmt: skip
# And those that the socket of these tests does not serve, or that go on.
MORE = [
    ["events"], ["events", "--follow"], ["trace", "alice"], ["why", "alice"], ["kick", "--all", "--yes"], ["capture", "alice"],
    ["log"], ["log", "ike", "debug"], ["reload"], ["reload", "--dry-run"],
]  # fmt: skip
PATIENT = ("probe", "reload", "capture")  # they give the daemon more time than --timeout says


def leaves(command: dict, words: tuple = ()) -> list[tuple]:
    below = [leaf for each in command["commands"] for leaf in leaves(each, (*words, each["name"]))]
    return below or [words]


class ExitCodes(unittest.TestCase):
    def says(self, code: int, done: subprocess.CompletedProcess, text: str = "") -> None:
        self.assertEqual(code, done.returncode, f"{done.args}: {done.stdout}{done.stderr}")
        self.assertIn(text, done.stderr)
        if code != OK:
            self.assertTrue(done.stderr.startswith("sluicectl: "), done.stderr)

    def test_ok(self) -> None:
        with FakeEdge() as edge:
            for words in [line for line in ASKING if line[0] != "top"] + [["top", "--once", "--interval", "0.1"]]:
                with self.subTest(words):
                    self.says(OK, edge.ctl(*words))

    def test_refused(self) -> None:
        with FakeEdge() as edge:
            self.says(FAILED, edge.ctl("drain", "agent", "nobody"), "was ever connected")
            self.says(FAILED, edge.ctl("probe", "backend", "nobody"), "does not speak L2TP")

    def test_no_daemon(self) -> None:
        for words in [*ASKING, *MORE]:
            with self.subTest(words):
                self.says(UNREACHABLE, ctl("--socket", "/nonexistent/edge.sock", *words), "/nonexistent/edge.sock")

    def test_a_daemon_that_hangs(self) -> None:
        # Takes connections and never answers.
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as silent:
            silent.bind(f"{folder}/edge.sock")
            silent.listen(64)
            for words in [*ASKING, *MORE]:
                if words[0] not in PATIENT:
                    with self.subTest(words):
                        self.says(UNREACHABLE, ctl("--socket", f"{folder}/edge.sock", "--timeout", "0.2", *words))

    def test_a_daemon_that_breaks_off(self) -> None:
        for words in (["drops"], ["drops", "--json"], ["drops", "--json=lines"]):
            with FakeEdge("--cut") as edge:
                done = edge.ctl(*words)
                self.says(PARTIAL, done, "this is not all of it")
                self.assertNotEqual("", done.stdout)
                if words[-1] == "--json":
                    self.assertIn("was lost", json.loads(done.stdout)["partial"])

    def test_wrong_command_lines(self) -> None:
        for words, text in [
            ([], "subcommand"), (["sesions"], "did you mean 'sessions'"), (["sessions", "--wher", "a=b"], "--wher"), (["sessions", "--where", "usr=b"], "did you mean 'user'"),
            (["sessions", "--timeout", "soon"], "soon"), (["--json=xml", "sessions"], "xml"), (["sessions", "--socket", "tcp://localhost:1"], "tcp://"),
            (["pki", "issue", "cook", "name"], "cook"), (["drain", "agent", "agent1", "--deadline", "soon"], "--deadline"), (["top", "--interval", "0"], "--interval"),
        ]:  # fmt: skip
            with self.subTest(words):
                done = ctl(*words)
                self.says(USAGE, done, text)
                self.assertEqual("", done.stdout)

    def test_every_command_helps_with_an_example(self) -> None:
        tree = json.loads(ctl("--dump-commands").stdout)
        for words in leaves(tree):
            with self.subTest(words):
                done = ctl(*words, "--help")
                self.says(OK, done)
                self.assertRegex(done.stdout, rf"Examples?:\n  sluicectl {words[0]}\b")
                self.says(USAGE, ctl(*words, "--no-such-option"))

    def test_a_reader_that_goes_is_no_news(self) -> None:
        with FakeEdge() as edge:
            for words in (["peers", "--wide"], ["sessions", "--json=lines"], ["top", "--json=lines", "--interval", "0.1"]):
                read, write = os.pipe()
                os.close(read)  # before it begins: it may be done before we are told that it runs
                process = subprocess.Popen([CTL, "--socket", edge.socket, *words], stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE)
                os.close(write)
                self.assertEqual(b"", process.communicate(timeout=PATIENCE)[1], words)
                self.assertIn(process.returncode, (-signal.SIGPIPE, 128 + signal.SIGPIPE), words)

    def test_output_that_cannot_be_written_is_a_failure(self) -> None:
        with FakeEdge() as edge, open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([CTL, "--socket", edge.socket, "sessions"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(FAILED, done.returncode)
            self.assertIn("could not be written", done.stderr)


if __name__ == "__main__":
    unittest.main()
