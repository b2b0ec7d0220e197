"""How an engine is called: fields of a spec become arguments, environment and configuration."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sluice.core.capacity import parallel
from sluice.core.catalog.entries import Engine
from sluice.core.catalog.settings import DEVICES, Setting, word
from sluice.core.specs.records import ReleaseSpec
from sluice.core.units import seconds
from sluice.core.workload.sources import Source, beside, parse

CONFIG_FILE = "/etc/engine/config.yaml"
"""Where an engine finds its configuration; JSON, which is YAML too."""
SERVED_NAME = "{servedName}"
"""Stands in the path of a probe for the name under which the model is served."""

GROUPS = ("speculative", "kvOffload", "kvTransfer")
"""Fields of `serving` whose own fields become settings one by one."""

Active = Sequence[tuple[Setting, Any]]


@dataclass(frozen=True, slots=True)
class Invocation:
    """All that tells an engine what to do.

    `secrets` are the Secret and key of each variable that comes from one, `pod_fields` the field of
    the pod of each variable that holds one; `config` is the text of the configuration file, empty
    where there is none.
    """

    command: list[str]
    environment: Mapping[str, str]
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pod_fields: Mapping[str, str] = field(default_factory=dict)
    config: str = ""

    def variables(self) -> list[dict[str, Any]]:
        """The container's environment as Kubernetes has it."""
        secrets = {name: {"secretKeyRef": dict(key)} for name, key in self.secrets.items()}
        fields = {name: {"fieldRef": {"fieldPath": p}} for name, p in self.pod_fields.items()}
        return [
            *({"name": name, "value": value} for name, value in self.environment.items()),
            *({"name": name, "valueFrom": value} for name, value in (secrets | fields).items()),
        ]


def group(engine: Engine, spec: ReleaseSpec, called: Invocation) -> tuple[list[str], list[str]]:
    """The command lines of a group's leader and of its workers, which find it by the group's name.

    What Kubernetes expands in them is the engine's entry's own, and nothing of a spec.
    """
    if parallel.parallel_of(spec).nodes == 1:
        return called.command, []
    return [*called.command, *engine.leader], [*called.command, *engine.worker]


def invocation(engine: Engine, spec: ReleaseSpec, source: Source, served_name: str) -> Invocation:
    """How to call an engine, with Kubernetes' own `$(NAME)` expansion switched off.

    The spec has passed the engine's checks.
    """
    active = _active(engine, spec, source, served_name)
    config = _config(engine, active)
    written = {s.environment: word(v) for s, v in active if s.environment and not s.secret}
    along = {name: value for s, _ in active for name, value in s.variables.items()}
    offline = engine.offline if _staged(spec, source) else {}
    variables = {**engine.environment, **offline, **written, **along}
    return Invocation(
        command=[_unexpanded(part) for part in _command(engine, spec, source, active, config)],
        environment={name: _unexpanded(value) for name, value in variables.items()},
        secrets={s.environment: value for s, value in active if s.secret},
        pod_fields={name: path for s, _ in active for name, path in s.pod_fields.items()},
        config=config,
    )


def command(engine: Engine, spec: ReleaseSpec, source: Source, served_name: str) -> list[str]:
    """The whole command line."""
    return invocation(engine, spec, source, served_name).command


def _staged(spec: ReleaseSpec, source: Source) -> bool:
    """Whether nothing has to be fetched, for the model or for the one that drafts."""
    speculative = spec.serving.speculative
    draft = speculative.model if speculative else None
    return source.staged and (draft is None or parse(draft.source).staged)


def probe_paths(engine: Engine, served_name: str) -> dict[str, str]:
    """The HTTP path of each probe."""
    return {probe: path.replace(SERVED_NAME, served_name) for probe, path in engine.health.items()}


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces, so that equal values are equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def said(spec: ReleaseSpec) -> dict[str, Any]:
    """The fields that are written and that engines may honour, by their paths below spec.

    An engine's entry in the catalog names fields by these paths, so that is how they are read.
    """
    values: dict[str, Any] = {}
    for name, value in spec.document.get("serving", {}).items():
        if name in GROUPS:
            values |= {f"serving.{name}.{inner}": each for inner, each in value.items()}
        else:
            values[f"serving.{name}"] = value
    for path in (DEVICES, *parallel.PATHS, "lifecycle.drain"):
        value = spec.written(path)
        if value is not None:
            values[path] = value
    return values


