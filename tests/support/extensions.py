"""What there must be of a strategy, a traffic provider, a controller, a scaler and a gate's
property: schema, record, templates, cases. A step that was left out is named.

docs/extending.md has the recipes; its steps have these names.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sluice.core.gates.conditions import JUDGES
from sluice.core.gates.table import CONDITIONS, Condition
from sluice.core.gates.words import no_words
from sluice.core.observation.live_routes import RULES_OF
from sluice.core.specs.reader import key_of
from sluice.core.specs.rollout_records import Gate
from sluice.core.takeover import scaler
from sluice.core.takeover.controller import OWN
from sluice.core.takeover.records import Records
from sluice.core.takeover.strategy import DEFAULT, STRATEGIES, Strategy
from sluice.core.workload.objects import ROUTES
from sluice.system import resources
from support import trees
from support.gate_examples import EXAMPLES

SECOND_ROUTES = ("Ingress",)
"""Kinds of routes that are read where the candidate has one of its own."""
RELEASE, ENVIRONMENT, GATEWAY = (
    f"{name}.schema.json" for name in ("model-release", "environment", "gateway")
)


@dataclass(frozen=True)
class House:
    """Every place that has to know of a strategy, a provider, a controller or a gate's property.

    `gate_fields` are the properties that the record of a gate has a field for; `cases` is the text
    of all valid cases; `readers` are the kinds of routes that can be read from
    a cluster, `rendered` those that have an application of their own; `examples` are the
    properties of a gate of which a test shows that they are asked.
    """

    schemas: Mapping[str, Any]
    records: Records
    strategies: Mapping[str, Strategy]
    conditions: Mapping[str, Condition]
    templates: Mapping[str, str]
    gateways: Mapping[str, tuple[str, ...]]
    cases: str
    gate_fields: frozenset[str] = frozenset(map(key_of, Gate._fields))
    judges: frozenset[str] = frozenset(JUDGES)
    readers: frozenset[str] = frozenset(RULES_OF)
    rendered: frozenset[str] = ROUTES
    examples: frozenset[str] = frozenset(EXAMPLES)

    @property
    def rollout(self) -> Any:  # noqa: ANN401  # JSON
        return self.schemas[RELEASE]["$defs"]["rollout"]["properties"]

    @property
    def gate(self) -> Any:  # noqa: ANN401  # JSON
        return self.schemas[RELEASE]["$defs"]["gates"]["items"]["properties"]

    @property
    def environment(self) -> Any:  # noqa: ANN401  # JSON
        return self.schemas[ENVIRONMENT]["properties"]["spec"]["properties"]

    @property
    def traffic(self) -> Any:  # noqa: ANN401  # JSON
        return self.environment["traffic"]["properties"]

    @property
    def served(self) -> list[str]:
        """The providers that a gateway of a repository's own may serve."""
        found: list[str] = self.schemas[GATEWAY]["properties"]["providers"]["items"]["enum"]
        return found


@cache
def house() -> House:
    """The house as it is; nobody may change it."""
    catalog = trees.tools().catalog
    gateways = {name: catalog.gateway(name) for name in catalog.names("gateways")}
    folders = [trees.below(folder) for folder in trees.cases("valid")]
    return House(
        schemas={name: resources.read_schema(name) for name in (RELEASE, ENVIRONMENT, GATEWAY)},
        records=trees.tools().records,
        strategies=STRATEGIES,
        conditions=CONDITIONS,
        templates=resources.read_templates(),
        gateways={name: entry.providers for name, entry in gateways.items() if entry},
        cases="\n".join(raw.decode() for files in folders for raw in files.values()),
    )


def copy_of(schemas: Mapping[str, Any]) -> Any:  # noqa: ANN401  # JSON
    """Schemas that may be changed."""
    return json.loads(json.dumps(schemas))


Step = Callable[[House, str], Iterator[str]]


def _schema_of_strategy(at: House, name: str) -> Iterator[str]:
    if name not in at.rollout["strategy"]["enum"]:
        yield f"schemas/{RELEASE} does not accept the strategy {name}"


def _words_of_strategy(at: House, name: str) -> Iterator[str]:
    if not re.search(rf"\b{re.escape(name)}\b", at.rollout["strategy"]["description"]):
        yield f"the description of `strategy` in schemas/{RELEASE} says nothing of {name}"


def _record_of_strategy(at: House, name: str) -> Iterator[str]:
    if name not in at.strategies:
        yield f"core/takeover/strategy.py has no record of {name}"


