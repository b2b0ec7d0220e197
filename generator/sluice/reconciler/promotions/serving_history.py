"""Who served when: the history of a release's files on a branch, and what conditions ask of it."""

from collections.abc import Iterator, Mapping
from typing import Any

from sluice import git
from sluice.core import layout
from sluice.core.documents.load import load
from sluice.core.finding import FindingsError
from sluice.core.gates.conditions import Circumstances, asks_history
from sluice.core.gates.serving_periods import State, tenures
from sluice.core.layout import Key
from sluice.core.model import Commit, Evaluation
from sluice.core.promotion.wants import Want
from sluice.core.rollout.model import LEAVING
from sluice.core.specs.resolve import merge


def read_circumstances(
    repository: git.Repository,
    revision: str,
    want: Want,
    evaluation: Evaluation,
    baseline: Evaluation,
    now: int,
) -> Circumstances:
    """The time, and the history of the releases that conditions on this version ask about."""
    found = {}
    for key in asks_history(want.release, want.version, evaluation, baseline, now):
        line = [read_state(repository, c, k) for c, k in list_changes(repository, revision, key)]
        found[key] = tenures(reversed(line))
    return Circumstances(now, found)


def list_changes(
    repository: git.Repository, revision: str, key: Key
) -> Iterator[tuple[Commit, Key]]:
    """The first-parent commits that changed a release or its rollout, newest first.

    A release that was moved, to another team for instance, is followed to where it came from; the
    key is the one that it had at that commit.
    """
    start: str | None = revision
    while start is not None:
        start, here = None, key
        paths = (layout.release_path(here), layout.rollout_path(here))
        for commit in git.walk_history(repository, revision, paths):
            yield commit, here
            origin = _find_origin(repository, commit, here)
            if origin:
                revision, key, start = commit.parents[0], origin, commit.parents[0]
                break


def read_state(repository: git.Repository, commit: Commit, key: Key) -> State:
    """What a commit says of a release; an unreadable spec serves nothing that has a name."""
    path, rollout = layout.release_path(key), layout.rollout_path(key)
    around = layout.environment_path(key.environment)
    files = git.read_tree(repository, commit.id, [path, rollout, around]).files
    defaults = _read_spec(around, files.get(around)).get("defaults")
    spec = _read_spec(path, files.get(path))
    whole = merge(defaults if isinstance(defaults, dict) else {}, spec) if path in files else {}
    found = whole.get("model")
    model: Mapping[str, Any] = found if isinstance(found, dict) else {}
    name, version = str(model.get("name", "")), str(model.get("version", ""))
    leaving = _read_spec(rollout, files.get(rollout)).get("state") in LEAVING
    return State(commit.time, name, version, rollout in files, leaving)


def _read_spec(path: str, raw: bytes | None) -> Mapping[str, Any]:
    try:
        spec = load(path, raw).data.get("spec") if raw is not None else None
    except FindingsError:
        return {}
    return spec if isinstance(spec, dict) else {}


def _find_origin(repository: git.Repository, commit: Commit, key: Key) -> Key | None:
    """Where a commit moved a release from, if it did: the same name, in one step."""
    if not commit.parents or not _adds(repository, commit, layout.release_path(key)):
        return None
    parent = commit.parents[0]
    candidates = [
        other
        for path in git.changed_paths(repository, parent, commit.id, layout.ENVIRONMENTS)
        if (other := layout.release_of(path)) and path == layout.release_path(other)
        if other.name == key.name and (other.environment, other.team) != (key.environment, key.team)
        if not git.read_tree(repository, commit.id, [path]).files
    ]
    near = [other for other in candidates if other.environment == key.environment]
    same = [other for other in candidates if other.team == key.team]
    return next(iter([*near, *same]), None)


def _adds(repository: git.Repository, commit: Commit, path: str) -> bool:
    before = git.read_tree(repository, commit.parents[0], [path]).files
    return path not in before and path in git.read_tree(repository, commit.id, [path]).files
