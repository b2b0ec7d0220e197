"""Ids of rules are stable and never mean two things."""

import re
from collections import defaultdict
from pathlib import Path

import sluice

SOURCE = Path(sluice.__file__).parent
# A rule that several modules ask for the same thing.
SHARED = {
    "ENG014": "a field that has nothing to do beside the others",
    "REF001": "a name that is not its directory's",
    "REF004": "a source that cannot be used",
    "REF057": "a config.json that is missing or not one",
    "REF020": "a field that the provider of traffic has no use for, or lacks",
}


def test_each_rule_of_the_specs_lives_in_one_module() -> None:
    found = defaultdict(set)
    for path in (SOURCE / "core").rglob("*.py"):
        for rule in re.findall(r'"((?:REF|FIT|ENG|SCH)\d{3})"', path.read_text()):
            found[rule].add(path.name)
    assert {rule for rule, modules in found.items() if len(modules) > 1} <= SHARED.keys()
