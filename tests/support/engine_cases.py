"""Releases for tests of engines: a spec in, its findings and all that is rendered from it out."""

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import yaml

from sluice.core import pipeline
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.checks.engines import check_engine
from sluice.core.finding import Finding, Severity
from sluice.core.pipeline import Toolkit
from sluice.core.specs.resolve import Release
from sluice.core.workload import calling, sizing, values
from sluice.workspace.toolkit import make_toolkit
from support import trees

CLAIM = "pvc://models/support-chat/7"
COMMIT = "a09a35458c702b33eeacc393d103063234e8bc28"
HUB = f"hf://Qwen/Qwen2.5-7B-Instruct@{COMMIT}"


@cache
def tools() -> Toolkit:
    return make_toolkit()


def catalog() -> Catalog:
    return tools().catalog


@cache
def _base() -> dict[str, bytes]:
    return trees.base()


def engines() -> Iterator[Engine]:
    """Every engine that can be served, in the newest version that is known."""
    for name in catalog().names("engines"):
        engine = catalog().engine(name)
        assert engine is not None
        if engine.status != "refused":
            yield engine


def source(engine: Engine) -> str:
    """A source that the engine can serve."""
    return CLAIM + (f"/model{engine.model_suffix}" if engine.model_suffix else "")


def release(engine: Engine, /, **spec: Mapping[str, Any]) -> Release:
    """A release on this engine; a mapping that is given is put over that of the spec."""
    whole: dict[str, Any] = {
        "model": {
            "name": "support-chat",
            "version": "7",
            "source": source(engine),
            "architecture": "qwen2.5-7b",
        },
        "engine": {"name": engine.name, "version": engine.version},
        "accelerator": {"name": "nvidia-l40s"},
    }
    for key, own in spec.items():
        whole[key] = {**whole.get(key, {}), **own}
    document = {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ModelRelease",
        "metadata": {"name": "chat"},
        "spec": whole,
    }
    raw = yaml.safe_dump(document, sort_keys=False).encode()
    specs = pipeline.read({**_base(), trees.RELEASE: raw}, tools().schemas, tools().records)
    assert specs.findings == []
    return next(iter(specs.releases.values()))


def findings(release: Release) -> list[Finding]:
    """What the engine's checks say."""
    return list(check_engine(release, catalog()))


def errors(release: Release) -> list[Finding]:
    return [f for f in findings(release) if f.severity is Severity.ERROR]


def output(release: Release) -> dict[str, Any]:
    """All that the templates of a release are filled with, as far as engines matter."""
    variant = release.variants[-1]
    parts = sizing.parts_of(variant, catalog())
    name = values.served_name(release, variant.spec)
    own = values.of_variant(release, parts, catalog())
    own.pop("engine")
    called = calling.container(parts.engine, parts.accelerator, variant.spec, parts.source, name)
    plain = {key: _plain(value) for key, value in own.items()}
    return {**plain, **called, "notes": calling.notes(variant.spec)}


def _plain(value: Any) -> Any:  # noqa: ANN401  # anything that a template takes
    is_record = dataclasses.is_dataclass(value) and not isinstance(value, type)
    return dataclasses.asdict(value) if is_record else value
