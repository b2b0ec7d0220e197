"""What is wrong with how a release rolls out, and with its rollout.yaml, beside their shape."""

from collections.abc import Iterator, Mapping

from sluice.core import layout
from sluice.core.analysis.signals import check_analysis, check_comparison
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.controllers import check_controller
from sluice.core.checks.rollout_times import check_times
from sluice.core.documents.load import Document
from sluice.core.finding import Finding
from sluice.core.rollout.file import from_text, rollout_of
from sluice.core.rollout.model import Rollout
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_plan import FULL
from sluice.core.workload import delivery, values
from sluice.core.workload.routing import gateway_of

_STEPPED = ("canary", "blue-green", "ab", "shadow")
_ROUTED = ("canary", "ab", "shadow")
_UNWEIGHTED = ("blue-green", "ab", "shadow")

_NUMBERS = ("step", "weight", "replicas", "setbacks")
_ON_THE_WAY = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN")

IMPOSSIBLE: Mapping[tuple[str, str], tuple[str, str]] = {
    ("nginx", "shadow"): (
        "a slow copy delays the request that it is a copy of, so a candidate could harm clients",
        "use gateway or istio, or another strategy",
    ),
    ("gateway", "cookie"): (
        "the Gateway API cannot match a cookie",
        "match a header, which a client or the edge sets",
    ),
}
"""What a traffic provider cannot do, why, and what to do instead."""


