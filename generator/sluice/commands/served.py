"""Who served when: the history of a release's files on a branch, and what conditions ask of it."""

from collections.abc import Iterator

from sluice import git
from sluice.core import layout
from sluice.core.conditions import Circumstances, asks_history
from sluice.core.finding import FindingsError
from sluice.core.layout import Key
from sluice.core.load import load
from sluice.core.model import Commit, Evaluation
from sluice.core.tenure import State, tenures
from sluice.core.wants import Want


def circumstances(
    repository: git.Repository,
    revision: str,
    want: Want,
    evaluation: Evaluation,
    baseline: Evaluation,
    now: int,
) -> Circumstances:
    """The time, and the history of the releases that conditions on this version ask about."""
    keys = asks_history(want.release, want.version, evaluation, baseline, now)
    return Circumstances(
        now, {key: tenures(state for _, state in states(repository, revision, key)) for key in keys}
    )


def states(repository: git.Repository, revision: str, key: Key) -> Iterator[tuple[Commit, State]]:
    """Every first-parent commit that changed a release or its rollout, oldest first."""
    for commit in reversed(changes(repository, revision, key)):
        yield commit, state_at(repository, commit, key)


def changes(repository: git.Repository, revision: str, key: Key) -> list[Commit]:
    """These commits, newest first."""
    paths = (layout.release_path(key), layout.rollout_path(key))
    return list(git.history_of(repository, revision, paths))


def state_at(repository: git.Repository, commit: Commit, key: Key) -> State:
    """What a commit says of a release; an unreadable spec serves nothing that has a name."""
    path, rollout = layout.release_path(key), layout.rollout_path(key)
    files = git.read_tree(repository, commit.id, [path, rollout]).files
    model = _model(path, files[path]) if path in files else {}
    return State(
        commit.time, model.get("name", ""), str(model.get("version", "")), rollout in files
    )


def _model(path: str, raw: bytes) -> dict[str, str]:
    try:
        spec = load(path, raw).data.get("spec")
    except FindingsError:
        return {}
    model = spec.get("model") if isinstance(spec, dict) else None
    return model if isinstance(model, dict) else {}
