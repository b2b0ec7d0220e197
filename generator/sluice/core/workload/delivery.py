"""A release that a controller in the cluster rolls out, for teams that have one.

Git then says what is wanted, and not how far it has come; routes are the controller's to change.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.catalog.entries import Engine
from sluice.core.rollout.analysis import Watch, warm_up, watches
from sluice.core.rollout.file import plan_of
from sluice.core.rollout.queries import Question, promql, spellings
from sluice.core.rollout.samples import INFINITE
from sluice.core.specs.resolve import lookup

OWN = "sluice"
_STEADY = ("rolling", "recreate")
_KINDS: Mapping[str, tuple[str, str]] = {"argo-rollouts": ("argoproj.io/v1alpha1", "Rollout")}
STRATEGIES = ("canary", "blue-green")
UNKNOWN = ("match", "mirror", "maxFailureAge", "maxWait")
"""Fields of a rollout that no such controller has anything for."""
_HASH = "{{args.candidate}}"
"""The controller's own placeholder, which it fills with the hash of the new pods."""
_WINDOW = 300


def controller(spec: Mapping[str, Any]) -> str:
    """Who moves the weight."""
    return str(lookup(spec, "rollout.controller", OWN))


def is_elsewhere(spec: Mapping[str, Any]) -> bool:
    """Whether a controller in the cluster moves it."""
    steady = lookup(spec, "rollout.strategy", "rolling") in _STEADY
    return not steady and controller(spec) != OWN


def workload(spec: Mapping[str, Any]) -> tuple[str, str]:
    """API version and kind of the workload on one node."""
    return _KINDS[controller(spec)] if is_elsewhere(spec) else ("apps/v1", "Deployment")


def plan(spec: Mapping[str, Any], engine: Engine) -> dict[str, Any]:
    """What the templates of a controller use: steps, times and queries."""
    found = plan_of(spec)
    steps = [
        {"weight": step.weight, "soak": step.soak, "manual": step.manual} for step in found.steps
    ]
    judged = [watch for watch in watches(spec, engine) if watch.gate.absolute is not None]
    return {
        "steps": steps,
        "all_at_once": lookup(spec, "rollout.strategy") == "blue-green",
        "manual": any(step.manual for step in found.steps),
        "window": found.rollback_window,
        "drain": found.drain,
        "deadline": found.warming,
        "initial_delay": f"{warm_up(spec)}s",
        "judged": judged,
    }


def measurements(
    watches_: list[Watch], namespace: str, release: str, address: str
) -> Iterator[dict[str, Any]]:
    """The share of bad events of the new pods, as a query, with the rate that is too much."""
    arm = {
        "namespace": (namespace,),
        "sluice_dev_release": (release,),
        "rollouts_pod_template_hash": (_HASH,),
    }
    for watch in watches_:
        if watch.gate.absolute is None:
            continue
        every, bad = _sums(watch, arm)
        limit = f"{watch.gate.absolute.p1:f}".rstrip("0")
        yield {
            "name": watch.gate.name,
            "address": address,
            "query": f"({bad}) / ({every})",
            "good": f"len(result) > 0 && result[0] <= {limit}",
            "bad": f"len(result) > 0 && result[0] > {limit}",
            "observe": watch.gate.observe,
        }


def _sums(watch: Watch, arm: Mapping[str, tuple[str, ...]]) -> tuple[str, str]:
    if watch.histogram:
        name = f"{watch.histogram}_bucket"
        every = _sum(Question(name, {**arm, "le": (INFINITE,)}))
        return every, f"{every} - {_sum(Question(name, {**arm, 'le': spellings(watch.above)}))}"
    if watch.requests is None or watch.bad is None:
        raise ValueError("a gate without a histogram has counters")
    every = _sum(Question(watch.requests.metric, {**watch.requests.labels, **arm}))
    bad = _sum(Question(watch.bad.metric, {**watch.bad.labels, **arm}))
    return every, f"{bad} or 0 * {every}"  # no bad event yet is none, where there are requests


def _sum(question: Question) -> str:
    return f"sum(increase({promql(question, _WINDOW)}))"