def _case_of_strategy(at: House, name: str) -> Iterator[str]:
    if name != DEFAULT.name and not re.search(rf"strategy: {name}\b", at.cases):
        yield f"no case under tests/cases/valid has `strategy: {name}`"


def _schema_of_provider(at: House, name: str) -> Iterator[str]:
    for file, enum in ((ENVIRONMENT, at.traffic["provider"]["enum"]), (GATEWAY, at.served)):
        if name not in enum:
            yield f"schemas/{file} does not accept the provider {name}"


def _record_of_provider(at: House, name: str) -> Iterator[str]:
    if name not in at.records.providers:
        yield f"there is no catalog/traffic/{name}.yaml"
        return
    for field in at.records.providers[name].fields.keys() - at.traffic.keys():
        yield f"schemas/{ENVIRONMENT} has no field traffic.{field}, which {name} honours"


def _templates_of_provider(at: House, name: str) -> Iterator[str]:
    for file in ("routes", "beside"):
        if f"traffic/{name}/{file}.yaml.j2" not in at.templates:
            yield f"there is no templates/traffic/{name}/{file}.yaml.j2"


def _application_of_provider(at: House, name: str) -> Iterator[str]:
    provider = at.records.providers.get(name)
    if provider is not None and provider.route.kind not in at.rendered:
        yield f"ROUTES in core/workload/objects.py has no {provider.route.kind}"


def _reading_of_provider(at: House, name: str) -> Iterator[str]:
    provider = at.records.providers.get(name)
    if provider is None:
        return
    readers = SECOND_ROUTES if provider.has_second_route else at.readers
    if provider.route.kind not in readers:
        yield f"core/observation/live_routes.py reads no {provider.route.kind}"


def _controllers_of_provider(at: House, name: str) -> Iterator[str]:
    for controller in at.records.controllers.values():
        if name not in controller.traffic:
            yield f"catalog/controllers/{controller.name}.yaml says nothing of traffic by {name}"


def _counting_of_provider(at: House, name: str) -> Iterator[str]:
    if not any(name in providers for providers in at.gateways.values()):
        yield f"no entry of catalog/gateways serves routes of {name}"


def _case_of_provider(at: House, name: str) -> Iterator[str]:
    if not re.search(rf"provider: {name}\b", at.cases):
        yield f"no case under tests/cases/valid has `provider: {name}`"


def _schema_of_controller(at: House, name: str) -> Iterator[str]:
    if name not in at.rollout["controller"]["enum"]:
        yield f"schemas/{RELEASE} does not accept the controller {name}"


def _record_of_controller(at: House, name: str) -> Iterator[str]:
    if name not in at.records.controllers:
        yield f"there is no catalog/controllers/{name}.yaml"
        return
    for field in set(at.records.controllers[name].without) - at.rollout.keys():
        yield f"catalog/controllers/{name}.yaml has nothing for {field}, which no rollout has"


def _templates_of_controller(at: House, name: str) -> Iterator[str]:
    controller = at.records.controllers.get(name)
    if controller is None:
        return
    pairings = (controller.unrouted, *controller.traffic.values())
    files = {"objects.yaml.j2", controller.template, *(each.template for each in pairings)}
    for file in sorted(files - {""}):
        if f"controllers/{name}/{file}" not in at.templates:
            yield f"there is no templates/controllers/{name}/{file}"


def _providers_of_controller(at: House, name: str) -> Iterator[str]:
    controller = at.records.controllers.get(name)
    for provider in at.records.providers if controller else ():
        if controller and provider not in controller.traffic:
            yield f"catalog/controllers/{name}.yaml says nothing of traffic by {provider}"


def _case_of_controller(at: House, name: str) -> Iterator[str]:
    if not re.search(rf"controller: {name}\b", at.cases):
        yield f"no case under tests/cases/valid has `controller: {name}`"


def _schema_of_scaler(at: House, name: str) -> Iterator[str]:
    if name not in at.environment["autoscaling"]["properties"]["provider"]["enum"]:
        yield f"schemas/{ENVIRONMENT} does not accept the scaler {name}"


def _record_of_scaler(at: House, name: str) -> Iterator[str]:
    if name not in at.records.scalers:
        yield f"there is no catalog/scalers/{name}.yaml"


def _templates_of_scaler(at: House, name: str) -> Iterator[str]:
    record = at.records.scalers.get(name)
    files = ("scaler",) if record and record.queries else ("scaler", "rules", "adapter")
    for file in files:
        if f"scaling/{name}/{file}.yaml.j2" not in at.templates:
            yield f"there is no templates/scaling/{name}/{file}.yaml.j2"


