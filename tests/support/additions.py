"""Something new, step by step as docs/extending.md says: each step gives the house that has it."""

from collections.abc import Callable, Mapping
from dataclasses import make_dataclass, replace
from typing import Any

from sluice.core.gates.case import Case
from sluice.core.gates.table import Condition
from sluice.core.specs.rollout_records import Gate
from sluice.core.takeover.controller import Controller
from sluice.core.takeover.records import Records
from sluice.core.takeover.strategy import Strategy
from support.extensions import (
    CONDITION,
    ENVIRONMENT,
    GATEWAY,
    PROVIDER,
    RELEASE,
    STRATEGY,
    House,
    copy_of,
)

NAME = "linear"
"""What is added is called so, and the kind of its routes `ROUTE`."""
ROUTE = "LinearRoute"
Take = Callable[[House], House]


def _changed(house: House, file: str, change: Callable[[Any], None]) -> House:
    schemas = copy_of(house.schemas)
    change(schemas[file])
    return replace(house, schemas=schemas)


def accept_strategy(schema: Any) -> None:  # noqa: ANN401  # JSON
    schema["$defs"]["rollout"]["properties"]["strategy"]["enum"].append(NAME)


def accept_controller(schema: Any) -> None:  # noqa: ANN401  # JSON
    schema["$defs"]["rollout"]["properties"]["controller"]["enum"].append(NAME)


def accept_provider(schema: Any) -> None:  # noqa: ANN401  # JSON
    traffic = schema["properties"]["spec"]["properties"]["traffic"]
    traffic["properties"]["provider"]["enum"].append(NAME)


def _accept_served(schema: Any) -> None:  # noqa: ANN401  # JSON
    schema["properties"]["providers"]["items"]["enum"].append(NAME)


def _accept_property(schema: Any) -> None:  # noqa: ANN401  # JSON
    schema["$defs"]["gates"]["items"]["properties"][NAME] = {"type": "integer"}


def _describe_strategy(schema: Any) -> None:  # noqa: ANN401  # JSON
    schema["$defs"]["rollout"]["properties"]["strategy"]["description"] += f" {NAME}: by weight."


def paired(records: Records, like: str) -> dict[str, Controller]:
    """The controllers, which work with the new provider as with another one."""
    return {
        name: replace(each, traffic={**each.traffic, NAME: each.traffic[like]})
        for name, each in records.controllers.items()
    }


def _with_provider(house: House) -> House:
    like = house.records.providers["istio"]
    added = replace(like, name=NAME, route=like.route._replace(kind=ROUTE))
    providers = {**house.records.providers, NAME: added}
    return replace(house, records=replace(house.records, providers=providers))


def _with_templates(house: House) -> House:
    added = {f"traffic/{NAME}/{file}.yaml.j2": "[]" for file in ("routes", "beside")}
    return replace(house, templates={**house.templates, **added})


def _with_pairings(house: House) -> House:
    controllers = paired(house.records, "istio")
    return replace(house, records=replace(house.records, controllers=controllers))


def too_few(case: Case) -> str:
    """A gate that wants a number of samples, of which nobody has any."""
    return f"nobody counted {getattr(case.gate, NAME)} samples"


def count_samples(gate: Gate) -> str:
    """The number of samples that a gate wants, in words."""
    return f"of {getattr(gate, NAME)} samples"


def gate_record() -> Any:  # noqa: ANN401  # a type that no checker knows
    """The record of a gate with a field for the new property."""
    fields = [(name, kind, None) for name, kind in Gate.__annotations__.items()]
    return make_dataclass("Gate", [*fields, (NAME, int, None)], frozen=True)


def _with_record(house: House, **fields: Any) -> House:  # noqa: ANN401  # fields of any type
    """The record of the new property with these fields, if it is there."""
    if NAME not in house.conditions:
        return house
    record = replace(house.conditions[NAME], **fields)
    return replace(house, conditions={**house.conditions, NAME: record})


STRATEGY_STEPS: Mapping[str, Take] = {
    "schema": lambda house: _changed(house, RELEASE, accept_strategy),
    "words": lambda house: _changed(house, RELEASE, _describe_strategy),
    "record": lambda house: replace(
        house, strategies={**house.strategies, NAME: Strategy(NAME, "share")}
    ),
    "case": lambda house: replace(house, cases=f"{house.cases}\nstrategy: {NAME}\n"),
}
PROVIDER_STEPS: Mapping[str, Take] = {
    "schema": lambda house: _changed(
        _changed(house, ENVIRONMENT, accept_provider), GATEWAY, _accept_served
    ),
    "record": _with_provider,
    "templates": _with_templates,
    "application": lambda house: replace(house, rendered=house.rendered | {ROUTE}),
    "reading": lambda house: replace(house, readers=house.readers | {ROUTE}),
    "controllers": _with_pairings,
    "counting": lambda house: replace(house, gateways={**house.gateways, NAME: (NAME,)}),
    "case": lambda house: replace(house, cases=f"{house.cases}\nprovider: {NAME}\n"),
}
CONDITION_STEPS: Mapping[str, Take] = {
    "schema": lambda house: _changed(house, RELEASE, _accept_property),
    "field": lambda house: replace(house, gate_fields=house.gate_fields | {NAME}),
    "record": lambda house: replace(house, conditions={**house.conditions, NAME: Condition(NAME)}),
    "judging": lambda house: _with_record(house, complain=too_few),
    "words": lambda house: _with_record(
        house, say=lambda gate: f"of {getattr(gate, NAME)} samples"
    ),
    "example": lambda house: replace(house, examples=house.examples | {NAME}),
    "case": lambda house: replace(house, cases=f"{house.cases}\n    - {NAME}: 3\n"),
}
FOLLOWED = {
    STRATEGY.title: (STRATEGY, STRATEGY_STEPS),
    PROVIDER.title: (PROVIDER, PROVIDER_STEPS),
    CONDITION.title: (CONDITION, CONDITION_STEPS),
}
