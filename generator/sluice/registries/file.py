"""A registry written down in a YAML or JSON file: for networks without a server, and for tests.

    models:
      support-chat:
        versions:
          - version: 7                      # the only required key; a whole number from 1
            source: s3://models/support-chat/7
            stage: Production
            aliases: [champion]             # each alias on one version of a model only
            runId: 3fddb86c
            created: 1795195803419          # milliseconds since the epoch; updated defaults to it
            updated: 1795195803419
            ready: true
            tags: {digest: "sha256:..."}
            files: [config.json, model.safetensors]   # all that lies at the source
            parameters: {lr: "1e-5"}
            metrics:
              mmlu/acc: 0.71                # a number, .nan and .inf included, or in full:
              toxicity: {value: 0.01, dataset: tox@76a479d3, recorded: 1795195803543, run: 3fdd,
                         scorers: 5c04e4, user: eval-bot, experiment: evaluations,
                         evaluator: harness}

The file is read at every call, so that an edit is seen like a change in a server. Text is taken as
written, whatever YAML makes of it: `version: 07` is refused, `tags: {gpu: no}` is the text no.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from sluice.core.finding import FindingsError, UsageError
from sluice.core.model import Contents, Evaluation, Measurement, ModelVersion
from sluice.registries.file_nodes import NodeReader

_LARGEST = 64 << 20

# A version that has no number is a finding already.
_NO_NUMBER = "0"

_VERSION_KEYS = frozenset(
    {"version", "source", "stage", "aliases", "runId", "created", "updated", "ready"}
    | {"tags", "parameters", "metrics", "files"}
)
_METRIC_KEYS = frozenset(
    {"value", "dataset", "recorded", "run", "scorers", "user", "experiment", "evaluator"}
)


@dataclass(frozen=True, slots=True)
class _Entry:
    version: ModelVersion
    evaluation: Evaluation


class FileRegistry:
    """The registry in a file; see `Registry` for the methods.

    Raises:
        UsageError: the file cannot be read.
        FindingsError: it is not of the shape above; each finding has its line.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def versions(
        self,
        names: Collection[str],
        aliased: Collection[str] | None = None,  # noqa: ARG002  # all are read
    ) -> Mapping[str, Sequence[ModelVersion]]:
        """Return every version of each named model, newest first; an absent name is absent."""
        models = self._read_models()
        versions = {}
        for name in sorted(set(names) & set(models)):
            versions[name] = tuple(entry.version for entry in models[name])
        return versions

    def is_gone(self, name: str) -> bool:
        """Whether the file has other models and not this one."""
        models = self._read_models()
        return bool(models) and name not in models

    def fresh(self, version: ModelVersion) -> ModelVersion:
        """Return the version as the file has it now.

        Raises:
            UsageError: it is gone.
        """
        entry = self._find_entry(version)
        if entry:
            return entry.version
        raise UsageError(f"version {version.version} of {version.name!r} is gone from the registry")

    def evaluation(self, version: ModelVersion) -> Evaluation:
        """Return what the file says about the version's quality."""
        entry = self._find_entry(version)
        if entry is None:
            return Evaluation()
        return entry.evaluation

    def _find_entry(self, version: ModelVersion) -> _Entry | None:
        for entry in self._read_models().get(version.name, ()):
            if entry.version.version == version.version:
                return entry
        return None

    def url(self, version: ModelVersion) -> str:  # noqa: ARG002 - the protocol's signature
        """Return nothing: a file has no page."""
        return ""

    def describe(self) -> str:
        """Return the path and how much is in it."""
        return f"file {self._path}, models: {len(self._read_models())}"

    def _read_models(self) -> dict[str, tuple[_Entry, ...]]:
        text = _read(self._path)
        # JSON may indent by tabs, YAML may not; neither allows one inside a quoted JSON text.
        if self._path.suffix.lower() == ".json":
            text = text.replace("\t", " ")
        reader = NodeReader(str(self._path))
        models = _read_models(reader, reader.parse(text))
        if reader.findings:
            raise FindingsError(reader.findings)
        return models


