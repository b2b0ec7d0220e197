"""The recipes of docs/extending.md: followed, all is there; a step left out is named."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from sluice.core.catalog.entries import Catalog
from sluice.core.gates import judge as judging
from sluice.core.gates import table as gate_table
from sluice.core.gates.table import CONDITIONS, Condition
from sluice.core.specs.reader import read_record
from sluice.core.specs.rollout_records import Gate
from sluice.core.specs.schema import Schemas
from sluice.core.takeover import strategy
from sluice.core.takeover.strategy import STRATEGIES
from sluice.core.workload.bind import Templates
from sluice.core.workload.render import Renderer
from sluice.system import resources
from sluice.workspace.workspace import Workspace
from support import extensions, gate_examples, trees
from support.additions import (
    FOLLOWED,
    NAME,
    ROUTE,
    accept_controller,
    accept_provider,
    accept_strategy,
    count_samples,
    gate_record,
    paired,
    too_few,
)
from support.extensions import ENVIRONMENT, RELEASE
from support.extensions import house as house_as_it_is

PAGE = (trees.ROOT / "docs" / "extending.md").read_text("utf-8")


STEPS = [(title, step) for title, (recipe, _) in FOLLOWED.items() for step in recipe.steps]


def follow(title: str, without: str = "") -> list[str]:
    """What is missing when all steps are taken but one."""
    recipe, steps = FOLLOWED[title]
    house = house_as_it_is()
    for step in recipe.steps:
        if step != without:
            house = steps[step](house)
    return recipe.missing(house)


@pytest.mark.parametrize("title", sorted(FOLLOWED))
def test_who_follows_a_recipe_has_all_that_it_takes(title: str) -> None:
    assert follow(title) == []


@pytest.mark.parametrize(("title", "step"), STEPS)
def test_a_step_that_is_left_out_is_named(title: str, step: str) -> None:
    missing = follow(title, without=step)
    assert missing
    assert all(text.startswith(f"{title}, step `{step}`: ") for text in missing), missing
    assert all(NAME in text or ROUTE in text for text in missing)


@pytest.mark.parametrize("title", sorted(FOLLOWED))
def test_the_page_has_the_steps_in_their_order(title: str) -> None:
    section = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\d+\. `(\w+)`:", section, re.MULTILINE) == [*FOLLOWED[title][0].steps]


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`([\w/.-]+/[\w.-]*)`", PAGE))
    package = trees.ROOT / "generator" / "sluice"
    lost = {
        name for name in named if not any((top / name).exists() for top in (trees.ROOT, package))
    }
    assert {name for name in lost if "NAME" not in name} == set()


@pytest.mark.parametrize("title", sorted(FOLLOWED))
def test_the_schema_alone_is_not_enough(title: str) -> None:
    recipe, steps = FOLLOWED[title]
    missing = recipe.missing(steps["schema"](house_as_it_is()))
    assert {text.partition(":")[0] for text in missing} >= {f"{title}, step `record`"}


def schemas_with(change: Mapping[str, Any]) -> Schemas:
    files = {file: extensions.copy_of(resources.read_schema(file)) for file in change}
    for file, edit in change.items():
        edit(files[file])
    return Schemas(lambda name: files[name] if name in files else resources.read_schema(name))


def manifests_of(files: Mapping[str, bytes], tools: Any) -> dict[str, bytes]:  # noqa: ANN401  # a toolkit
    workspace = Workspace(dict(files))
    vars(workspace)["tools"] = tools
    assert workspace.check() == []
    return {path: manifest.content() for path, manifest in workspace.render().items()}


def renamed(files: Mapping[str, bytes], old: str, new: str) -> dict[str, bytes]:
    assert any(old.encode() in raw for raw in files.values())
    return {path: raw.replace(old.encode(), new.encode()) for path, raw in files.items()}


@pytest.mark.parametrize(
    "case",
    ["traffic-by-istio", "controller-in-the-cluster-canary", "flagger-canary-by-nginx"],
)
def test_a_strategy_does_what_its_record_says_and_its_name_nothing(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with the record of another renders the same bytes, under whatever name."""
    files = trees.case(trees.CASES / "valid" / case)
    expected = trees.outcome(files)[1]
    like = replace(STRATEGIES["canary"], name=NAME)
    monkeypatch.setattr(strategy, "STRATEGIES", {**STRATEGIES, NAME: like})
    accepting = schemas_with({RELEASE: accept_strategy})
    tools = replace(trees.tools(), schemas=accepting)
    found = manifests_of(renamed(files, "strategy: canary", f"strategy: {NAME}"), tools)
    assert found == expected


