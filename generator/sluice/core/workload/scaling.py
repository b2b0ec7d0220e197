"""What scales a release: the metrics that a scaler holds, and how it wakes what sleeps."""

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any

from sluice.core.catalog.entries import Engine
from sluice.core.finding import Finding
from sluice.core.specs.environment_records import WakeUp
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Environment, Release
from sluice.core.units import canonical

PERCENT = frozenset({"kvCacheUsage"})
"""Targets that are percentages where the engine's metric is a share of one."""

_NEVER_MORE = "1000000"
"""Requests a second for each replica: the signal that wakes never asks for a second one."""


def targets(engine: Engine, asked: Mapping[str, Any], pods: Mapping[str, str]) -> Iterator[Any]:
    """What the scaler holds, as a metric of the metrics API and as a query.

    The metrics API knows no colons, so a metrics adapter gives the engine's metric another name.
    A query must have one element, so it is summed over the pods of this version: shares too, since
    the scaler divides by the replicas. The copies of an engine in one pod share no cache: each has
    a share of its own, and the pod has their mean.
    """
    for target, value in asked.items():
        series = engine.metrics[target]
        chosen, combine = f"{series}{_matching(pods)}", "sum"
        if target in PERCENT:
            chosen, combine = f"avg by (pod) ({chosen})", "avg"
        held = Decimal(int(value)) / (100 if target in PERCENT else 1)
        yield {
            "metric": series.replace(":", "_"),
            "series": f'{series}{{namespace!="",pod!=""}}',
            "adapter_query": f"{combine}({series}{{<<.LabelMatchers>>}}) by (<<.GroupBy>>)",
            "query": f"sum({chosen})",
            "value": canonical(str(held)),
            "threshold": str(held),
        }


def of_environment(
    environment: Environment, spec: ReleaseSpec, names: Collection[str]
) -> dict[str, Any]:
    """What a scaler needs of its environment, and what it does where metrics are missing.

    At no replicas there is no series of the engine, which must not count as a failure; with one or
    more a missing series must.

    Args:
        environment: where it scales.
        spec: the version's spec.
        names: of the route and the Service through which requests for this version come.
    """
    scaling, asleep = spec.scaling, spec.scaling.may_sleep
    wake = environment.spec.autoscaling.wake_up if asleep else None
    namespace = environment.spec.namespace
    return {
        "prometheus": environment.spec.autoscaling.prometheus,
        "ignore_nulls": "true" if asleep else "false",
        "wake_query": _wake_query(wake, namespace, names) if wake else None,
        "wake_threshold": _NEVER_MORE,
        "fallback_replicas": scaling.fallback or max(1, scaling.min),
        "idle_after": scaling.idle_after,
    }


def _wake_query(wake: WakeUp, namespace: str, names: Collection[str]) -> str:
    """Requests that arrive at the gateway, whether or not anything answers them."""
    label, any_name = wake.name_label, "|".join(sorted(names))
    if wake.namespace_label is not None:
        equals = "=" if len(names) == 1 else "=~"
        labels = f'{{{wake.namespace_label}="{namespace}",{label}{equals}"{any_name}"}}'
    else:
        either = any_name if len(names) == 1 else f"({any_name})"
        labels = f'{{{label}=~"(.*/)?{namespace}/{either}(/.*)?"}}'
    return f"sum(rate({wake.metric}{labels}[2m]))"


def _matching(labels: Mapping[str, str]) -> str:
    matchers = ",".join(f'{label_of(name)}="{value}"' for name, value in labels.items())
    return f"{{{matchers}}}"


def label_of(name: str) -> str:
    """The name that a pod's label has as a label of its metrics."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def check_scaling(release: Release) -> Iterator[Finding]:
    """What the environment's scaler cannot do; that the bounds are in order is said elsewhere."""
    scaling, scaler = release.spec.scaling, release.environment.scaler
    asleep = scaling.may_sleep
    if asleep and not scaler.wakes:
        message = (
            f"no replicas at all need a scaler that something wakes, which {scaler.title} is not"
        )
        remedy = f"set min to 1, or autoscaling.provider of the environment to {_waking(release)}"
        yield Finding(release.place("scaling.min"), "REF055", message, remedy)
    elif asleep and release.environment.spec.autoscaling.wake_up is None:
        message = "at no replicas an engine has no metrics, so nothing would wake it"
        remedy = "set autoscaling.wakeUp of the environment to the gateway's count of requests"
        yield Finding(release.place("scaling.min"), "REF055", message, remedy)
    for field in scaler.without:
        if release.spec.says(f"scaling.{field}"):
            place = release.place(f"scaling.{field}", key=True)
            message = f"{scaler.title} has nothing that {field} could become"
            yield Finding(place, "REF055", message, "remove it")
    if scaler.wakes and release.spec.says("scaling.idleAfter") and not asleep:
        place = release.place("scaling.idleAfter", key=True)
        message = "idleAfter is for the last replica, which stays with min above 0"
        yield Finding(place, "REF055", message, "remove it, or set min to 0")
    most, fallback = scaling.max or 0, scaling.fallback
    if fallback is not None and fallback > most and "fallback" not in scaler.without:
        message = f"fallback {fallback} is above max {most}"
        yield Finding(release.place("scaling.fallback"), "REF055", message, "lower it")


def _waking(release: Release) -> str:
    """The scalers that can wake what sleeps, in words."""
    scalers = release.environment.records.scalers.values()
    return " or ".join(sorted(scaler.name for scaler in scalers if scaler.wakes))
