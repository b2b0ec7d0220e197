"""What a controller in the cluster judges a new version by: shares of bad events, as queries.

Controllers fill in placeholders of their own, `{{…}}`, before they ask: no value may look like one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.analysis.queries import Question, promql, quoted, spellings
from sluice.core.analysis.samples import INFINITE
from sluice.core.analysis.signals import Watch, own_labels, warm_up, watches
from sluice.core.catalog.entries import Engine, Gateway
from sluice.core.specs.resolve import Release, Variant
from sluice.core.specs.rollout_plan import plan_of
from sluice.core.takeover.controller import Controller
from sluice.core.takeover.records import Takeover
from sluice.core.workload import delivery
from sluice.core.workload.routing import words

SHORTEST, LONGEST = 300, 3600
"""Seconds that a query looks back where a controller asks again and again during a step."""
LEAST = 60
"""Seconds that a query must at least look back: a few scrapes."""
_UNSAFE = re.compile(r"\{(?=\{)|[\t\n\f\r\v]| (?= )", re.ASCII)


def measurements(
    release: Release, engine: Engine, gateway: Gateway | None
) -> Iterator[dict[str, Any]]:
    """The share of bad events of the new pods, as a query, with the rate that is too much."""
    spec, found = release.spec, release.takeover.controller
    address = release.environment.spec.monitoring.prometheus.address
    if found is None or not address or is_blind(release.takeover):
        return
    for watch in watches(spec, engine, gateway):
        if watch.gate.absolute is None:
            continue
        query = _share(watch, _arm(watch, release, found), window(release.variants[-1]))
        query = _without_placeholders(query, found.arm)
        limit = f"{watch.gate.absolute.p1:f}".rstrip("0")
        yield {
            "name": watch.gate.name,
            "template": f"{release.key.name}.{watch.gate.name.lower()}",
            "address": address,
            "query": query,
            "limit": watch.gate.absolute.p1,
            "good": f"len(result) > 0 && result[0] <= {limit}",
            "bad": f"len(result) > 0 && result[0] > {limit}",
            "observe": watch.gate.observe,
        }


def is_blind(takeover: Takeover) -> bool:
    """Whether a controller judges before the new version gets anything: nothing would be counted.

    It takes that for a failure.
    """
    mover = takeover.controller
    return mover is not None and mover.looks_once_a_step and takeover.strategy.is_switched


def timing(variant: Variant) -> dict[str, Any]:
    """When controllers that ask every minute begin, and when too little was counted too often.

    After a switch they ask a number of times: one that asks for ever would never be done.
    """
    kept = plan_of(variant.spec).rollback_window - warm_up(variant.spec)
    return {
        "initial_delay": f"{warm_up(variant.spec)}s",
        "inconclusive": -(-window(variant) // delivery.MINUTE),
        "count": max(1, kept // delivery.MINUTE),
    }


def window(variant: Variant) -> int:
    """Seconds that a query looks back: what a step is judged by, without its warm-up.

    A controller that asks once a step, at its end, asks about the whole of it.
    """
    mover, strategy = variant.takeover.controller, variant.takeover.strategy
    shortest = min(step.soak for step in plan_of(variant.spec).steps)
    if mover is not None and mover.looks_once_a_step and strategy.is_weighted:
        return max(LEAST, shortest - warm_up(variant.spec))
    return max(SHORTEST, min(shortest, LONGEST))


def _arm(watch: Watch, release: Release, found: Controller) -> dict[str, tuple[str, ...]]:
    """The labels of the new pods, or of what the gateway sends to them."""
    namespace, name = release.environment.spec.namespace, release.key.name
    everywhere = own_labels(release.environment.spec)
    if watch.gateway:
        own = watch.gateway.labels("candidate", words(release, f"{name}-canary"))
        return {**everywhere, **own}
    return {
        **everywhere,
        "namespace": (namespace,),
        "sluice_dev_release": (name,),
        **{label: (text.replace("{release}", name),) for label, text in found.arm.items()},
    }


def _share(watch: Watch, arm: Mapping[str, tuple[str, ...]], span: int) -> str:
    """Nothing where too few requests came: too little to judge is no share of nothing."""
    every, bad = _sums(watch, arm, span)
    enough = f">= {watch.gate.least}" if watch.gate.least else "> 0"
    return f"({bad}) / ({every} {enough})"


def _sums(watch: Watch, arm: Mapping[str, tuple[str, ...]], span: int) -> tuple[str, str]:
    if watch.histogram:
        name = f"{watch.histogram}_bucket"
        every = _sum(Question(name, {**arm, "le": (INFINITE,)}), span)
        good = _sum(Question(name, {**arm, "le": spellings(watch.above)}), span)
        return every, f"{every} - {good}"
    if watch.requests is None or watch.bad is None:
        raise ValueError("a gate without a histogram has counters")
    every = _sum(Question(watch.requests.metric, {**watch.requests.labels, **arm}), span)
    bad = _sum(Question(watch.bad.metric, {**watch.bad.labels, **arm}), span)
    return every, f"{bad} or 0 * {every}"  # no bad event yet is none, where there are requests


def _sum(question: Question, span: int) -> str:
    return f"sum(increase({promql(question, span)}))"


def _without_placeholders(query: str, arm: Mapping[str, str]) -> str:
    """The query with each value that a controller would change written in escapes of PromQL.

    Controllers fill in `{{…}}` and make several spaces one. Both stand in values only; the one
    placeholder that is meant is the whole value of its label, as no value can contain a bare quote.
    """
    safe = _escaped(query)
    for label, text in arm.items():
        meant = f"{label}={quoted(text)}"
        safe = safe.replace(_escaped(meant), meant)
    return safe


def _escaped(query: str) -> str:
    return _UNSAFE.sub(lambda found: f"\\x{ord(found[0]):02x}", query)
