"""Which releases share a pull request: as environments ask, or as the limits of a forge demand.

A release that is in such a pull request stays there until that is merged or closed.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sluice.core.layout import Key
from sluice.core.promotion.branches import branch_at
from sluice.core.promotion.group import Demand, branch_of_group
from sluice.core.specs.resolve import Release

# What `promotion.group` says where each release has its own, whatever the limits of the forge.
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Group:
    """A shared branch: the releases in it, whose hands it is in, and what demanded it."""

    members: frozenset[Key]
    edited: bool = False
    demand: Demand | None = None


@dataclass(frozen=True, slots=True)
class Sharing:
    """The branch of each release that shares one; the groups that there are or are to be.

    `opening` are the releases that will have a pull request of their own opened otherwise.
    """

    branches: Mapping[Key, str] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    opening: tuple[Key, ...] = ()
    demand: Demand | None = None


ALONE = Sharing()


def shared_by(
    releases: Sequence[Release],
    groups: Mapping[str, Group],
    settled: Collection[Key],
    room: int | None,
) -> Sharing:
    """Decide for releases that want a version proposed.

    Args:
        releases: in order.
        groups: the shared branches that there are; one that a person edited keeps what it holds.
        settled: releases whose own pull request is open, or that will not have one opened.
        room: how many pull requests may be opened now; None where that does not matter.
    """
    known = {release.key: _known(release, groups) for release in releases}
    branches = {key: branch for key, branch in known.items() if branch}
    opening = [r for r in releases if not known[r.key] and r.key not in settled]
    keys = tuple(release.key for release in opening)
    wanted = len(keys) + len(set(branches.values()) - groups.keys())
    if room is None or wanted <= room:
        return Sharing(branches, groups, keys)
    demand = Demand(wanted, room)
    free = [release.key for release in opening if _setting(release) is None]
    places = _places(free, room, groups)
    made = {branch: Group(frozenset(found), demand=demand) for branch, found in places.items()}
    more = {key: branch for branch, found in places.items() for key in found}
    return Sharing({**branches, **more}, {**made, **groups}, keys, demand)


def _known(release: Release, groups: Mapping[str, Group]) -> str:
    """The branch that is settled for a release: a person's, the one asked for, or where it is."""
    asked = branch_of_group(release)
    holding = [branch for branch, group in sorted(groups.items()) if release.key in group.members]
    edited = next((branch for branch in holding if groups[branch].edited), "")
    if edited or asked:
        return edited or ("" if _is_edited(asked, groups) else asked)
    stays = next((branch for branch in holding if groups[branch].demand), "")
    return "" if _setting(release) == NEVER else stays


def _places(keys: Sequence[Key], room: int, groups: Mapping[str, Group]) -> dict[str, list[Key]]:
    """By team where there is room for so many, else by environment; never one release by itself."""
    teams, whole = defaultdict(list), defaultdict(list)
    for key in keys:
        teams[branch_at(key.environment, key.team)].append(key)
        whole[branch_at(key.environment)].append(key)
    places = teams if len(teams) <= room else whole
    return {
        branch: found
        for branch, found in places.items()
        if not _is_edited(branch, groups) and (branch in groups or len(found) > 1)
    }


def _is_edited(branch: str, groups: Mapping[str, Group]) -> bool:
    return branch in groups and groups[branch].edited


def _setting(release: Release) -> str | None:
    return release.environment.spec.promotion.group
