#!/usr/bin/python3
"""Completions and the manual page have every command and option that the program has."""

import gzip
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from harness import PATIENCE, PROGRAMS, PROJECT, ctl


def all_of(command: dict, words: tuple = ()) -> list[tuple[tuple, dict]]:
    return [(words, command), *[row for below in command["commands"] for row in all_of(below, (*words, below["name"]))]]


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        cls.out = Path(cls.folder.name)
        subprocess.run([sys.executable, PROJECT / "lab/packages/pages.py", PROGRAMS, cls.out, "1"], check=True, timeout=PATIENCE)
        cls.tree = json.loads(ctl("--dump-commands").stdout)

    @classmethod
    def tearDownClass(cls) -> None:
        cls.folder.cleanup()

    def test_manual(self) -> None:
        text = gzip.decompress((self.out / "sluicectl.1.gz").read_bytes()).decode().replace("\\-", "-")
        for words, command in all_of(self.tree):
            if words:
                self.assertIn(f".SS sluicectl {' '.join(words)}\n", text)
            for option in command["options"]:
                self.assertIn(option["name"], text, words)

    def test_bash(self) -> None:
        script = self.out / "sluicectl.bash"
        for words, command in all_of(self.tree):
            offered = self.bash_offers(script, words)
            wanted = {below["name"] for below in command["commands"]} | {each["name"] for each in command["options"] if each["name"].startswith("--")}
            self.assertEqual(set(), wanted - offered, words)

    def bash_offers(self, script: Path, words: tuple) -> set[str]:
        line = " ".join(f"'{word}'" for word in ("sluicectl", *words))
        run = f"source {script}; COMP_WORDS=({line} ''); COMP_CWORD={len(words) + 1}; _sluicectl; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, timeout=PATIENCE, check=True)
        return set(done.stdout.split())

    def test_zsh(self) -> None:
        text = (self.out / "_sluicectl").read_text(encoding="utf-8")
        subprocess.run(["zsh", "-n", self.out / "_sluicectl"], check=True, timeout=PATIENCE)
        for words, command in all_of(self.tree):
            case = text[text.index(f"    '{' '.join(words)}') arguments=(") :].split(") ;;\n")[0]
            for each in command["options"]:
                if each["name"].startswith("--"):
                    self.assertIn(f"'{each['name']}[", case, words)
            for below in command["commands"]:
                self.assertIn(f"{below['name']}\\:", case, words)


if __name__ == "__main__":
    unittest.main()
