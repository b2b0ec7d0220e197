"""What the design promises, each as a test that can fail."""

import copy
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from sluice.core.catalog.entries import Family
from sluice.core.documents.emit import emit
from sluice.core.specs.schema import FILES
from sluice.system import resources
from support import trees
from support.spec_fields import SCHEMAS, Path_, at, dotted, uses, validator

FAMILIES: tuple[Family, ...] = (
    "engines",
    "accelerators",
    "architectures",
    "sharing",
    "queueing",
    "gateways",
)

ELSEWHERE = {
    "Environment.follows": "what the reconciler asks the registry for",
    "Environment.promotion": "how the reconciler merges",
    "Environment.accelerators.prices": "the costs of `sluice plan`",
    "Environment.pools": "where releases that name one may run: core/workload/test_placement.py",
    "ModelRelease.placement.pool": "as Environment.pools",
    "Environment.cluster.kubernetesVersion": "which schemas manifests are checked against",
    "Environment.storage.claims": "which claims releases may name: REF050",
    "Environment.sources": "whose weights releases may serve: REF096, core/workload/test_places.py",
    "Environment.images": "which images are refused: ENG055",
    "Environment.storage.imageVolumes": "whether images may be volumes: REF051",
    "Rollout.weight": "only that of its state and step: REF008, and test_live_routes.py",
    "ModelRelease.follows": "as Environment.follows",
    "ModelRelease.gates": "what the reconciler asks of a version",
    "ModelRelease.model.quarantine": "versions that are refused: REF011",
    "ModelRelease.model.architecture": "the memory preflight: tests/core/memory/test_memory.py",
    "ModelRelease.resources.memoryOverride": "the memory preflight: FIT002",
    "ModelRelease.serving": "on every engine: tests/core/catalog/test_engines_fields.py",
    "Environment.monitoring.gateway": "who counts failed answers: core/analysis/test_signals.py",
    "Environment.monitoring.prometheus": "where the reconciler asks for counts",
    "ModelRelease.rollout.analysis": "what the reconciler judges: core/analysis/test_signals.py",
    "ModelRelease.rollout.deadline": "how the reconciler moves a rollout: tests/core/test_rollout*",
    "ModelRelease.rollout.maxFailureAge": "as deadline",
    "ModelRelease.rollout.maxWait": "as deadline",
    "ModelRelease.rollout.rollbackWindow": "as deadline",
    "ModelRelease.rollout.steps": "what the reconciler writes to rollout.yaml",
    "Rollout.returning": "how a rollout moves: tests/reconciler/rollouts/test_by_hand.py",
    "Rollout.reason": "for people",
    "Rollout.setbacks": "how often the reconciler begins again by itself",
    "Rollout.since": "how long the reconciler waits: REF072",
    "Rollout.specHash": "whether a person edited the release in between",
    "Rollout.candidate": "must be the release's version: REF008",
    "Rollout.state": "where the reconciler goes on",
    "Rollout.step": "where the reconciler goes on",
}
"""Fields that change no manifest, and what they change."""

DIGEST = """
import hashlib, socket
from support import trees
from sluice.core.reports.report import FORMATS, report
socket.socket = None
said = hashlib.sha256()
for folder in [*trees.cases("valid"), *trees.cases("invalid")[::8]]:
    files = trees.case(folder)
    findings, manifests = trees.outcome(files)
    for form in FORMATS:
        said.update(report(findings, form, files).encode())
    for path, content in manifests.items():
        said.update(path.encode() + content)
print(said.hexdigest())
"""


