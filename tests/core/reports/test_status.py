"""What runs where, as data and as text: the reference, broken trees, hostile values."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings

from sluice.core.promotion.message import framed
from sluice.core.reports.status import Outside, status
from sluice.core.reports.status_text import WIDTH, as_text
from sluice.core.rollout import file as rollout_file
from sluice.core.rollout.file import rollout_of
from sluice.workspace.workspace import Workspace
from support import reference
from support.overviews import EVIDENCE, OUTSIDE, REVISION, pull, seen, spoiled


def release(found: Mapping[str, Any], name: str = "production/platform/chat") -> dict[str, Any]:
    (one,) = [each for each in found["releases"] if each["release"] == name]
    return dict(one)


def test_the_reference_is_told_whole() -> None:
    found = seen(EVIDENCE, OUTSIDE, "production")
    (environment,) = found["environments"]
    assert (environment["follows"], environment["review"]) == ("stage Production", "required")
    assert environment["devices"] == {"least": 2, "most": 16, "rollout": 16}
    assert environment["quota"] == [{"resource": "devices", "used": 16, "quota": 16}]
    chat = release(found)
    assert chat["model"] == {"name": "qwen2.5-7b-instruct", "version": "2"}
    assert chat["engine"] == {"name": "vllm", "version": "0.33.0"}
    assert chat["rollout"]["stable"] == "1"
    assert (chat["rollout"]["weight"], chat["rollout"]["weights"]) == (10, [10, 50])
    assert chat["rollout"]["next"] == "50 % after 10m at the least"
    assert [(p["number"], p["version"], p["waits"], p["about"]) for p in chat["pulls"]] == [
        (7, "3", True, "promotion"),
        (8, None, False, "rollout"),
    ]
    assert chat["argocd"] == {
        "synced": False,
        "health": "Degraded",
        "revision": REVISION,
        "routes": {"synced": True, "revision": "a1d"},
    }
    assert (chat["following"]["git"], chat["following"]["live"]) == (10, 50)
    assert [each["kind"] for each in chat["following"]["hindrances"]] == ["paused"]
    assert [gate["passed"] for gate in chat["evaluation"]["gates"]] == [True, False]
    (gate,) = chat["judgement"]["gates"]
    assert gate["candidate"] == {"requests": 13_800, "bad": 138}
    assert len(gate["batches"]) == 60
    assert found["broken"] == []


def test_the_text_of_the_reference() -> None:
    assert as_text(seen(EVIDENCE, OUTSIDE, "production")) == (
        "production: namespace ai-inference, follows stage Production, review required\n"
        "  2 to 16 devices, 3.72/h (2,716/month) to 29.76/h (21,725/month)\n"
        "  quota, at the most: 16 of 16 devices\n"
        "\n"
        "  RELEASE        VERSION  STATE     REPLICAS\n"
        "  platform/chat  2        10% step  1-8\n"
        "    qwen2.5-7b-instruct, vllm 0.33.0, 1 x nvidia-l40s\n"
        "    version 2 gets 10 %, 1 90 %; next: 50 % after 10m at the least\n"
        "    measured: errors CONTINUE\n"
        "    pull request #7 for version 3 is open, and waits\n"
        "    pull request #8 for its rollout is open\n"
        "    proposed without these gates passed: toxicity\n"
        "    Git says 10 %, the cluster gives 50 % for 4m\n"
        "    automated sync of chat is off\n"
        "    Argo CD: not in sync, Degraded\n"
        "\n"
        "as of commit 0123456789\n"
        "unknown: somebody: did not answer\n"
    )


def test_what_nobody_said_is_not_taken_for_nothing() -> None:
    unknown_properties, none = (
        release(seen({})),
        release(seen({}, Outside(pulls=(), applications={}))),
    )
    assert (
        unknown_properties["pulls"],
        unknown_properties["argocd"],
        unknown_properties["following"],
    ) == (None, None, None)
    assert (none["pulls"], none["argocd"]) == ([], None)


def test_a_shared_pull_request_is_shown_at_the_releases_in_it() -> None:
    path = "environments/production/environment.yaml"
    raw = reference.workspace({}).files[path]
    body = framed({"releases": {"platform/chat": ["4", "3"]}})
    asked = pull("sluice/production/_all", 5, body)
    grouped = raw.replace(b"review: required", b"review: required\n    group: environment")
    (shown,) = release(seen({path: grouped}, Outside(pulls=(asked,))))["pulls"]
    assert (shown["number"], shown["version"], shown["shared"]) == (5, "4", True)
    other = pull("sluice/production/_all", 5, framed({"releases": {"platform/x": ["4"]}}))
    assert release(seen({path: grouped}, Outside(pulls=(other,))))["pulls"] == []


def test_quarantine_is_shown() -> None:
    raw = reference.workspace({}).files[reference.RELEASE]
    held = raw.replace(b'version: "2"\n', b'version: "2"\n    quarantine: ["9", "10"]\n', 1)
    found = seen({reference.RELEASE: held})
    assert release(found)["quarantine"] == ["9", "10"]
    assert "    in quarantine: 9, 10\n" in as_text(found)


@pytest.mark.parametrize(
    ("state", "step", "told"),
    [
        ("WARMING", 0, "10 % once it is ready"),
        ("STEP", 1, "100 % after 10m at the least"),
        ("PAUSED", 0, "a person resumes it"),
        ("GATED", 0, "a person lets it go on, or gives it up"),
        ("ROLLING_BACK", 0, "every request goes back to the stable version"),
    ],
)
def test_each_state_has_what_comes_next(state: str, step: int, told: str) -> None:
    raw = reference.workspace({}).files[reference.ROLLOUT]
    moved = raw.replace(b"state: STEP", f"state: {state}".encode(), 1)
    moved = moved.replace(b"step: 0", f"step: {step}".encode(), 1)
    assert release(seen({reference.ROLLOUT: moved}))["rollout"]["next"] == told


def test_what_cannot_be_read_is_listed_and_the_rest_is_told() -> None:
    found = seen({reference.RELEASE: b"spec: [", "environments/mesh/environment.yaml": b"{}"})
    files = {each["file"] for each in found["broken"]}
    assert files == {
        reference.RELEASE,
        reference.ROLLOUT,
        "environments/mesh/environment.yaml",
        "environments/mesh/platform/chat/release.yaml",
    } - {reference.ROLLOUT}
    assert all(each["reason"] for each in found["broken"])
    assert release(found, "staging/platform/chat")
    assert f"cannot be read: {reference.RELEASE}: " in as_text(found)
    only = seen({reference.RELEASE: b"spec: ["}, only="staging")
    assert only["broken"] == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 50_000,
        b'{"gates": [{}]}',
        b'{"gates": null, "deployed": 1}',
        b'{"gates": [{"name": {}, "batches": [{"candidate": 1, "stable": 2}]}]}',
        b'{"gates": [], "judgement": [], "deployed": "1"}',
        b"\xff\xfe",
        b'{"gates": [{"name": [], "batches": []}]}',
    ],
)
def test_evidence_that_cannot_be_read_says_nothing(raw: bytes) -> None:
    chat = release(seen(dict.fromkeys(EVIDENCE, raw)))
    assert chat["judgement"] is None or chat["judgement"]["gates"] == []
    assert chat["evaluation"] is None or chat["evaluation"]["gates"] == []


def test_evidence_of_the_step_before_is_shown_while_a_step_has_none() -> None:
    raw = reference.workspace({}).files[reference.ROLLOUT].replace(b"step: 0", b"step: 1", 1)
    chat = release(seen({reference.ROLLOUT: raw, **EVIDENCE}))
    assert chat["judgement"]["file"].endswith("v2-step-0.json")


def test_an_accelerator_without_a_price_is_said() -> None:
    found = seen({}, only="production")
    environment = found["environments"][0]
    environment["cost"] |= {"least": None, "most": None, "unpriced": ["x"]}
    text = as_text(found)
    assert "devices, unknown\n" in text
    assert "without a price: x" in text


def test_bounds_that_are_the_same_are_one_and_what_is_too_much_is_said() -> None:
    found = seen({}, only="staging")
    assert "\n  2 devices, 3.72/h (2,716/month)\n" in as_text(found)
    found["environments"][0]["quota"][0]["used"] = 9
    assert "quota, at the most: 9 of 8 devices, too many\n" in as_text(found)


def test_an_empty_tree_is_told_as_such() -> None:
    workspace = Workspace({})
    found = status(workspace.specs, workspace.tools.catalog, {}, Outside())
    assert as_text(found) == "no environment is here\n"


@settings(max_examples=200)
@given(spoiled())
def test_a_terminal_only_shows_what_others_wrote(found: dict[str, Any]) -> None:
    text = as_text(found)
    assert all(c.isprintable() for c in text.replace("\n", ""))
    for line in text.splitlines():
        assert len(line) <= WIDTH or " " not in line.strip() or len(max(line.split(), key=len)) > 30


def test_the_reconciler_would_find_the_same_evidence() -> None:
    workspace = reference.workspace({})
    (chat,) = [r for r in workspace.specs.of("production") if r.key.name == "chat"]
    assert chat.rollout is not None
    rollout = rollout_of(chat.spec, chat.rollout.data["spec"])
    assert rollout_file.evidence_name(rollout) == "v2-step-0"
