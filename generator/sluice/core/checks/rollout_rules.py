"""What is wrong with how a release rolls out, and with its rollout.yaml, beside their shape."""

from collections.abc import Callable, Iterator, Mapping

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
from sluice.core.takeover.strategy import DEFAULT, Strategy, names_of
from sluice.core.workload.routing import gateway_of

_NUMBERS = ("step", "weight", "replicas", "setbacks")
_ON_THE_WAY = ("STEP", "GATED", "INCONCLUSIVE", "FROZEN")
_OF_SOME: Mapping[str, Callable[[Strategy], bool]] = {
    "match": lambda strategy: strategy.takes_match,
    "mirror": lambda strategy: strategy.copies,
}
"""Fields of a rollout that only some strategies honour, and which those are."""


def check_rollout(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """Every finding about strategy, steps, analysis and rollout.yaml."""
    strategy = release.takeover.strategy
    yield from _steps(release, strategy)
    yield from _fields(release, strategy)
    if strategy.has_candidate:
        yield from _provider(release)
    engine = catalog.engine(release.spec.engine.name, release.spec.engine.version)
    if engine is not None and engine.status != "refused":
        gateway = gateway_of(release, catalog)
        if not release.takeover.is_elsewhere:
            yield from check_comparison(release, engine)
        yield from check_analysis(release, engine, gateway)
        yield from check_controller(release, engine, gateway)
    if release.document.path == layout.release_path(release.key):  # a rollout goes by that plan
        yield from check_times(release)
    yield from _file(release, strategy)


def _steps(release: Release, strategy: Strategy) -> Iterator[Finding]:
    steps = release.spec.rollout.steps
    weighted = f"`strategy: {names_of(lambda strategy: strategy.is_weighted)}`"
    if strategy.needs_steps and not steps:
        place = release.place("rollout.strategy")
        yield Finding(
            place, "REF007", f"a {strategy.name} needs steps", "add `steps` with weight and soak"
        )
        return
    if steps and not strategy.has_candidate:
        place = release.place("rollout.steps", key=True)
        message = "steps have a meaning for versions side by side only"
        yield Finding(place, "REF007", message, f"remove them, or write {weighted}")
        return
    weights = [step.weight for step in steps]
    if strategy.is_weighted and weights and weights != sorted(set(weights)):
        place, message = release.place("rollout.steps"), f"the weights {weights} do not grow"
        yield Finding(place, "REF007", message, "put them in order")
    if not strategy.is_weighted and any(weights):
        message = (
            f"{strategy.name} gives the new version no share of the requests before all of them"
        )
        place = release.place("rollout.steps")
        yield Finding(place, "REF007", message, f"write `weight: 0`, or {weighted}")


def _fields(release: Release, strategy: Strategy) -> Iterator[Finding]:
    """Fields that only some strategies honour, or need."""
    rollout = release.spec.written("rollout") or {}
    if not strategy.has_candidate:
        known = {"strategy", "steps", "controller"}
        for field in sorted(rollout.keys() - known):
            place = release.place(f"rollout.{field}", key=True)
            message = f"{field} has no meaning for the strategy {strategy.name}"
            yield Finding(place, "REF071", message, "remove it")
        return
    if strategy.match == "must" and "match" not in rollout:
        place = release.place("rollout.strategy")
        message = "nothing says which requests go to the new version"
        yield Finding(place, "REF071", message, "add `match` with a header or a cookie")
    for field, takes in _OF_SOME.items():
        if field in rollout and not takes(strategy):
            place = release.place(f"rollout.{field}", key=True)
            message = f"{field} has no meaning for the strategy {strategy.name}"
            yield Finding(place, "REF071", message, f"remove it, or use {names_of(takes)}")


def _provider(release: Release) -> Iterator[Finding]:
    """Whether the traffic provider can do it."""
    strategy, provider = release.takeover.strategy, release.takeover.provider
    if provider is None:
        if strategy.needs_route and not release.takeover.is_elsewhere:
            message = f"{strategy.name} needs a route, and the environment has no traffic"
            switched = names_of(lambda strategy: strategy.is_switched)
            remedy = f"give the environment `traffic`, or use {switched} or {DEFAULT.name}"
            yield Finding(release.place("rollout.strategy"), "REF071", message, remedy)
        return
    wanted = [("strategy", strategy.shown, strategy.name)]
    wanted += [("match", kind, kind) for kind in release.spec.written("rollout.match") or ()]
    for field, what, name in wanted:
        refusal = provider.refuses.get(what)
        if refusal is not None:
            place = release.place(f"rollout.{field}", key=field == "match")
            message = f"{provider.name} cannot do {name}: {refusal.reason}"
            yield Finding(place, "REF071", message, refusal.remedy)
    match, only = release.spec.rollout.match, provider.cookie_value
    cookie = match.cookie if match else None
    if cookie and only and cookie.value != only:
        place = release.place("rollout.match.cookie.value")
        message = f"{provider.name} sends a request to the new version when the cookie is `{only}`"
        yield Finding(place, "REF071", message, f"write `value: {only}`")


def _file(release: Release, strategy: Strategy) -> Iterator[Finding]:
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
    if not release.takeover.is_ours:
        message = "a rollout needs a strategy with two versions side by side, and sluice"
        yield Finding(document.place(), "REF008", message, "delete rollout.yaml")
        return
    if "since" not in spec or _is_time(spec["since"]):
        if is_named:
            yield from _position(release, document, strategy)
    else:
        place = document.place(("spec", "since"))
        yield Finding(place, "REF072", f"{spec['since']} is no time", "write a time that exists")


def _position(release: Release, document: Document, strategy: Strategy) -> Iterator[Finding]:
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
    elif not strategy.is_weighted and rollout.weight not in (0, FULL):
        message = (
            f"{strategy.name} gives the candidate all requests or none, not {rollout.weight} %"
        )
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
