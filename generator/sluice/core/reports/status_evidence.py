"""What the evidence beside a release says: how its version was evaluated, how its rollout goes.

Evidence that cannot be read says nothing, as if it were not there.
"""

import math
from collections.abc import Mapping
from typing import Any

from sluice.core import layout
from sluice.core.bounded import json_of
from sluice.core.layout import Key
from sluice.core.promotion.evidence import proposed
from sluice.core.rollout.file import evidence_name
from sluice.core.rollout.model import Rollout

BATCHES = 60
"""So many batches at the end are told one by one."""
_ERRORS = (ArithmeticError, AttributeError, KeyError, TypeError, ValueError)


def evaluation_of(key: Key, version: str, files: Mapping[str, bytes]) -> dict[str, Any] | None:
    """What was measured when a version was proposed, gate by gate; None without evidence."""
    paths = proposed(key, version, files)
    if not paths:
        return None
    try:
        data = json_of(files[paths[-1]])
        gates = [
            {
                "metric": str(gate["metric"]),
                "condition": str(gate["condition"]),
                "value": _number(gate["value"]),
                "baseline": _number(gate["baseline"]),
                "passed": gate["passed"] is True,
                "lowerIsBetter": gate.get("lower_is_better") is True,
            }
            for gate in data["gates"]
        ]
        return {"file": paths[-1], "deployed": str(data["deployed"]), "gates": gates}
    except _ERRORS:
        return None


def judgement_of(key: Key, rollout: Rollout, files: Mapping[str, bytes]) -> dict[str, Any] | None:
    """What the newest step with evidence has counted; None while there is none."""
    path = layout.evidence_path(key, evidence_name(rollout))
    if path not in files and rollout.step:
        name = evidence_name(rollout).rpartition("-")[0]
        path = layout.evidence_path(key, f"{name}-{rollout.step - 1}")
    try:
        data = json_of(files[path])
        said = data.get("judgement") or {}
        verdicts = said.get("gates") or {}
        gates = [_counted(gate, verdicts) for gate in data["gates"]]
        return {
            "file": path,
            "verdict": str(said["verdict"]) if "verdict" in said else None,
            "batchSeconds": int(data.get("parameters", {}).get("batchSeconds", 60)),
            "gates": gates,
        }
    except _ERRORS:
        return None


def _counted(gate: Mapping[str, Any], verdicts: Mapping[str, Any]) -> dict[str, Any]:
    arms = {
        arm: [_cells(batch[arm]) for batch in gate["batches"]] for arm in ("candidate", "stable")
    }
    sums = {
        arm: {"requests": sum(r for r, _ in cells), "bad": sum(b for _, b in cells)}
        for arm, cells in arms.items()
    }
    pairs = list(zip(*arms.values(), strict=True))[-BATCHES:]
    batches = [{arm: _share(cell) for arm, cell in zip(arms, pair, strict=True)} for pair in pairs]
    verdict = verdicts.get(gate["name"], {}).get("verdict")
    return {
        "name": str(gate["name"]),
        "verdict": None if verdict is None else str(verdict),
        **sums,
        "batches": batches,
    }


def _cells(arm: Any) -> tuple[int, int]:  # noqa: ANN401  # one count or a list of them
    cells = arm if isinstance(arm, list) else [arm]
    return sum(int(c["requests"]) for c in cells), sum(int(c["bad"]) for c in cells)


def _share(cell: tuple[int, int]) -> float | None:
    requests, bad = cell
    return round(bad / requests, 6) if requests > 0 else None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
