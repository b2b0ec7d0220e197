"""Each word that a schema lists is known to somebody: a record, a piece of code, or whom it is for.

A word that is added to a schema alone would be accepted and do nothing, or what another one does.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from sluice.core.analysis.signal_table import SIGNALS
from sluice.core.rollout.model import Rollout
from sluice.core.takeover.controller import OWN
from sluice.core.takeover.strategy import STRATEGIES
from sluice.system import resources
from support import trees

RECORDS = trees.tools().records
PROVIDERS = set(RECORDS.providers)
FILES = ("model-release", "environment", "gateway", "rollout")
TOLERATES = {"Equal", "Exists"}
SELECTS = {"In", "NotIn", "Exists", "DoesNotExist"}
SPREADS = {"preferred", "required", "none"}

OF_RECORDS: dict[str, set[str]] = {
    "model-release rollout.strategy": set(STRATEGIES),
    "model-release rollout.controller": {OWN, *RECORDS.controllers},
    "model-release rollout.analysis.gates.signal": set(SIGNALS),
    "environment spec.traffic.provider": PROVIDERS,
    "environment spec.autoscaling.provider": set(RECORDS.scalers),
    "gateway providers": PROVIDERS,
}
"""Words that are the names of records: recipes in docs/extending.md."""

OF_CODE: dict[str, tuple[set[str], str]] = {
    "model-release weights.load": ({"download", "stream"}, "core/workload/fetching.py"),
    "model-release placement.spread.hosts": (SPREADS, "core/workload/placement.py"),
    "model-release placement.spread.zones": (SPREADS, "core/workload/placement.py"),
    "model-release rollout.steps.approval": (
        {"automatic", "manual"},
        "core/specs/rollout_plan.py",
    ),
    "model-release rollout.analysis.gates.mode": (
        {"enforce", "observe"},
        "core/analysis/judgement_file.py",
    ),
    "model-release gates.better": ({"higher", "lower"}, "core/gates/words.py"),
    "environment spec.promotion.review": (
        {"required", "automatic"},
        "core/promotion/converge.py and reconciler/rollouts/write.py",
    ),
    "environment spec.promotion.group": (
        {"team", "environment", "never"},
        "core/promotion/sharing.py",
    ),
    "environment spec.images.digests": ({"required", "optional"}, "core/kubernetes/images.py"),
    "rollout spec.state": (
        {
            *("WARMING", "STEP", "GATED", "INCONCLUSIVE", "FROZEN", "PAUSED"),
            *("PROMOTING", "FINALIZING", "ROLLING_BACK", "ROLLED_BACK"),
        },
        "core/rollout/machine.py",
    ),
}
"""Words that code branches on, and where: who adds one adds what it does there."""

PASSED_ON: dict[str, set[str]] = {
    "model-release follows.stage": {"Staging", "Production"},
    "model-release placement.tolerations.operator": TOLERATES,
    "model-release placement.tolerations.effect": {"NoSchedule", "PreferNoSchedule", "NoExecute"},
    "model-release placement.require.operator": SELECTS,
    "model-release placement.prefer.operator": SELECTS,
    "model-release traffic.pool.failureMode": {"FailOpen", "FailClose"},
    "environment spec.traffic.pool.failureMode": {"FailOpen", "FailClose"},
}
"""Words of the registry and of Kubernetes, which arrive there as they are."""

OF_CATALOG = (
    "model-release serving.",  # each engine's entry says what it makes of them
    "environment spec.cluster.kubernetesVersion",  # a folder of schemas each
    "environment spec.storage.sources",  # an entry of catalog/sources each
)


def enums(node: Any, where: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:  # noqa: ANN401  # JSON
    """Every list of words in a schema, by the path of its field."""
    if isinstance(node, dict):
        if "enum" in node:
            yield ".".join(where), set(node["enum"])
        for key, inner in node.items():
            named = key in ("properties", "$defs", "items", "propertyNames", "additionalProperties")
            yield from enums(inner, where if named else (*where, key))
    elif isinstance(node, list):
        for inner in node:
            yield from enums(inner, where)


LISTED = [
    (f"{file} {path}", words)
    for file in FILES
    for path, words in enums(resources.read_schema(f"{file}.schema.json"))
]


@pytest.mark.parametrize(("where", "words"), LISTED, ids=[where for where, _ in LISTED])
def test_each_word_of_a_schema_is_known_to_somebody(where: str, words: set[str]) -> None:
    if where.startswith(OF_CATALOG):
        return
    known, step = PASSED_ON.get(where, set()), "add it to PASSED_ON, if nothing branches on it"
    if where in OF_RECORDS:
        known, step = OF_RECORDS[where], "add its record, as docs/extending.md says"
    elif where in OF_CODE:
        known, code = OF_CODE[where]
        step = f"say in {code} what it does, then here"
    assert words == known, f"{where}: {sorted(words ^ known)}: {step}"


def test_the_words_that_are_known_are_in_a_schema() -> None:
    assert {*OF_RECORDS, *OF_CODE, *PASSED_ON} <= {where for where, _ in LISTED}


def test_code_that_branches_is_there() -> None:
    package = trees.ROOT / "generator" / "sluice"
    for _, code in OF_CODE.values():
        for path in code.split(" and "):
            assert (package / path).is_file(), path


def test_states_are_those_of_the_machine() -> None:
    states = set(Rollout.__annotations__["state"].__args__) - {"STABLE"}
    assert states == OF_CODE["rollout spec.state"][0]
