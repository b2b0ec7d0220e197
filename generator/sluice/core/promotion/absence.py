"""What a registry does not show: when that is a fact, and when it may be its fault.

A registry that is being restored, a proxy that answers in its place, a right that was taken away:
each looks like versions that nobody asks for any more. Reviews are lost when that is believed.
"""

from collections.abc import Collection, Mapping, Sequence

from sluice.core.model import ModelVersion
from sluice.core.promotion.wants import Idle

APART = 60
"""So many seconds lie at least between the two looks that find the same thing absent."""


def is_shown(idle: Idle, versions: Sequence[ModelVersion] | None, proposed: str) -> bool:
    """Whether the registry shows that a proposed version is not asked for any more.

    It does when it shows that version in another stage. That an alias is on no version, or that
    one is not ready, is not shown but only missing.
    """
    if not idle.unseen:
        return True
    follow = idle.release.follows
    found = next((v for v in versions or () if v.version == proposed), None)
    if found is None or follow is None or not follow.stage or not found.stage:
        return False
    return found.stage.lower() != follow.stage.lower()


def lists_something_known(
    idle: Idle, versions: Sequence[ModelVersion] | None, proposed: str
) -> bool:
    """Whether the registry shows a version of the model that Git or a pull request knows."""
    known = {proposed, idle.release.spec.model.version}
    return any(version.version in known for version in versions or ())


def forgotten(
    before: Mapping[str, Collection[str]], now: Mapping[str, Sequence[ModelVersion]]
) -> tuple[int, int]:
    """How many of the versions that were listed before are not listed now, and how many there were.

    Of the models of `before` only.
    """
    total = sum(len(numbers) for numbers in before.values())
    lost = 0
    for name, numbers in before.items():
        lost += len(set(numbers) - {version.version for version in now.get(name, ())})
    return lost, total


def is_fault(lost: int, total: int) -> bool:
    """Whether a registry that lost so many of its versions is more likely broken than tidied up."""
    return total > 1 and 2 * lost > total