def _case_of_scaler(at: House, name: str) -> Iterator[str]:
    if name != scaler.DEFAULT and not re.search(rf"provider: {name}\b", at.cases):
        yield f"no case under tests/cases/valid has `provider: {name}`"


def _schema_of_condition(at: House, name: str) -> Iterator[str]:
    if name not in at.gate:
        yield f"schemas/{RELEASE} accepts no {name} in a gate"


def _field_of_condition(at: House, name: str) -> Iterator[str]:
    if name not in at.gate_fields:
        yield f"Gate in core/specs/rollout_records.py has no field for {name}"


def _record_of_condition(at: House, name: str) -> Iterator[str]:
    if name not in at.conditions:
        yield f"core/gates/table.py has no record of {name}"
        return
    inner = at.gate.get(name, {}).get("properties", {}).keys()
    for field in sorted(inner ^ set(at.conditions[name].fields)):
        yield f"the record of {name} in core/gates/table.py and the schema differ in {field}"


def _judging_of_condition(at: House, name: str) -> Iterator[str]:
    record = at.conditions.get(name)
    if record is None:
        return
    if record.is_subject and name not in at.judges:
        yield f"JUDGES in core/gates/conditions.py has none for {name}"
    elif not (record.is_subject or record.complain or record.admit or record.alters):
        yield f"the record of {name} in core/gates/table.py judges nothing: give it `complain`"


def _words_of_condition(at: House, name: str) -> Iterator[str]:
    record = at.conditions.get(name)
    silent = record is not None and record.say is no_words
    if record is not None and silent and not (record.is_subject or record.alters):
        yield f"the record of {name} in core/gates/table.py says nothing: give it `say`"


def _example_of_condition(at: House, name: str) -> Iterator[str]:
    if name not in at.examples:
        yield f"tests/support/gate_examples.py shows no version that is judged by {name}"


def _case_of_condition(at: House, name: str) -> Iterator[str]:
    if not re.search(rf"\b{name}:", at.cases):
        yield f"no case under tests/cases/valid has a gate with {name}"


@dataclass(frozen=True)
class Recipe:
    """How to add something: its steps, in order, and the names that there are at any of them."""

    title: str
    names: Callable[[House], set[str]]
    steps: Mapping[str, Step]

    def missing(self, at: House) -> list[str]:
        """The steps that were left out, each with its name."""
        return [
            f"{self.title}, step `{step}`: {problem}"
            for name in sorted(self.names(at))
            for step, check in self.steps.items()
            for problem in check(at, name)
        ]


STRATEGY = Recipe(
    "Add a strategy",
    lambda at: {*at.rollout["strategy"]["enum"], *at.strategies},
    {
        "schema": _schema_of_strategy,
        "words": _words_of_strategy,
        "record": _record_of_strategy,
        "case": _case_of_strategy,
    },
)
PROVIDER = Recipe(
    "Add a traffic provider",
    lambda at: {*at.traffic["provider"]["enum"], *at.served, *at.records.providers},
    {
        "schema": _schema_of_provider,
        "record": _record_of_provider,
        "templates": _templates_of_provider,
        "application": _application_of_provider,
        "reading": _reading_of_provider,
        "controllers": _controllers_of_provider,
        "counting": _counting_of_provider,
        "case": _case_of_provider,
    },
)
CONDITION = Recipe(
    "Add a gate condition",
    lambda at: {*at.gate, *at.conditions},
    {
        "schema": _schema_of_condition,
        "field": _field_of_condition,
        "record": _record_of_condition,
        "judging": _judging_of_condition,
        "words": _words_of_condition,
        "example": _example_of_condition,
        "case": _case_of_condition,
    },
)
CONTROLLER = Recipe(
    "Add a controller",
    lambda at: {*at.rollout["controller"]["enum"], *at.records.controllers} - {OWN},
    {
        "schema": _schema_of_controller,
        "record": _record_of_controller,
        "templates": _templates_of_controller,
        "providers": _providers_of_controller,
        "case": _case_of_controller,
    },
)
SCALER = Recipe(
    "Add a scaler",
    lambda at: {
        *at.environment["autoscaling"]["properties"]["provider"]["enum"],
        *at.records.scalers,
    },
    {
        "schema": _schema_of_scaler,
        "record": _record_of_scaler,
        "templates": _templates_of_scaler,
        "case": _case_of_scaler,
    },
)
RECIPES = (STRATEGY, PROVIDER, CONTROLLER, SCALER, CONDITION)
