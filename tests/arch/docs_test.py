#!/usr/bin/env python3
"""The checks of pages find what they are for."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import check_commands  # noqa: E402
import check_docs  # noqa: E402
import shown  # noqa: E402
from pages import Command  # noqa: E402


class Links(unittest.TestCase):
    def dead(self, text: str) -> bool:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "other.md").write_text("# Other page\n## What `it` does, [really](x)?\n## Same\n## Same\n```\n# no heading\n```\n", encoding="utf-8")
            page = folder / "page.md"
            page.write_text(text, encoding="utf-8")
            return any(check_docs.dead(page, target, anchor or None) for _, line in check_docs.text_lines(page) for target, anchor in check_docs.LINK.findall(line))

    def test_what_is_there_is_good(self) -> None:
        for link in ("[a](other.md)", "[a](other.md#other-page)", "[a](other.md#what-it-does-really)", "[a](other.md#same-1)", "# Here\n[a](#here)", "[a](https://example.net/x#y)",
                     "```\n[a](gone.md)\n```"):
            self.assertFalse(self.dead(link), link)

    def test_what_is_not_there_is_dead(self) -> None:
        for link in ("[a](gone.md)", "[a](other.md#gone)", "[a](other.md#no-heading)", "[a](#here)", "[a](other.md#same-2)"):
            self.assertTrue(self.dead(link), link)


class Commands(unittest.TestCase):
    def test_are_found_in_a_line(self) -> None:
        self.assertEqual(shown.commands_of("$ sudo sluicectl ready && systemctl reload sluice-edge   # why"), [["sluicectl", "ready"], ["systemctl", "reload", "sluice-edge"]])
        self.assertEqual(shown.commands_of("sluicectl pki init|issue …"), [["sluicectl", "pki", "init"], ["sluicectl", "pki", "issue"]])
        self.assertEqual(shown.commands_of("sluicectl sessions [--user U]"), [["sluicectl", "sessions", "--user", "U"]])
        self.assertEqual(shown.commands_of("sluice-edge.toml is a file, sluicectls too"), [])

    def test_are_judged_by_what_the_program_knows(self) -> None:
        leaf = Command(["list"], "", "", [("--user", "", True), ("--all", "", False)])
        tree = Command([], "", "", [("--json", "", False)], subcommands=[leaf, Command(["name"], "", "", positionals=True)])
        good = (["list", "--user", "x"], ["--json", "list", "--all"], ["list", "--user=x"], ["name", "x"])
        bad = (["lst"], ["list", "--usr", "x"], ["list", "x"], ["list", "--all", "x"])
        for words in good:
            self.assertIsNone(check_commands.parsed(tree, words, tree)[2], words)
        for words in bad:
            self.assertIsNotNone(check_commands.parsed(tree, words, tree)[2], words)

    def test_are_run_by_a_test_that_has_the_words_together(self) -> None:
        def runs(text: str, path: list[str], options: list[str], prefix: str = "") -> bool:
            return check_commands.runs(check_commands.Source("x", text, prefix), path, options)

        self.assertTrue(runs('ctl({"drain", "agent", "a", "--undo"})', ["drain", "agent"], ["--undo"]))
        self.assertTrue(runs('must("sluicectl", "ready")', ["ready"], []))
        self.assertTrue(runs('ctl({"issue", "agent"})', ["pki", "issue"], [], "pki"))
        self.assertFalse(runs('ctl({"drain", "edge"})', ["drain", "agent"], []))
        self.assertFalse(runs('ctl({"drain", "agent"})', ["drain", "agent"], ["--undo"]))
        self.assertFalse(runs('parsed()["peers"]', ["peers"], []))


if __name__ == "__main__":
    unittest.main()