def field_values(
    engine: Engine, spec: ReleaseSpec, source: Source, served_name: str
) -> dict[str, Any]:
    """The value of each field as settings use it: models by where they are, times in seconds."""
    values = {**engine.defaults, **said(spec), "serving.servedName": served_name}
    values |= parallel.values_of(spec, engine)
    if source.revision:
        values["model.revision"] = source.revision
        if values.get("serving.trustRemoteCode"):
            values["model.codeRevision"] = source.revision
    if "lifecycle.drain" in values:
        values["lifecycle.drain"] = seconds(values["lifecycle.drain"])
    if "serving.chatTemplate" in values:
        values["serving.chatTemplate"] = f"{source.root}/{values['serving.chatTemplate']}"
    if source.streamed:
        values["model.stream"] = source.scheme
    return values | _models(values, source)


def _models(values: Mapping[str, Any], source: Source) -> dict[str, Any]:
    """Where the models beside the main one are."""
    found: dict[str, Any] = {}
    if "serving.speculative.model" in values:
        draft = beside(values["serving.speculative.model"]["source"], source)
        found["serving.speculative.model"] = draft.location
        if draft.revision:
            found["serving.speculative.model.revision"] = draft.revision
    if "serving.adapters" in values:
        found["serving.adapters"] = [
            {"name": each["name"], "location": beside(each["model"]["source"], source).location}
            for each in values["serving.adapters"]
        ]
    return found


def _active(engine: Engine, spec: ReleaseSpec, source: Source, served_name: str) -> Active:
    """The settings that take effect, each with its value as the engine wants it."""
    values = field_values(engine, spec, source, served_name)
    version = spec.engine.version or engine.version
    return [
        (setting, setting.converted(values[path], values))
        for path, settings in engine.fields.items()
        if path in values
        for setting in settings
        if setting.known_in(version) and setting.applies(values) and values[path] != setting.omit
    ]


def _command(
    engine: Engine, spec: ReleaseSpec, source: Source, active: Active, config: str
) -> Iterator[str]:
    yield from engine.command
    if engine.model_flag:
        yield from _spelled(engine, engine.model_flag, source.location)
    else:
        yield source.location
    for name, value in engine.bind.items():
        yield from _spelled(engine, name, value)
    yield from engine.metrics_arguments
    if config:
        yield from _spelled(engine, engine.config_flag, CONFIG_FILE)
    yield from _arguments(engine, active)
    for argument, value in spec.engine.args.items():
        yield from _argument(engine, f"--{argument}", value)


def _arguments(engine: Engine, active: Active) -> Iterator[str]:
    objects: dict[str, dict[str, Any]] = {}
    for setting, value in active:
        if setting.key:
            objects.setdefault(setting.flag, {})[setting.key] = value
    for setting, value in active:
        if setting.key:
            if setting.flag in objects:
                yield from _spelled(engine, setting.flag, canonical_json(objects.pop(setting.flag)))
        elif setting.choices is not None:
            yield from setting.choices[word(value)]
        elif setting.item:
            yield setting.flag
            yield from (_item(setting.item, each) for each in value)
        elif setting.positional:
            yield word(value)
        elif setting.flag:
            yield from _spelled(engine, setting.flag, value)
        yield from setting.extra


def _config(engine: Engine, active: Active) -> str:
    """The configuration file, its keys at their dotted paths."""
    if not engine.config_flag:
        return ""
    document: dict[str, Any] = dict(engine.config)
    for setting, value in active:
        if setting.config:
            *parents, last = setting.config.split(".")
            node = document
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = value
    return canonical_json(document)


def _argument(engine: Engine, flag: str, value: object) -> Iterator[str]:
    if value is True:
        yield flag
    elif value is not False:
        yield from _spelled(engine, flag, value)


def _spelled(engine: Engine, flag: str, value: object) -> Iterator[str]:
    if engine.join:
        yield f"{flag}={word(value)}"
    else:
        yield from (flag, word(value))


def _item(pattern: str, entry: Mapping[str, str]) -> str:
    for name, value in entry.items():
        pattern = pattern.replace(f"{{{name}}}", value)
    return pattern


def _unexpanded(text: str) -> str:
    return text.replace("$(", "$$(")
