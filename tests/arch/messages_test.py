#!/usr/bin/env python3
"""The check of the list of messages itself: it passes what agrees and catches what does not."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import check_messages  # noqa: E402

CODE = 'void f() {\n  app::log_info("ike.sa-up", "IKE SA "\n    "up", {{"id", x}});\n}\n'
ROW = "| `ike.sa-up` | info | IKE SA up | a client is here | nothing |\n"


class MessageCheck(unittest.TestCase):
    def problems(self, code: str, page: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "edge").mkdir()
            (root / "docs").mkdir()
            (root / "edge/a.cpp").write_text(code)
            (root / "docs/messages.md").write_text(page)
            return check_messages.check(root)

    def test_what_agrees_passes(self) -> None:
        self.assertEqual([], self.problems(CODE, ROW))

    def test_an_id_that_the_page_lacks(self) -> None:
        self.assertEqual(["edge/a.cpp:2: ike.sa-up is missing in docs/messages.md"], self.problems(CODE, ""))

    def test_an_id_that_no_code_has(self) -> None:
        self.assertEqual(["docs/messages.md:1: no code says ike.sa-up"], self.problems("", ROW))

    def test_an_id_that_two_places_use(self) -> None:
        self.assertEqual(["edge/a.cpp:6: ike.sa-up is the id of edge/a.cpp:2, too"], self.problems(CODE + CODE, ROW))

    def test_another_text_or_level(self) -> None:
        self.assertEqual(1, len(self.problems(CODE, ROW.replace("IKE SA up", "IKE SA is up"))))
        self.assertEqual(1, len(self.problems(CODE, ROW.replace("info", "warning"))))
        self.assertEqual(1, len(self.problems(CODE, ROW.replace("info", "loud"))) - 1)

    def test_a_level_that_depends_is_named_with_all_it_may_be(self) -> None:
        code = 'app::log(bad ? app::LogLevel::kWarning : app::LogLevel::kInfo, "ike.sa-up", "IKE SA up");\n'
        self.assertEqual([], self.problems(code, ROW.replace("info", "info, warning")))
        self.assertEqual(1, len(self.problems(code, ROW)))
        self.assertEqual([], self.problems(code.replace("bad ? app::LogLevel::kWarning : app::LogLevel::kInfo", "level"),
                                           ROW.replace("info", "debug, info")))

    def test_a_row_that_says_not_what_to_do(self) -> None:
        self.assertIn("not a row", self.problems(CODE, "| `ike.sa-up` | info | IKE SA up | a client is here |\n")[0])

    def test_a_line_that_is_not_understood(self) -> None:
        self.assertEqual(["edge/a.cpp:1: this log line is not understood"], self.problems("log_info(kSomething, kElse);\n", ""))


if __name__ == "__main__":
    unittest.main()
