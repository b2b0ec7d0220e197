"""Nothing is closed because the registry did not show something once.

What it does not show must be missing in two looks, some time apart, of a registry that shows
something that is known. One run by itself looks once, and closes nothing of this kind.
"""

from typing import NamedTuple

from sluice.core.forge import PullRequest
from sluice.core.promotion.absence import APART, is_shown, lists_something_known
from sluice.core.promotion.converge import Refusal
from sluice.core.promotion.decisions import Missing
from sluice.core.promotion.message import read_marker
from sluice.core.promotion.snapshot import Snapshot
from sluice.core.promotion.wants import Idle

NUMBERS = "numbers"
"""Stands where a version would, which is a number itself: what was measured is missing."""


class Doubt(NamedTuple):
    """What the registry does not show; `counts` says that the time runs until it is believed."""

    missing: Missing
    counts: bool


def find_doubt(snapshot: Snapshot, idle: Idle, proposed: str) -> Doubt | None:
    """Why it is not sure that nobody asks for a proposed version any more; None when it is."""
    versions = snapshot.observed.get(idle.release.spec.model.name)
    if is_shown(idle, versions, proposed):
        return None
    missing = (idle.release.key, proposed)
    if versions is None:
        # Not to be shown a model is not the same as to be told that there is none.
        believable = snapshot.is_gone(idle.release.spec.model.name)
    else:
        believable = lists_something_known(idle, versions, proposed)
    if not believable:
        return Doubt(missing, counts=False)
    return None if _is_missing_for_long(snapshot, missing) else Doubt(missing, counts=True)


def find_refusal_doubt(snapshot: Snapshot, refusal: Refusal, pull: PullRequest) -> Doubt | None:
    """Why a pull request stays, though the very version that it proposes is refused.

    It does while nothing but numbers is missing, which were there when it was opened, and while
    they have not been missing for long.
    """
    marker = read_marker(pull.body)
    if not refusal.unseen or marker is None or marker[0] != refusal.version:
        return None
    missing = (refusal.key, NUMBERS)
    return None if _is_missing_for_long(snapshot, missing) else Doubt(missing, counts=True)


def _is_missing_for_long(snapshot: Snapshot, missing: Missing) -> bool:
    since = snapshot.missing.get(missing, snapshot.now)
    return snapshot.now - since >= APART
