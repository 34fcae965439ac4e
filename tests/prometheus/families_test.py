#!/usr/bin/env python3
"""The check of families itself: it passes what is right and catches what is not."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import check_families as check  # noqa: E402

CODE = '''
inline constexpr Family kFamilies[] = {
    {"sluice_drops_total", Kind::kCounter, {"stage", "reason"}, "Packets dropped, "
     "by reason."},
    {"sluice_ready", Kind::kGauge, {}, "1 while ready."},
    {"sluice_set_up_seconds", Kind::kHistogram, {"phase"}, "How long."},
};
'''
FAMILIES = check.families_in(CODE)
KNOWN = {family.name: family for family in FAMILIES}


class FamiliesCheck(unittest.TestCase):
    def test_rows_of_a_catalogue_are_read(self) -> None:
        self.assertEqual(3, len(FAMILIES))
        self.assertEqual(check.Family("sluice_drops_total", "counter", ("stage", "reason"), "Packets dropped, by reason."), FAMILIES[0])
        self.assertEqual((), FAMILIES[1].labels)

    def test_what_exists_may_be_named(self) -> None:
        for expression in (
            'sum by (job, reason) (rate(sluice_drops_total{stage!="ike",instance=~"$edge"}[5m])) > 1',
            "histogram_quantile(0.9, sum by (phase, le) (rate(sluice_set_up_seconds_bucket[5m])))",
            "sluice_ready == 0 unless on (instance) sluice_ready == 1",
        ):
            self.assertEqual([], check.wrong_in(expression, KNOWN), expression)

    def test_what_does_not_exist_is_found(self) -> None:
        for expression in (
            "sluice_drop_total > 1",
            "sluice_ready_bucket > 1",
            'sluice_drops_total{cause="x"} > 1',
            "sum by (cause) (sluice_drops_total)",
        ):
            self.assertEqual(1, len(check.wrong_in(expression, KNOWN)), expression)

    def test_expressions_of_rules_are_found(self) -> None:
        rules = "    rules:\n      - alert: One\n        expr: a == 0\n        for: 1m\n      - alert: Two\n        expr: >\n          b\n            > c\n        for: 1m\n"
        self.assertEqual(["One", "Two"], [name for name, _ in check.expressions_of_rules(rules)])
        self.assertIn("> c", check.expressions_of_rules(rules)[1][1])

    def test_names_out_of_habit_are_found(self) -> None:
        for family in (
            check.Family("x_packets", "counter", (), "Packets."),
            check.Family("x_total", "gauge", (), "Things."),
            check.Family("x_time", "histogram", (), "How long."),
            check.Family("x", "gauge", ("job",), "Things."),
            check.Family("x", "gauge", (), "things"),
        ):
            self.assertEqual(1, len(check.conventions([family])), family)
        self.assertEqual(1, len(check.conventions([FAMILIES[1], FAMILIES[1]])))

    def test_overlapping_panels_are_found(self) -> None:
        panel = lambda x, title: {"title": title, "gridPos": {"x": x, "y": 0, "w": 12, "h": 8}}  # noqa: E731
        self.assertEqual([], check.overlaps([panel(0, "a"), panel(12, "b")]))
        self.assertEqual(1, len(check.overlaps([panel(0, "a"), panel(11, "b")])))
        self.assertEqual(1, len(check.overlaps([panel(13, "a")])))


if __name__ == "__main__":
    unittest.main()
