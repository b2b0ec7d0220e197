"""Strategies, traffic providers, controllers and scalers are records that say what they do."""

from collections.abc import Mapping
from typing import Any

import pytest

from sluice.core.specs.records import ReleaseSpec
from sluice.core.takeover.controller import OWN, controller_from
from sluice.core.takeover.provider import provider_from
from sluice.core.takeover.records import Takeover
from sluice.core.takeover.scaler import scaler_from
from sluice.core.takeover.strategy import SHOWN, STRATEGIES, names_of
from support import extensions, trees

RECORDS = trees.tools().records
ROUTE = {"group": "g", "version": "v1", "plural": "as", "kind": "A"}
PROVIDER = {"name": "a", "title": "A", "route": ROUTE, "weights": ".spec.weight"}
CONTROLLER = {
    "name": "a",
    "workload": {"apiVersion": "apps/v1", "kind": "Deployment"},
    "shown": ["share"],
    "arm": {},
    "podLabel": "a",
    "traffic": {},
}
SCALER = {"name": "a", "title": "an A", "apiVersion": "a/v1", "kind": "A"}


@pytest.mark.parametrize("recipe", extensions.RECIPES, ids=lambda recipe: recipe.title)
def test_every_value_of_the_schema_has_all_that_it_takes(recipe: extensions.Recipe) -> None:
    assert recipe.missing(extensions.house()) == []


def test_each_way_to_show_a_candidate_has_a_strategy() -> None:
    assert {strategy.shown for strategy in STRATEGIES.values()} == set(SHOWN)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_does_exactly_one_thing_with_requests(name: str) -> None:
    strategy = STRATEGIES[name]
    ways = (strategy.is_weighted, strategy.is_switched, strategy.chooses, strategy.copies)
    assert sum(ways) == int(strategy.has_candidate)
    assert strategy.needs_route == (strategy.has_candidate and not strategy.is_switched)


def test_strategies_are_named_by_what_they_do() -> None:
    assert names_of(lambda strategy: strategy.takes_match) == "ab or canary"
    assert names_of(lambda strategy: strategy.is_fed) == "canary or shadow"


def test_what_a_provider_refuses_is_something_that_is_asked_of_it() -> None:
    kinds = set(extensions.house().rollout["match"]["properties"])
    for provider in RECORDS.providers.values():
        assert provider.refuses.keys() <= {*SHOWN, *kinds}, provider.name


def test_a_steady_strategy_needs_no_controller() -> None:
    for name in RECORDS.controllers:
        takeover = RECORDS.takeover("rolling", name, None)
        assert (takeover.controller, takeover.mover, takeover.is_ours) == (None, name, False)


def test_a_release_that_says_nothing_is_replaced_by_kubernetes() -> None:
    silent = ReleaseSpec().rollout
    takeover = RECORDS.takeover(silent.strategy, silent.controller, None)
    assert takeover == Takeover(STRATEGIES["rolling"], OWN)


@pytest.mark.parametrize(("field", "name"), [("strategy", "linear"), ("controller", "mover")])
def test_a_name_without_a_record_is_never_taken_for_another(field: str, name: str) -> None:
    chosen = {"strategy": "canary", "controller": OWN, field: name}
    with pytest.raises(KeyError, match=name):
        RECORDS.takeover(chosen["strategy"], chosen["controller"], None)


@pytest.mark.parametrize(
    ("read", "entry"),
    [(provider_from, PROVIDER), (controller_from, CONTROLLER), (scaler_from, SCALER)],
)
def test_an_entry_has_each_key_that_it_needs_and_no_other(
    read: Any,  # noqa: ANN401  # a reader of any record
    entry: Mapping[str, Any],
) -> None:
    assert read(entry).name == "a"
    with pytest.raises(ValueError, match="titel is not one of name"):
        read({**entry, "titel": "A"})
    for key in entry:
        with pytest.raises(ValueError, match=f"lacks {key}|needs {key}"):
            read({other: value for other, value in entry.items() if other != key})


def test_a_provider_writes_weights_in_one_way() -> None:
    with pytest.raises(ValueError, match="a needs weights, or shareAnnotation, and not both"):
        provider_from({**PROVIDER, "shareAnnotation": "example.com/canary"})


def test_a_controller_shows_requests_in_ways_that_there_are() -> None:
    with pytest.raises(ValueError, match="linear is not one of all, none, share"):
        controller_from({**CONTROLLER, "shown": ["linear"]})
