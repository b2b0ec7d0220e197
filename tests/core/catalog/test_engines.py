"""Engines as data: what each is called with, and what a version of it knows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.core.catalog.entries import engine_from
from sluice.core.finding import Severity
from sluice.core.specs.records import read_release
from sluice.core.workload import sizing, values
from sluice.core.workload.arguments import CONFIG_FILE, canonical_json, invocation, probe_paths
from sluice.core.workload.sources import parse
from support import engine_cases as cases
from support import trees

TABLES = sorted((Path(__file__).parent / "engines").glob("*.yaml"))


def table(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return read


def rows() -> Iterator[Any]:
    for path in TABLES:
        read = table(path)
        for row in read["cases"]:
            name = f"{path.stem}: {row['name']}"
            yield pytest.param(read["engine"], read["version"], row, id=name)


@pytest.mark.parametrize(("name", "version", "row"), list(rows()))
def test_an_engine_is_called_as_its_table_says(
    name: str, version: str, row: dict[str, Any]
) -> None:
    engine = cases.catalog().engine(name, version)
    assert engine is not None
    release = cases.release(engine, **row.get("spec", {}))
    assert cases.errors(release) == []
    variant = release.variants[0]
    parts = sizing.parts_of(variant, cases.catalog())
    served = values.served_name(release, variant.spec)
    called = invocation(engine, variant.spec, parts.source, served)
    own = {n: v for n, v in called.environment.items() if engine.environment.get(n) != v}
    expected = row["expected"]
    assert called.command == expected["command"]
    assert own == expected.get("environment", {})
    assert called.secrets == expected.get("secrets", {})
    assert called.pod_fields == expected.get("podFields", {})
    assert called.config == expected.get("config", "")


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_the_facts_of_an_engine(path: Path) -> None:
    read = table(path)
    engine = cases.catalog().engine(read["engine"], read["version"])
    assert engine is not None
    variants = {"": read["image"].pop("default"), **read["image"]}
    assert {name: engine.image(engine.version, name) for name in engine.images} == variants
    assert (engine.port, engine.user) == (read["port"], read["user"])
    assert engine.health == read["probes"]
    assert engine.fraction_of == read["fractionOf"]
    assert engine.metrics == read["metrics"]


def test_every_engine_has_a_table() -> None:
    assert [path.stem for path in TABLES] == sorted(engine.name for engine in cases.engines())


@pytest.mark.parametrize("engine", list(cases.engines()), ids=lambda engine: engine.name)
def test_an_engine_listens_where_the_service_looks(engine: Any) -> None:  # noqa: ANN401  # Engine
    release = cases.release(engine)
    own = cases.output(release)
    said = " ".join([*own["command"], *(v.get("value", "") for v in own["variables"])])
    assert "0.0.0.0" in said  # noqa: S104  # what is asserted
    assert str(engine.port) in said
    assert {"startup", "liveness", "readiness"} == engine.health.keys()
    assert all(path.startswith("/") for path in probe_paths(engine, "chat").values())


def test_a_probe_may_ask_for_the_model_by_its_name() -> None:
    engine = cases.catalog().engine("ollama")
    assert engine is not None
    assert probe_paths(engine, "support")["readiness"] == "/v1/models/support"


def test_no_variable_of_an_engine_is_expanded_by_kubernetes() -> None:
    engine = cases.catalog().engine("vllm")
    assert engine is not None
    release = cases.release(engine, engine={"args": {"seed": 1}})
    written = release.spec.document
    spec = {**written, "engine": {**written["engine"], "args": {"seed": "$(HOME)"}}}
    source = sizing.parts_of(release.variants[0], cases.catalog()).source
    assert "--seed=$$(HOME)" in invocation(engine, read_release(spec), source, "chat").command


def test_a_configuration_file_is_the_same_text_for_the_same_values() -> None:
    assert canonical_json({"b": 1.0, "a": {"d": "é", "c": True}}) == canonical_json(
        {"a": {"c": True, "d": "é"}, "b": 1.0}
    )
    assert " " not in canonical_json({"a": [1, 2], "b": {"c": 1}})
    engine = cases.catalog().engine("tensorrt-llm")
    assert engine is not None
    command = cases.output(cases.release(engine))["command"]
    assert f"{engine.config_flag}={CONFIG_FILE}" in command


def test_a_whole_number_is_written_as_one() -> None:
    engine = cases.catalog().engine("vllm")
    assert engine is not None
    serving = {"maxModelLen": 8192.0, "speculative": {"method": "mtp", "tokens": 2.0}}
    command = cases.output(cases.release(engine, serving=serving))["command"]
    assert "--max-model-len=8192" in command
    assert '--speculative-config={"method":"mtp","num_speculative_tokens":2}' in command


ENTRY: dict[str, Any] = {
    "name": "example",
    "title": "Example",
    "status": "active",
    "versions": {"minimum": "1.0.0", "known": "3.0.0"},
    "image": {"repository": "registry.example.com/example", "variants": {"b": {"tagSuffix": "-b"}}},
    "user": 1000,
    "sharedMemory": "",
    "command": ["example"],
    "joinArguments": True,
    "port": 80,
    "bind": {},
    "model": {"flag": "--model"},
    "health": {"startup": "/", "liveness": "/", "readiness": "/"},
    "startupSeconds": 1,
    "fields": {
        "serving.maxModelLen": [
            {"flag": "--length", "until": "2.0.0"},
            {"flag": "--max-length", "since": "2.0.0"},
        ]
    },
    "metrics": {
        "path": "/metrics",
        "names": {
            "runningRequests": [
                {"name": "running", "until": "2.0.0"},
                {"name": "requests_running", "since": "2.0.0"},
            ],
            "queuedRequests": [{"name": "queued", "since": "3.0.0"}],
        },
    },
    "flags": ["seed", {"name": "turbo", "since": "2.0.0"}],
    "removed": {"slow": {"use": "seed", "since": "2.0.0"}},
}


@pytest.mark.parametrize(
    ("version", "metrics", "flags"),
    [
        ("1.9.0", {"runningRequests": "running"}, {"seed"}),
        ("2.0.0", {"runningRequests": "requests_running"}, {"seed", "turbo"}),
        (
            "3.1.0",
            {"runningRequests": "requests_running", "queuedRequests": "queued"},
            {"seed", "turbo"},
        ),
        (
            "",
            {"runningRequests": "requests_running", "queuedRequests": "queued"},
            {"seed", "turbo"},
        ),
    ],
)
def test_metrics_and_flags_are_those_of_the_version(
    version: str, metrics: dict[str, str], flags: set[str]
) -> None:
    engine = engine_from(ENTRY, version)
    assert engine.metrics == {"path": "/metrics", **metrics}
    assert engine.flags == flags


@pytest.mark.parametrize(("version", "flag"), [("1.9.0", "--length"), ("2.0.0", "--max-length")])
def test_a_field_becomes_the_flag_of_the_version(version: str, flag: str) -> None:
    engine = engine_from(ENTRY, version)
    spec = {"engine": {"version": version}, "serving": {"maxModelLen": 1024}}
    source = parse(cases.CLAIM)
    assert f"{flag}=1024" in invocation(engine, read_release(spec), source, "chat").command


def test_an_entry_with_an_unknown_key_is_not_read() -> None:
    broken = {**ENTRY, "fields": {"serving.dtype": {"flags": "--dtype"}}}
    with pytest.raises(ValueError, match="flags is not a key of a setting"):
        engine_from(broken)


def test_a_maintained_engine_warns_and_names_the_alternatives() -> None:
    engine = cases.catalog().engine("tgi")
    assert engine is not None
    (finding,) = cases.findings(cases.release(engine))
    assert (finding.rule, finding.severity) == ("ENG010", Severity.WARNING)
    assert finding.help == "plan a move to vllm or sglang"


def test_no_engine_is_named_in_code_or_templates() -> None:
    words = set(cases.catalog().names("engines")) | {"llama.cpp", "trtllm"}
    package = trees.ROOT / "generator" / "sluice"
    for path in [*(package / "core").rglob("*.py"), *package.rglob("*.j2")]:
        text = path.read_text("utf-8").lower()
        assert [word for word in sorted(words) if word in text] == [], path
