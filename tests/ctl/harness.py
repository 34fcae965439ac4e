"""The real sluicectl, and a socket for it to ask."""

import os
import select
import subprocess
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PROGRAMS = Path(os.environ["SLUICE_BIN"])
CTL = str(PROGRAMS / "sluicectl")
PATIENCE = 60  # seconds; for what takes milliseconds


class FakeEdge:
    """An operations socket in a folder of its own; ends with the block."""

    def __init__(self, *wishes: str) -> None:
        self.wishes = wishes

    def __enter__(self) -> "FakeEdge":
        self.folder = tempfile.TemporaryDirectory()
        self.socket = f"{self.folder.name}/edge.sock"
        self.start()
        return self

    def start(self) -> None:
        self.process = subprocess.Popen([PROGRAMS / "fake_edge", self.socket, *self.wishes], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert ready and self.process.stdout.readline() == b"ready\n", "fake_edge does not come up"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def __exit__(self, *_) -> None:
        self.stop()
        self.folder.cleanup()

    def ctl(self, *words: str) -> subprocess.CompletedProcess:
        return ctl("--socket", self.socket, *words)


def ctl(*words: str) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if key != "SLUICE_SOCKET"}
    return subprocess.run([CTL, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, env=environment, check=False)
