"""Every tree under tests/cases: dropping a directory in adds a test.

A case is a tree with environments/, or single files (`release.yaml`, `rollout.yaml`,
`environment.yaml`) that replace those of tests/cases/base. An invalid one has `expected.txt`: a
line `file:line:column RULE` for each finding, and ` | ` with a text of its message or remedy.
"""

from pathlib import Path

import pytest

from sluice.core.finding import Finding, failed
from sluice.workspace.workspace import Workspace, open_workspace
from support import trees
from support.rule_cases import ELSEWHERE, cased_rules, spec_rules


def names(path: Path) -> str:
    return path.name


@pytest.mark.parametrize("folder", trees.cases("invalid"), ids=names)
def test_each_invalid_case_gives_exactly_its_findings(folder: Path) -> None:
    expected = [line.partition(" | ") for line in _lines(folder)]
    findings, _ = trees.outcome(trees.case(folder))
    assert [_line(folder, finding) for finding in findings] == [head for head, _, _ in expected]
    for finding, (_, _, said) in zip(findings, expected, strict=True):
        assert said in f"{finding.message} | {finding.help} | {finding.severity}"


@pytest.mark.parametrize("folder", trees.cases("invalid"), ids=names)
def test_nothing_is_rendered_of_a_tree_with_errors(folder: Path) -> None:
    findings, manifests = trees.outcome(trees.case(folder))
    assert failed(findings) != bool(manifests)


@pytest.mark.parametrize("folder", trees.cases("valid"), ids=names)
def test_each_valid_case_has_no_finding_and_renders_to_the_same_bytes_twice(folder: Path) -> None:
    files = trees.case(folder)
    findings, manifests = trees.outcome(files)
    assert findings == []
    assert manifests
    assert trees.outcome(dict(reversed(files.items()))) == ([], manifests)


def test_every_finding_says_what_to_do() -> None:
    for folder in trees.cases("invalid"):
        for finding in trees.outcome(trees.case(folder))[0]:
            assert finding.help, f"{folder.name}: {finding}"


def test_every_rule_has_a_case() -> None:
    assert spec_rules() - cased_rules() - ELSEWHERE.keys() == set()


def test_a_file_of_50_megabytes_is_refused_without_being_read(tmp_path: Path) -> None:
    large = tmp_path / trees.RELEASE
    large.parent.mkdir(parents=True)
    with large.open("wb") as file:
        file.truncate(50 << 20)
    workspace = open_workspace(tmp_path)
    assert len(workspace.files[trees.RELEASE]) < 2 << 20
    assert [finding.rule for finding in workspace.check()] == ["YAML001"]


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    link = tmp_path / trees.RELEASE
    link.parent.mkdir(parents=True)
    link.symlink_to(trees.ROOT / "README.md")
    findings = open_workspace(tmp_path).check()
    assert [(finding.rule, finding.place.file) for finding in findings] == [
        ("REF016", trees.RELEASE)
    ]


def test_a_broken_environment_is_reported_once_and_not_again_for_its_releases() -> None:
    files = trees.replaced(trees.base(), trees.ENVIRONMENT, "namespace: models", "namespace: [")
    findings = Workspace(files).check()
    assert [finding.place.file for finding in findings] == [trees.ENVIRONMENT]


def _lines(folder: Path) -> list[str]:
    return (folder / "expected.txt").read_text("utf-8").splitlines()


def _line(folder: Path, finding: Finding) -> str:
    place = finding.place
    short = {path: name for name, path in trees.SHORT.items()}
    named = place.file if (folder / place.file).exists() else short.get(place.file, place.file)
    return f"{named}:{place.line}:{place.column} {finding.rule}"
