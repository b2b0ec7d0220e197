"""Who shares a pull request, by what is asked for, wanted, and left room for."""

from types import SimpleNamespace
from typing import cast

import pytest

from sluice.core.layout import Key
from sluice.core.promotion.branches import branch_at
from sluice.core.promotion.group import Demand
from sluice.core.promotion.sharing import Group, Sharing, shared_by
from sluice.core.specs.environment_records import EnvironmentSpec
from sluice.core.specs.resolve import Release
from sluice.core.specs.rollout_records import Promotion

TEAM, WHOLE = branch_at("prod", "a"), branch_at("prod")
NAMES = ("a/one", "a/two", "b/three")
ALL = {Key("prod", *name.split("/")) for name in NAMES}


def releases(setting: str | None = None) -> list[Release]:
    """Three releases of two teams, in an environment with this setting."""
    environment = SimpleNamespace(spec=EnvironmentSpec(promotion=Promotion(group=setting)))
    keys = [Key("prod", *name.split("/")) for name in NAMES]
    return [cast("Release", SimpleNamespace(key=key, environment=environment)) for key in keys]


def shown(sharing: Sharing) -> dict[str, str]:
    return {f"{key.team}/{key.name}": branch for key, branch in sharing.branches.items()}


@pytest.mark.parametrize(
    ("room", "expected"),
    [
        (None, {}),
        (3, {}),
        (2, {"a/one": TEAM, "a/two": TEAM}),
        (1, dict.fromkeys(NAMES, WHOLE)),
        (0, dict.fromkeys(NAMES, WHOLE)),
    ],
)
def test_by_team_if_that_fits_else_by_environment(
    room: int | None, expected: dict[str, str]
) -> None:
    sharing = shared_by(releases(), {}, (), room)
    assert shown(sharing) == expected
    assert sharing.demand == (Demand(3, room or 0) if expected else None)


def test_what_is_asked_for_needs_no_demand_and_never_means_never() -> None:
    assert shown(shared_by(releases("environment"), {}, (), 1)) == dict.fromkeys(NAMES, WHOLE)
    assert shared_by(releases("environment"), {}, (), 1).demand is None
    assert shown(shared_by(releases("never"), {}, (), 0)) == {}


def test_who_is_settled_is_neither_counted_nor_moved() -> None:
    assert shown(shared_by(releases(), {}, ALL, 0)) == {}
    one = Key("prod", "a", "one")
    assert shown(shared_by(releases(), {}, {one}, 1)) == dict.fromkeys(NAMES[1:], WHOLE)


def test_who_shares_stays_when_there_is_room_again_but_not_where_nobody_demanded_it() -> None:
    members = frozenset(ALL)
    stays = {WHOLE: Group(members, demand=Demand(9, 1))}
    assert shown(shared_by(releases(), stays, ALL, None)) == dict.fromkeys(NAMES, WHOLE)
    assert shown(shared_by(releases(), {WHOLE: Group(members)}, (), None)) == {}
    assert shown(shared_by(releases("never"), stays, (), None)) == {}


def test_a_person_s_branch_keeps_what_it_holds_and_takes_nothing_more() -> None:
    held = {TEAM: Group(frozenset({Key("prod", "a", "one")}), edited=True)}
    for setting in (None, "team", "environment", "never"):
        assert shown(shared_by(releases(setting), held, (), None))["a/one"] == TEAM
    assert shown(shared_by(releases("team"), held, (), None)) == {
        "a/one": TEAM,
        "b/three": branch_at("prod", "b"),
    }
    assert shown(shared_by(releases(), held, (), 1))["a/two"] == WHOLE


def test_one_release_by_itself_makes_no_group() -> None:
    assert shown(shared_by(releases()[:1], {}, (), 0)) == {}
