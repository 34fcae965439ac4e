#!/usr/bin/env python3
"""The conformance check itself: it passes what is right and catches what is not."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import check_conformance  # noqa: E402

HEAD = "# page\n\n| § | asks | shown by |\n|---|---|---|\n"


class ConformanceCheck(unittest.TestCase):
    def problems(self, rows: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            project = Path(folder)
            (project / "tests").mkdir()
            (project / "tests" / "a_test.cpp").write_text("TEST(A, One) {\nTEST_F(B,\n       Two) {\nTEST_P(C, Three) {\n// TEST(D, Four)\n")
            (project / "lab" / "scenarios").mkdir(parents=True)
            (project / "lab" / "scenarios" / "dial").touch()
            page = project / "page.md"
            page.write_text(HEAD + rows)
            return check_conformance.check(project, page)

    def test_named_tests_and_scenarios_exist(self) -> None:
        self.assertEqual([], self.problems("| 1 | x | `A.One`, `B.Two`, `C.Three`, `lab/scenarios/dial` |\n"))

    def test_a_reason_will_do(self) -> None:
        self.assertEqual([], self.problems("| 1 | x | does not apply: there is no line |\n"))

    def test_a_missing_test_is_found(self) -> None:
        self.assertIn("no test A.Two", self.problems("| 1 | x | `A.One`, `A.Two` |\n")[0])

    def test_a_test_that_is_commented_out_is_missing(self) -> None:
        self.assertEqual(1, len(self.problems("| 1 | x | `D.Four` |\n")))

    def test_a_missing_scenario_is_found(self) -> None:
        self.assertEqual(1, len(self.problems("| 1 | x | `lab/scenarios/fly` |\n")))

    def test_a_row_without_either_is_found(self) -> None:
        for last in ("", "yes", "does not apply", "does not apply: "):
            self.assertEqual(1, len(self.problems(f"| 1 | x | {last} |\n")), last)

    def test_a_page_without_rows_is_found(self) -> None:
        self.assertEqual(1, len(self.problems("")))


if __name__ == "__main__":
    unittest.main()
