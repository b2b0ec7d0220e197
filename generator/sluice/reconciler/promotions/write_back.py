"""Telling the registry what became of its versions, by tags on them; off unless asked for.

Nothing depends on them: what cannot be written is one warning, and is tried again later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sluice.core.finding import FindingsError, UsageError
from sluice.core.model import ModelVersion
from sluice.core.promotion.marks import marks
from sluice.core.unforeseen import isolated
from sluice.reconciler.promotions.cycle import base_of, by_branch
from sluice.reconciler.promotions.registry_view import observe
from sluice.reconciler.runtime import ALIKE, RECHECK, Outcome, World

# So many versions in one cycle: the first one may find thousands, and promotions do not wait.
MOST = 100

Task = tuple[ModelVersion, Mapping[str, str]]


def marked(world: World, outcomes: Sequence[Outcome]) -> str:
    """Bring the tags to what Git and the forge say now; what went wrong, or nothing.

    Only after a cycle in which something happened, and now and then.
    """
    marker, memory = world.marker, world.memory
    if marker is None or world.dry_run:
        return ""
    known = memory.base.commit if memory.base else ""
    sight = (known, tuple((o.release, o.what, o.version, o.pull) for o in outcomes))
    if memory.marked[0] == sight and world.clock() < memory.marked[1]:
        return ""
    try:
        with isolated("the tags in the registry"):
            tasks = list(_tasks(world, outcomes))
    except FindingsError:
        return ""  # the next cycle tells
    except UsageError as error:
        return _warning(str(error))
    problems = list(_written(world, tasks[:MOST]))
    if len(tasks) <= MOST:
        memory.marked = (sight, world.clock() + RECHECK)
    return _warning(problems[0]) if problems else ""


def _warning(said: str) -> str:
    return f"the registry is not told what became of its versions: {said}"


def _tasks(world: World, outcomes: Sequence[Outcome]) -> Iterator[Task]:
    """The versions whose tags are not what they should be, each with what it lacks."""
    world.memory.looked = world.is_untouched  # what the cycle saw is still what there is
    base = base_of(world)
    specs = base.sound.specs
    observed, pulls = observe(world, base), by_branch(world.pulls())
    refused = {(o.release, o.version) for o in outcomes if o.what == "refused"}
    for key, release in sorted(specs.releases.items()):
        if release.follows is None:
            continue
        versions = [_known(world, v) for v in observed.get(release.spec.model.name, ())]
        numbers = {number for name, number in refused if name == str(key)}
        wanted = marks(release, versions, pulls, numbers, base.registered.get(key))
        for version in versions:
            tags = wanted.get(version.version, {})
            if missing := _missing(version, tags):
                yield version, missing


def _missing(version: ModelVersion, tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if version.marks.get(name) != value}


def _known(world: World, version: ModelVersion) -> ModelVersion:
    """The version with what was written on it: tags have no date, so a watch may not see them."""
    written = world.memory.marks.get((version.name, version.version, version.created), {})
    return replace(version, marks={**version.marks, **written})


def _written(world: World, tasks: Sequence[Task]) -> Iterator[str]:
    """Write tags; say what went wrong, and stop when it goes wrong for everyone."""
    failures = 0
    for version, tags in tasks:
        if world.is_stopping() or failures == ALIKE:
            return
        try:
            with isolated("a tag in the registry"):
                _write(world, version, tags)
        except UsageError as error:
            failures += 1
            yield str(error)


def _write(world: World, version: ModelVersion, tags: Mapping[str, str]) -> None:
    """Write those tags that another look finds missing."""
    now = world.registry.fresh(version)
    if world.marker and (missing := _missing(now, tags)):
        world.marker.mark(now, missing)
    identity = (version.name, version.version, version.created)
    world.memory.marks[identity] = {**world.memory.marks.get(identity, {}), **tags}
