"""Nothing is closed because the registry did not show something once.

What it does not show must be missing in two looks, some time apart, of a registry that shows
something that is known. One run by itself looks once, and closes nothing of this kind.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from sluice.core.finding import UsageError
from sluice.core.layout import Key
from sluice.core.model import ModelVersion, PullRequest
from sluice.core.promotion.absence import (
    APART,
    forgotten,
    is_fault,
    is_shown,
    lists_something_known,
)
from sluice.core.promotion.converge import Refusal
from sluice.core.promotion.message import read_marker
from sluice.core.promotion.wants import Idle, Want
from sluice.reconciler.promotions.objections import let_wait
from sluice.reconciler.runtime import Outcome, World

_NUMBERS = "numbers"  # in the place of a version, which is a number itself
Observed = Mapping[str, Sequence[ModelVersion]]


class ForgottenError(UsageError):
    """The registry does not list most of what it listed before."""

    cause = "registry forgets"


def check_observed(world: World, names: Collection[str], observed: Observed) -> None:
    """Compare what the registry lists of some models with what it listed before; remember it.

    Raises:
        ForgottenError: a large part of it is missing.
    """
    before = world.memory.registered
    lost, total = forgotten({name: before[name] for name in before.keys() & names}, observed)
    if is_fault(lost, total):
        raise ForgottenError(
            f"the registry does not list {lost} of the {total} versions that it listed before, so "
            "nothing is done: look into it; if they were deleted on purpose, start Sluice again"
        )
    world.memory.registered = {
        name: frozenset(version.version for version in versions)
        for name, versions in observed.items()
    }


def forget_shown(world: World, found: Iterable[Want | Idle]) -> None:
    """Forget since when a version is missing, of every release of which none is missing now."""
    unseen = {w.release.key for w in found if isinstance(w, Idle) and w.unseen}
    kept = world.memory.missing.items()
    world.memory.missing = {
        what: since for what, since in kept if what[0] in unseen or what[1] == _NUMBERS
    }


def forget_measured(world: World, key: Key) -> None:
    """Forget since when numbers of a release are missing: they are not."""
    world.memory.missing.pop((key, _NUMBERS), None)


def is_confirmed(world: World, idle: Idle, observed: Observed, proposed: str) -> bool:
    """Whether a version that a pull request proposes is surely not asked for any more."""
    versions = observed.get(idle.release.spec.model.name)
    if is_shown(idle, versions, proposed):
        return True
    what = (idle.release.key, proposed)
    if not _can_be_believed(world, idle, versions, proposed):
        world.memory.missing.pop(what, None)
        return False
    return _is_missing_for_long(world, what)


def _is_missing_for_long(world: World, what: tuple[Key, str]) -> bool:
    since = world.memory.missing.setdefault(what, world.clock())
    return world.clock() - since >= APART


def _can_be_believed(
    world: World, idle: Idle, versions: Sequence[ModelVersion] | None, proposed: str
) -> bool:
    """Whether the registry works as far as one can tell, and shows us what it has."""
    if versions is not None:
        return lists_something_known(idle, versions, proposed)
    try:
        return world.registry.is_gone(idle.release.spec.model.name)
    except UsageError:  # what cannot be asked has not said that it is gone
        return False


def keeps(world: World, result: Refusal, pull: PullRequest) -> bool:
    """Whether a pull request stays, though the very version that it proposes is refused.

    It does while nothing but numbers is missing, which were there when it was opened, and while
    they have not been missing for long.
    """
    said = read_marker(pull.body)
    is_same = said is not None and said[0] == result.version
    return result.unseen and is_same and not _is_missing_for_long(world, (result.key, _NUMBERS))


def kept_open(
    world: World, release: str, pull: PullRequest, version: str, reasons: tuple[str, ...]
) -> Outcome:
    """Leave a pull request open, though it must not merge by itself meanwhile."""
    if not world.dry_run:
        let_wait(world, [pull])
    said = f"pull request #{pull.number} stays open until that is seen again or confirmed"
    return Outcome(release, "not confirmed", version, pull.number, (*reasons, said), refused=True)
