"""Overviews of a repository: whole, with parts missing, and with hostile texts."""

import copy
import json
from collections.abc import Mapping
from typing import Any

import jsonschema_rs
from hypothesis import strategies as st

from sluice.core.cluster import Application
from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.observation.following import Following, Hindrance
from sluice.core.promotion.message import marker
from sluice.core.reports.status import Outside, status
from sluice.workspace.workspace import Workspace
from support import hostile, reference

SCHEMA = jsonschema_rs.Draft202012Validator(
    json.loads((reference.ROOT / "schemas" / "status.schema.json").read_text("utf-8"))
)
CHAT = "environments/production/platform/chat"
REVISION = "0123456789abcdef"


def counted(bad: int = 1) -> bytes:
    """Evidence of a step, as the reconciler writes it."""
    cell = {"requests": 100, "bad": bad}
    batches = [
        {"at": 60 * n, "step": 0, "candidate": [cell, cell], "stable": {"requests": 900, "bad": 9}}
        for n in range(70)
    ]
    batches[3] = {**batches[3], "candidate": [{"requests": 0, "bad": 0}]}
    judged = {"verdict": "CONTINUE", "reason": "", "gates": {"errors": {"verdict": "CONTINUE"}}}
    gates = [{"name": "errors", "batches": batches}]
    return json.dumps({"format": 1, "gates": gates, "judgement": judged}).encode()


def evaluated(metric: str = "mmlu/acc", value: float | str = 0.7) -> bytes:
    """Evidence of a proposal."""
    gate = {"metric": metric, "condition": "at least 0.65", "value": value, "baseline": 0.68}
    gates = [gate | {"passed": True}, gate | {"metric": "toxicity", "passed": False}]
    return json.dumps({"format": 1, "created": 1, "deployed": "1", "gates": gates}).encode()


def pull(branch: str, number: int, body: str = "", *labels: str) -> PullRequest:
    return PullRequest(number, branch, "main", f"title {number}", body, "c0ffee", labels=labels)


def seen(
    files: Mapping[str, bytes | None], outside: Outside | None = None, only: str | None = None
) -> dict[str, Any]:
    """The status of the reference with some files more, or less; valid by its schema."""
    tree = {**reference.workspace({}).files, **files}
    workspace = Workspace({path: raw for path, raw in tree.items() if raw is not None})
    around = outside or Outside(REVISION)
    found = status(workspace.specs, workspace.tools.catalog, workspace.files, around, only)
    SCHEMA.validate(found)
    return found


OUTSIDE = Outside(
    REVISION,
    pulls=(
        pull("sluice/production/platform/chat", 7, marker("3", ()), "sluice", "sluice/waits"),
        pull("sluice/production/platform/chat.rollout", 8, marker("rollout:2:STEP", ())),
        pull("sluice/staging/platform/other", 9, marker("1", ())),
    ),
    applications={
        ("argocd", "production.chat"): Application(REVISION, synced=False, health="Degraded"),
        ("argocd", "production.chat.routes"): Application("a1d", synced=True, health="Healthy"),
    },
    following={
        Key("production", "platform", "chat"): Following(
            10, 50, "route", 240, (Hindrance("paused", "automated sync of\nchat is off"),)
        )
    },
    unknown={"somebody": "did not answer"},
)
EVIDENCE = {f"{CHAT}/evidence/v2-step-0.json": counted(), f"{CHAT}/evidence/v2.json": evaluated()}


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A status in which every text of others is hostile."""
    found = copy.deepcopy(WHOLE)
    texts = st.sampled_from(hostile.TEXTS) | st.text(max_size=60)
    one = found["releases"][0]
    for part, keys in (
        (one["model"], ("name", "version")),
        (one["engine"], ("version",)),
        (one["rollout"], ("candidate", "stable", "reason")),
        (one["argocd"], ("health",)),
        (one["pulls"][0], ("title", "version")),
        (one["judgement"]["gates"][0], ("name", "verdict")),
        (one["evaluation"]["gates"][1], ("metric", "condition")),
        (found["environments"][0], ("namespace", "cluster", "follows")),
    ):
        part.update({key: draw(texts) for key in keys})
    one["quarantine"] = [draw(texts)]
    found["unknown"] = {draw(texts): draw(texts)}
    found["broken"] = [{"file": draw(texts), "reason": draw(texts)}]
    return found


WHOLE = seen(EVIDENCE, OUTSIDE, "production")
