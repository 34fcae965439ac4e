"""A terminal to run programs in and to look at: tmux."""

import os
import re
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds; for what takes milliseconds


class Terminal:
    """One tmux server with a shell in it; ends with the block."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows

    def __enter__(self) -> "Terminal":
        self.folder = tempfile.TemporaryDirectory()
        self.tmux("new-session", "-d", "-x", str(self.columns), "-y", str(self.rows), "exec env -i TERM=$TERM PATH=$PATH PS1='$ ' bash --norc --noprofile")
        try:
            self.until(lambda lines: lines[0].startswith("$"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.tmux("kill-server")
        self.folder.cleanup()

    def tmux(self, *words: str) -> str:
        environment = {**os.environ, "TMUX": "", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(["tmux", "-f", "/dev/null", "-S", f"{self.folder.name}/socket", *words], capture_output=True, text=True, timeout=PATIENCE, env=environment, check=True)
        return done.stdout

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def run(self, command: str) -> None:
        self.tmux("send-keys", "-l", command)
        self.type("Enter")

    def lines(self) -> list[str]:
        return self.tmux("capture-pane", "-p").split("\n")[: self.rows]

    def until(self, seen) -> list[str]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            lines = self.lines()
            if seen(lines):
                return lines
            time.sleep(0.05)
        raise AssertionError("not seen in time; on the screen is:\n" + "\n".join(lines))

    def is_alternate(self) -> bool:
        return self.tmux("display-message", "-p", "#{alternate_on}#{cursor_flag}").strip() == "10"

    def resize(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))


def starts(header: str) -> list[int]:
    """Where columns begin; a title may have one blank in it."""
    return [found.start() for found in re.finditer(r"(?<!\S)(?<!\S )\S", header)]