def check_rollout(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """Every finding about strategy, steps, analysis and rollout.yaml."""
    strategy = release.spec.rollout.strategy
    yield from _steps(release, strategy)
    yield from _fields(release, strategy)
    if strategy not in delivery.STEADY:
        yield from _provider(release, strategy)
    engine = catalog.engine(release.spec.engine.name, release.spec.engine.version)
    if engine is not None and engine.status != "refused":
        gateway = gateway_of(release, catalog)
        if not delivery.is_elsewhere(release.spec):
            yield from check_comparison(release, engine)
        yield from check_analysis(release, engine, gateway)
        yield from check_controller(release, strategy, engine, gateway)
    if release.document.path == layout.release_path(release.key):  # a rollout goes by that plan
        yield from check_times(release, strategy)
    yield from _file(release, strategy)


def _steps(release: Release, strategy: str) -> Iterator[Finding]:
    steps = release.spec.rollout.steps
    if strategy == "canary" and not steps:
        place = release.place("rollout.strategy")
        yield Finding(place, "REF007", "a canary needs steps", "add `steps` with weight and soak")
        return
    if steps and strategy not in _STEPPED:
        place = release.place("rollout.steps", key=True)
        message = "steps have a meaning for versions side by side only"
        yield Finding(place, "REF007", message, "remove them, or write `strategy: canary`")
        return
    weights = [step.weight for step in steps]
    if strategy == "canary" and weights and weights != sorted(set(weights)):
        place, message = release.place("rollout.steps"), f"the weights {weights} do not grow"
        yield Finding(place, "REF007", message, "put them in order")
    if strategy in _UNWEIGHTED and any(weights):
        message = f"{strategy} gives the new version no share of the requests before all of them"
        place = release.place("rollout.steps")
        yield Finding(place, "REF007", message, "write `weight: 0`, or `strategy: canary`")


def _fields(release: Release, strategy: str) -> Iterator[Finding]:
    """Fields that only some strategies honour, or need."""
    rollout = release.spec.written("rollout") or {}
    if strategy in delivery.STEADY:
        known = {"strategy", "steps", "controller"}
        for field in sorted(rollout.keys() - known):
            place = release.place(f"rollout.{field}", key=True)
            message = f"{field} has no meaning for the strategy {strategy}"
            yield Finding(place, "REF071", message, "remove it")
        return
    if strategy == "ab" and "match" not in rollout:
        place = release.place("rollout.strategy")
        message = "nothing says which requests go to the new version"
        yield Finding(place, "REF071", message, "add `match` with a header or a cookie")
    for field, allowed in (("match", ("ab", "canary")), ("mirror", ("shadow",))):
        if field in rollout and strategy not in allowed:
            place = release.place(f"rollout.{field}", key=True)
            message = f"{field} has no meaning for the strategy {strategy}"
            yield Finding(place, "REF071", message, f"remove it, or use {' or '.join(allowed)}")


def _provider(release: Release, strategy: str) -> Iterator[Finding]:
    """Whether the traffic provider can do it."""
    traffic = values.traffic(release.environment, release.spec)
    if traffic is None:
        if strategy in _ROUTED and not delivery.is_elsewhere(release.spec):
            message = f"{strategy} needs a route, and the environment has no traffic"
            remedy = "give the environment `traffic`, or use blue-green or rolling"
            yield Finding(release.place("rollout.strategy"), "REF071", message, remedy)
        return
    asked = [("strategy", strategy)]
    asked += [("match", kind) for kind in release.spec.written("rollout.match") or ()]
    for field, what in asked:
        reason, remedy = IMPOSSIBLE.get((traffic["provider"], what), ("", ""))
        if reason:
            place = release.place(f"rollout.{field}", key=field == "match")
            message = f"{traffic['provider']} cannot do {what}: {reason}"
            yield Finding(place, "REF071", message, remedy)
    match = release.spec.rollout.match
    cookie = match.cookie if match else None
    if cookie and traffic["provider"] == "nginx" and cookie.value != "always":
        place = release.place("rollout.match.cookie.value")
        message = "nginx sends a request to the new version when the cookie is `always`"
        yield Finding(place, "REF071", message, "write `value: always`")


def _file(release: Release, strategy: str) -> Iterator[Finding]:
    """rollout.yaml against the release."""
    if release.rollout is None:
        return
    document, spec = release.rollout, release.rollout.data["spec"]
    name = document.data["metadata"]["name"]
    if name != release.key.name:
        message = f"the name {name!r} is not that of the directory, {release.key.name!r}"
        place = document.place(("metadata", "name"))
        yield Finding(place, "REF001", message, "give both the same name")
    if spec["candidate"] != release.spec.model.version:
        place = document.place(("spec", "candidate"))
        message = f"the release serves version {release.spec.model.version}, not this one"
        yield Finding(place, "REF008", message, "delete rollout.yaml or set the release back")
    stable = spec["stable"]["spec"].get("model", {})
    is_named = {"name", "version", "source"} <= stable.keys()
    if not is_named:
        place = document.place(("spec", "stable", "spec", "model"))
        message = "the stable version is not fully named"
        yield Finding(place, "REF008", message, "give its model's name, version and source")
    elif stable["version"] == spec["candidate"]:
        place = document.place(("spec", "stable", "spec", "model", "version"))
        yield Finding(place, "REF008", "stable and candidate are the same", "delete rollout.yaml")
    if strategy in delivery.STEADY or delivery.is_elsewhere(release.spec):
        message = "a rollout needs a strategy with two versions side by side, and sluice"
        yield Finding(document.place(), "REF008", message, "delete rollout.yaml")
        return
    if "since" not in spec or _is_time(spec["since"]):
        if is_named:
            yield from _position(release, document, strategy)
    else:
        place = document.place(("spec", "since"))
        yield Finding(place, "REF072", f"{spec['since']} is no time", "write a time that exists")


def _position(release: Release, document: Document, strategy: str) -> Iterator[Finding]:
    """A step or a weight that the rollout never has: who was not seen ready gets nothing.

    Where the release was edited since, its steps are not those of the rollout any more: that pauses
    it, and a person resumes.
    """
    rollout = rollout_of(release.spec, document.data["spec"])
    steps = rollout.plan.steps
    problems = [
        (field, f"{document.data['spec'][field]} is no number that this file is written with")
        for field in _NUMBERS
        if isinstance(document.data["spec"].get(field), float)
    ]
    if rollout.spec_hash == rollout.current_hash and rollout.step >= len(steps):
        message = (
            f"the last step of the release is {len(steps) - 1}, and there is no {rollout.step}"
        )
        problems.append(("step", message))
    elif strategy in _UNWEIGHTED and rollout.weight not in (0, FULL):
        message = f"{strategy} gives the candidate all requests or none, not {rollout.weight} %"
        problems.append(("weight", message))
    elif rollout.weight not in _weights(rollout):
        wanted = " or ".join(f"{weight} %" for weight in _weights(rollout))
        where = f"{rollout.state} at step {rollout.step}"
        message = f"in {where} the candidate gets {wanted} of the requests, not {rollout.weight} %"
        problems.append(("weight", message))
    if rollout.returning and rollout.state in _ON_THE_WAY:
        message = f"a version that comes back gets everything at once, and is never {rollout.state}"
        problems.append(("returning", message))
    for field, message in problems:
        key = field == "returning"
        place = document.place(("spec", field), key=key)
        yield Finding(place, "REF008", message, "restore the file from Git, or delete it")


def _weights(rollout: Rollout) -> tuple[int, ...]:
    """The weights that a candidate may have where its rollout stands."""
    if rollout.state in ("PROMOTING", "FINALIZING"):
        return (FULL,)
    if rollout.state in ("WARMING", "ROLLING_BACK", "ROLLED_BACK"):
        return (0,)
    if rollout.spec_hash != rollout.current_hash or rollout.step >= len(rollout.plan.steps):
        return (rollout.weight,)
    step = rollout.plan.steps[rollout.step].weight
    return (0, step, FULL) if rollout.state == "PAUSED" else (step,)


def _is_time(text: str) -> bool:
    try:
        from_text(text)
    except ValueError:
        return False
    return True