@pytest.mark.parametrize(
    ("like", "case"),
    [
        ("istio", "traffic-by-istio"),
        ("istio", "strategy-shadow-of-istio"),
        ("istio", "controller-in-the-cluster-istio"),
        ("istio", "flagger-shadow-of-istio"),
        ("gateway", "traffic-by-the-gateway-api"),
        ("gateway", "flagger-canary-by-the-gateway-api"),
        ("nginx", "controller-in-the-cluster-ab-by-cookie-of-nginx"),
        ("nginx", "strategy-ab-by-cookie-of-nginx"),
    ],
)
def test_a_provider_does_what_its_record_says_and_its_name_nothing(like: str, case: str) -> None:
    """One with the record and the templates of another renders the same bytes."""
    files = trees.case(trees.CASES / "valid" / case)
    expected = trees.outcome(files)[1]
    tools = trees.tools()
    known = tools.records.providers
    records = replace(
        tools.records,
        providers={**known, NAME: replace(known[like], name=NAME)},
        controllers=paired(tools.records, like),
    )
    texts = resources.read_templates()
    prefix = f"traffic/{like}/"
    mine = {
        f"traffic/{NAME}/{p[len(prefix) :]}": t for p, t in texts.items() if p.startswith(prefix)
    }
    accepting = schemas_with({ENVIRONMENT: accept_provider})
    catalog = Catalog(
        lambda family, name: entry_like(family, name, like),
        tools.catalog.names,
        tools.catalog.thresholds,
    )
    renderer = Renderer(Templates(lambda: {**texts, **mine}), catalog)
    own = replace(tools, schemas=accepting, records=records, renderer=renderer, catalog=catalog)
    assert manifests_of(renamed(files, f"provider: {like}", f"provider: {NAME}"), own) == expected


def entry_like(family: str, name: str, like: str) -> Mapping[str, Any] | None:
    """An entry of the catalog; who counts for the new provider counts as for the other one."""
    if family != "gateways":
        return resources.read_catalog_entry(family, name)
    entry = resources.read_catalog_entry(family, like if name == NAME else name)
    return {**entry, "providers": [*entry["providers"], NAME]} if entry else None


@pytest.mark.parametrize(
    ("like", "case"),
    [
        ("flagger", "flagger-canary-by-nginx"),
        ("argo-rollouts", "controller-in-the-cluster-canary"),
    ],
)
def test_a_controller_does_what_its_record_says_and_its_name_nothing(like: str, case: str) -> None:
    """One with the record and the templates of another renders the same bytes."""
    tools, texts = trees.tools(), resources.read_templates()
    files = trees.case(trees.CASES / "valid" / case)
    known = tools.records.controllers
    controllers = {**known, NAME: replace(known[like], name=NAME)}
    folder = f"controllers/{like}/"
    copied = {path.replace(folder, f"controllers/{NAME}/"): text for path, text in texts.items()}
    own = replace(
        tools,
        schemas=schemas_with({RELEASE: accept_controller}),
        records=replace(tools.records, controllers=controllers),
        renderer=Renderer(Templates(lambda: {**texts, **copied}), tools.catalog),
    )
    found = manifests_of(renamed(files, f"controller: {like}", f"controller: {NAME}"), own)
    assert found == trees.outcome(files)[1]


def test_a_condition_is_asked_as_soon_as_it_has_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {"metric": "acc", "min": 0.5, NAME: 1000}
    assert gate_table.unknown_properties(written) == [NAME]
    record = Condition(NAME, complain=too_few, say=count_samples)
    for module in (gate_table, judging):
        monkeypatch.setattr(module, "CONDITIONS", {**CONDITIONS, NAME: record})
    refusal = judging.refuse_unknown(read_record(Gate, written), written)
    assert refusal is not None, "the record of a gate has no field for it"
    assert refusal.reason.startswith(f"nothing asks for {NAME}")
    gate = read_record(gate_record(), written)
    assert judging.refuse_unknown(gate, written) is None
    (result,) = judging.judge([gate], gate_examples.evaluation(0.9), None)
    assert result.reason == "nobody counted 1000 samples"
    assert result.condition == "at least 0.5, of 1000 samples"