def _read(path: Path) -> str:
    if path.is_fifo():  # nobody may ever write to it
        raise UsageError(f"cannot read the registry file {path}: it is a pipe")
    try:
        with path.open("rb") as file:
            raw = file.read(_LARGEST + 1)
        if len(raw) > _LARGEST:
            raise UsageError(f"the registry file {path} has more than {_LARGEST >> 20} MiB")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the registry file {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"the registry file {path} is not UTF-8 text") from None


def _read_models(reader: NodeReader, root: yaml.Node | None) -> dict[str, tuple[_Entry, ...]]:
    top = reader.read_mapping(root, {"models"})
    if "models" not in top:
        reader.report(root, "the key 'models' is missing")
    models = {}
    for name, node in reader.read_mapping(top.get("models")).items():
        model = reader.read_mapping(node, {"versions"})
        models[name] = _read_versions(reader, name, model.get("versions"))
    return models


def _read_versions(reader: NodeReader, name: str, node: yaml.Node | None) -> tuple[_Entry, ...]:
    entries: dict[str, _Entry] = {}
    holder: dict[str, str] = {}
    for item in reader.read_items(node):
        entry = _read_entry(reader, name, item)
        number = entry.version.version
        if number == _NO_NUMBER:
            continue
        if number in entries:
            reader.report(item, f"version {number} of {name!r} is there twice")
        for alias in entry.version.aliases:
            if holder.setdefault(alias, number) != number:
                reader.report(item, f"alias {alias!r} of {name!r} is on two versions")
        entries[number] = entry
    newest_first = sorted(entries, key=int, reverse=True)
    return tuple(entries[number] for number in newest_first)


def _read_entry(reader: NodeReader, name: str, node: yaml.Node) -> _Entry:
    fields = reader.read_mapping(node, _VERSION_KEYS)
    number = reader.read_integer(fields.get("version"))
    if reader.read_text(fields.get("version")) in {"", "0"}:
        reader.report(node, "a version needs its number, from 1")
    created = reader.read_integer(fields.get("created"))
    aliases = {reader.read_text(alias) for alias in reader.read_items(fields.get("aliases"))}
    stage = reader.read_text(fields.get("stage"))
    if stage == "None":  # what a server calls a version without a stage
        stage = ""
    version = ModelVersion(
        name=name,
        version=str(number),
        source=reader.read_text(fields.get("source")),
        created=created,
        updated=reader.read_integer(fields.get("updated")) or created,
        run_id=reader.read_text(fields.get("runId")),
        stage=stage,
        aliases=tuple(sorted(aliases)),
        tags=reader.read_texts(fields.get("tags")),
        ready=reader.read_flag(fields.get("ready"), default=True),
    )
    return _Entry(version, _read_evaluation(reader, fields, version.run_id))


def _read_evaluation(
    reader: NodeReader, fields: Mapping[str, yaml.Node], run_id: str
) -> Evaluation:
    measurements = {}
    for key, node in sorted(reader.read_mapping(fields.get("metrics")).items()):
        measurements[key] = _read_measurement(reader, node, run_id)
    parameters = reader.read_texts(fields.get("parameters"))
    if "files" not in fields:
        return Evaluation(measurements, parameters)
    files = sorted({reader.read_text(file) for file in reader.read_items(fields["files"])})
    return Evaluation(measurements, parameters, contents=Contents(tuple(files)))


def _read_measurement(reader: NodeReader, node: yaml.Node, run_id: str) -> Measurement:
    if not isinstance(node, yaml.MappingNode):
        return Measurement(reader.read_number(node), run_id=run_id)
    fields = reader.read_mapping(node, _METRIC_KEYS)
    if "value" not in fields:
        reader.report(node, "a metric needs a value")
        return Measurement(math.nan)
    return Measurement(
        value=reader.read_number(fields["value"]),
        run_id=reader.read_text(fields.get("run")) or run_id,
        recorded=reader.read_integer(fields.get("recorded")),
        dataset=reader.read_text(fields.get("dataset")),
        scorers=reader.read_text(fields.get("scorers")),
        user=reader.read_text(fields.get("user")),
        experiment=reader.read_text(fields.get("experiment")),
        evaluator=reader.read_text(fields.get("evaluator")),
    )
