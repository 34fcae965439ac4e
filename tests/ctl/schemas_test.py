#!/usr/bin/python3
"""What sluicectl prints as JSON is what docs/schema says, key by key, and each schema belongs to a command."""

import json
import tempfile
import unittest

import jsonschema
from harness import PROJECT, FakeEdge, ctl

FOLDER = PROJECT / "docs" / "schema"
# A command line for each kind; those that need more than the socket are tested where they have it.
LINES = {
    "sluice.sessions/1": ["sessions"],
    "sluice.tunnels/1": ["tunnels"],
    "sluice.backends/1": ["backends"],
    "sluice.peers/1": ["peers"],
    "sluice.sas/1": ["peers", "--sas"],
    "sluice.drops/1": ["drops"],
    "sluice.drains/1": ["drains"],
    "sluice.drain/1": ["drain", "agent", "agent1"],
    "sluice.probe/1": ["probe", "backend", "agent2"],
    "sluice.probe-ike/1": ["probe", "ike"],
    "sluice.stats/1": ["stats"],
    "sluice.ready/1": ["ready"],
    "sluice.version/1": ["version"],
    "sluice.psk/1": ["psk", "generate"],
    "sluice.placement/1": ["explain", "placement", "bob@example.net"],
    "sluice.events/1": ["events"],
    "sluice.trace/1": ["trace", "alice"],
    "sluice.why/1": ["why", "alice"],
    "sluice.kick/1": ["kick", "--where", "user=alice", "--dry-run"],
    "sluice.top/1": ["top", "--interval", "0.2"],
}


def schemas() -> dict[str, dict]:
    found = {}
    for file in sorted(FOLDER.glob("*.json")):
        schema = json.loads(file.read_text(encoding="utf-8"))
        name, _, version = file.stem.rpartition("-")
        assert schema["$id"] == f"sluice.{name}/{version}", file
        found[schema["$id"]] = schema
    return found


def strict(schema):
    """The same without room for keys that it does not name."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {key: value if key == "not" else strict(value) for key, value in schema.items()}
    if out.get("additionalProperties") is True:
        out["additionalProperties"] = False
    return out


def check(value, schema) -> None:
    jsonschema.Draft202012Validator(strict(schema)).validate(value)


def declared(command: dict) -> set[str]:
    return set(command.get("schemas", [])).union(*[declared(below) for below in command["commands"]], set())


class Schemas(unittest.TestCase):
    def test_are_schemas(self) -> None:
        for schema in schemas().values():
            jsonschema.Draft202012Validator.check_schema(schema)

    def test_each_belongs_to_a_command_and_each_command_has_its_own(self) -> None:
        tree = json.loads(ctl("--dump-commands").stdout)
        self.assertEqual(sorted(schemas()), sorted(declared(tree)))

    def test_describe_what_is_printed(self) -> None:
        known = schemas()
        with FakeEdge("--moving") as edge:
            for kind, words in LINES.items():
                with self.subTest(kind):
                    done = edge.ctl(*words, "--json")
                    value = json.loads(done.stdout)
                    self.assertEqual(kind, value["schema"], done.stderr)
                    check(value, known[kind])

    def test_describe_lines(self) -> None:
        known = schemas()
        with FakeEdge() as edge:
            for kind in ("sessions", "tunnels", "backends", "peers", "drops", "drains"):
                lines = edge.ctl(kind, "--json=lines").stdout.splitlines()
                self.assertGreater(len(lines), 0)
                for line in lines:
                    check(json.loads(line), known[f"sluice.{kind}/1"])
            for words in (["events"], ["trace", "alice"], ["why", "alice"]):
                lines = edge.ctl(*words, "--json=lines").stdout.splitlines()
                self.assertGreater(len(lines), 0)
                for line in lines:
                    check(json.loads(line), known[f"sluice.{words[0]}/1"])
            frames = edge.ctl("top", "--json=lines", "--count", "2", "--interval", "0.2").stdout.splitlines()
            self.assertEqual(2, len(frames))
            for line in frames:
                check(json.loads(line), known["sluice.top/1"])

    def test_describe_the_ca(self) -> None:
        schema = schemas()["sluice.pki/1"]
        with tempfile.TemporaryDirectory() as folder:
            for words in (["init"], ["issue", "agent", "agent1", "--address", "192.0.2.7"], ["renew", "agent1"], ["revoke", "agent1"], ["list"], ["show", "agent1"]):
                done = ctl("pki", *words, "--dir", f"{folder}/ca", "--json")
                self.assertEqual(0, done.returncode, done.stderr)
                check(json.loads(done.stdout), schema)

    def test_find_what_is_wrong(self) -> None:
        schema = schemas()["sluice.drops/1"]
        good = {"schema": "sluice.drops/1", "drops": [{"stage": "esp", "reason": "replayed", "count": 1}]}
        check(good, schema)
        for bad in ({**good, "more": 1}, {**good, "drops": [{"stage": "esp", "reason": "replayed"}]}, {**good, "schema": "sluice.drops/2"}, {**good, "drops": [{"stage": "esp", "reason": "replayed", "count": "1"}]}):
            with self.assertRaises(jsonschema.ValidationError):
                check(bad, schema)


if __name__ == "__main__":
    unittest.main()