def digest(folder: Path, **environ: str) -> str:
    package = Path(sys.modules["sluice"].__path__[0]).parent
    search = os.pathsep.join(map(str, (package, trees.ROOT / "tests")))
    return subprocess.run(
        [sys.executable, "-c", DIGEST],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": search, **environ},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_1_the_same_specs_give_the_same_bytes_everywhere(tmp_path: Path) -> None:
    machines = (
        {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "HOME": "/"},
        {"PYTHONHASHSEED": "4711", "TZ": "America/St_Johns", "LANG": "tr_TR.UTF-8"},
    )
    folders = (tmp_path, Path("/"), trees.ROOT)
    digests = {digest(folder, **environ) for folder, environ in zip(folders, machines, strict=True)}
    assert len(digests) == 1


def test_2_the_manifests_of_this_repository_are_what_its_environments_render() -> None:
    rendered = {path: m.content() for path, m in trees.reference().render().items()}
    committed = trees.below(trees.ROOT / "manifests")
    assert {f"manifests/{path}": content for path, content in committed.items()} == rendered


@pytest.mark.parametrize("folder", trees.cases("valid"), ids=lambda folder: folder.name)
def test_a_spec_without_findings_is_never_read_slowly(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = trees.case(folder)
    if trees.workspace_of(files).check():
        return  # a warning has a place

    def compose_root(*_: object) -> None:
        raise AssertionError("somebody asked for a place that nobody will see")

    monkeypatch.setattr("sluice.core.documents.positions.compose_root", compose_root)
    assert trees.workspace_of(files).check() == []


def fields(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], path: Path_
) -> Iterator[tuple[Path_, Mapping[str, Any]]]:
    """The path of every field that holds a value; 0 is any item of a list."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name == "partialSpec":  # the fields of a release once more
        return
    whole = {**definitions.get(name, {}), **schema}
    items = whole.get("items", {})
    if "properties" in whole:
        for key, inner in whole["properties"].items():
            yield from fields(inner, definitions, (*path, key))
    elif "properties" in items:
        yield from fields(items, definitions, (*path, 0))
    else:
        yield path, whole


def every_field() -> list[Any]:
    found: list[tuple[str, Path_, Mapping[str, Any]]] = []
    for kind in FILES.values():
        bundled = SCHEMAS.bundled(kind)
        for part in ("metadata", "spec"):
            schema = bundled["properties"][part]
            found += [(kind, *field) for field in fields(schema, bundled["$defs"], (part,))]
    tested = [field for field in found if field[1] != ("metadata", "name")]
    return [pytest.param(*field, id=dotted(field[0], field[1])) for field in tested]


@pytest.mark.parametrize(("kind", "path", "schema"), every_field())
def test_4_a_field_that_is_accepted_changes_what_is_rendered(
    kind: str, path: Path_, schema: Mapping[str, Any]
) -> None:
    if any(dotted(kind, path).startswith(prefix) for prefix in ELSEWHERE):
        return
    using = [use for use in uses() if use[2]["kind"] == kind and at(use[2], path) is not None]
    assert using, "no valid case uses this field"
    for files, file, data in using:
        before = trees.outcome(files)[1]
        for other in others(schema, at(data, path)):
            changed = put(data, path, other)
            if not validator(kind).is_valid(changed):
                continue
            if trees.outcome({**files, file: emit(changed)})[1] not in (before, {}):
                return
    pytest.fail("no other value of this field changes a manifest")


@pytest.mark.parametrize("folder", trees.cases("valid"), ids=lambda folder: folder.name)
def test_5_every_image_is_pinned(folder: Path) -> None:
    written = b"".join(trees.outcome(trees.case(folder))[1].values()).decode()
    images = re.findall(r"^ +image: (.+)$", written, re.MULTILINE)
    pinned = re.compile(r"\S+(:v?[0-9][\w.-]*|@sha256:[0-9a-f]{64})")
    assert images
    assert [image for image in images if not pinned.fullmatch(image)] == []


@pytest.mark.parametrize("tag", ["latest", "nightly", "main", "stable"])
def test_5_a_tag_that_moves_is_refused(tag: str) -> None:
    image = f"version: 0.33.0\n    image: registry.example.com/engine:{tag}"
    files = trees.replaced(trees.base(), trees.RELEASE, "version: 0.33.0", image)
    assert [finding.rule for finding in trees.outcome(files)[0]] == ["SCH005"]


def put(data: dict[str, Any], path: Path_, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(data)
    at(changed, path[:-1])[path[-1]] = value
    return changed


def others(schema: Mapping[str, Any], value: object) -> Iterator[object]:
    """Other values of the same kind, some of which the schema should accept."""
    yield from schema.get("enum", ())
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value / 2, value - 1, value * 2)
    elif isinstance(value, str):
        yield from (f"{value}2", f"{value[:-1]}b", "20m", "70m", "7Gi", "70", "2g.20gb")
        families = map(resources.list_catalog, FAMILIES)
        yield from (name for names in families if value in names for name in names)
    elif isinstance(value, list):
        yield from (value[:-1], [*value, "other"], ["nvidia-l40s", "amd-mi300x"])
    elif isinstance(value, dict):
        yield from ({**value, "other": "1"}, {**value, "seed": 1}, {})
