"""Telling the registry what became of its versions, by tags on them; off unless asked for.

Nothing depends on them: what cannot be written is one warning, and is tried again later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sluice.core.finding import FindingsError, UsageError
from sluice.core.model import ModelVersion
from sluice.core.promotion.marks import marks
from sluice.core.promotion.outcome import ALIKE, Outcome
from sluice.core.unforeseen import isolated
from sluice.reconciler.pen import tag_version
from sluice.reconciler.promotions.base import read_base
from sluice.reconciler.promotions.cycle import group_by_branch
from sluice.reconciler.promotions.registry_view import observe
from sluice.reconciler.runtime import RECHECK, Runtime

# So many versions in one cycle: the first one may find thousands, and promotions do not wait.
MOST = 100

Task = tuple[ModelVersion, Mapping[str, str]]


def write_back(runtime: Runtime, outcomes: Sequence[Outcome]) -> str:
    """Bring the tags to what Git and the forge say now; what went wrong, or nothing.

    Only after a cycle in which something happened, and now and then.
    """
    marker, memory = runtime.marker, runtime.memory
    if marker is None or runtime.dry_run:
        return ""
    known = memory.base.commit if memory.base else ""
    sight = (known, tuple((o.release, o.what, o.version, o.pull) for o in outcomes))
    if memory.marked[0] == sight and runtime.clock() < memory.marked[1]:
        return ""
    try:
        with isolated("the tags in the registry"):
            tasks = list(_list_tasks(runtime, outcomes))
    except FindingsError:
        return ""  # the next cycle tells
    except UsageError as error:
        return _warn(str(error))
    problems = list(_write_each(runtime, tasks[:MOST]))
    if len(tasks) <= MOST:
        memory.marked = (sight, runtime.clock() + RECHECK)
    return _warn(problems[0]) if problems else ""


def _warn(said: str) -> str:
    return f"the registry is not told what became of its versions: {said}"


def _list_tasks(runtime: Runtime, outcomes: Sequence[Outcome]) -> Iterator[Task]:
    """The versions whose tags are not what they should be, each with what it lacks."""
    runtime.memory.looked = runtime.is_untouched  # what the cycle saw is still what there is
    base = read_base(runtime)
    specs = base.sound.specs
    observed, pulls = observe(runtime, base), group_by_branch(runtime.pulls())
    refused = {(o.release, o.version) for o in outcomes if o.what == "refused"}
    for key, release in sorted(specs.releases.items()):
        if release.follows is None:
            continue
        versions = [_add_written(runtime, v) for v in observed.get(release.spec.model.name, ())]
        numbers = {number for name, number in refused if name == str(key)}
        wanted = marks(release, versions, pulls, numbers, base.registered.get(key))
        for version in versions:
            tags = wanted.get(version.version, {})
            if missing := _find_missing(version, tags):
                yield version, missing


def _find_missing(version: ModelVersion, tags: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in tags.items() if version.marks.get(name) != value}


def _add_written(runtime: Runtime, version: ModelVersion) -> ModelVersion:
    """The version with what was written on it: tags have no date, so a watch may not see them."""
    written = runtime.memory.marks.get((version.name, version.version, version.created), {})
    return replace(version, marks={**version.marks, **written})


def _write_each(runtime: Runtime, tasks: Sequence[Task]) -> Iterator[str]:
    """Write tags; say what went wrong, and stop when it goes wrong for everyone."""
    failures = 0
    for version, tags in tasks:
        if runtime.is_stopping() or failures == ALIKE:
            return
        try:
            with isolated("a tag in the registry"):
                _write(runtime, version, tags)
        except UsageError as error:
            failures += 1
            yield str(error)


def _write(runtime: Runtime, version: ModelVersion, tags: Mapping[str, str]) -> None:
    """Write those tags that another look finds missing."""
    now = runtime.registry.fresh(version)
    if runtime.marker and (missing := _find_missing(now, tags)):
        tag_version(runtime.marker, now, missing)
    identity = (version.name, version.version, version.created)
    runtime.memory.marks[identity] = {**runtime.memory.marks.get(identity, {}), **tags}
