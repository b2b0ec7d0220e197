"""Which rules of specs there are, and which of them a case under tests/cases/invalid shows."""

import re

from support import trees

ELSEWHERE = {
    "YAML001": "a file of 50 MB, below",
    "SYS001": "what nobody foresees cannot be kept in a case: tests/core/test_unforeseen.py",
    "YAML012": "plain manifests, not specs: tests/core/kubernetes/rules/test_manifest_files.py",
    "YAML013": "as YAML012",
    "REF016": "a symbolic link, below",
    "SEC001": "beside the specs: tests/product/test_secrets.py",
    "REF019": "a path outside the repository: tests/files/test_files.py",
}
"""Rules whose input cannot be kept in a case, and where they are tested."""

_QUOTED = re.compile(r'"((?:YAML|SCH|REF|ENG|FIT)\d{3})"')
_PLAIN = re.compile(r"[A-Z]{3,4}\d{3}")


def spec_rules() -> set[str]:
    """The rules of specs that the program can emit."""
    sources = (trees.ROOT / "generator" / "sluice").rglob("*.py")
    return {rule for path in sources for rule in _QUOTED.findall(path.read_text("utf-8"))}


def cased_rules() -> set[str]:
    """The rules that some invalid case expects."""
    expected = [folder / "expected.txt" for folder in trees.cases("invalid")]
    return {rule for path in expected for rule in _PLAIN.findall(path.read_text("utf-8"))}
