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

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from sluice.core.finding import Finding, FindingsError, Place, UsageError
from sluice.core.model import Contents, Evaluation, Measurement, ModelVersion

UNREADABLE = "REG001"
WRONG = "REG002"

_LARGEST = 64 << 20

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_INFINITY = re.compile(r"([-+]?)\.?inf(inity)?", re.IGNORECASE)
_NAN = re.compile(r"\.?nan", re.IGNORECASE)
# A version that has no number is a finding already.
_NO_NUMBER = "0"
_NULL_TAG = "tag:yaml.org,2002:null"
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")

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
        models = self._models()
        known = sorted(set(names) & set(models))
        return {name: tuple(entry.version for entry in models[name]) for name in known}

    def is_gone(self, name: str) -> bool:
        """Whether the file has other models and not this one."""
        models = self._models()
        return bool(models) and name not in models

    def fresh(self, version: ModelVersion) -> ModelVersion:
        """Return the version as the file has it now."""
        entry = self._entry(version)
        if entry:
            return entry.version
        raise UsageError(f"version {version.version} of {version.name!r} is gone from the registry")

    def evaluation(self, version: ModelVersion) -> Evaluation:
        """Return what the file says about the version's quality."""
        entry = self._entry(version)
        return entry.evaluation if entry else Evaluation()

    def _entry(self, version: ModelVersion) -> _Entry | None:
        entries = self._models().get(version.name, ())
        return next((e for e in entries if e.version.version == version.version), None)

    def url(self, version: ModelVersion) -> str:  # noqa: ARG002 - the protocol's signature
        """Return nothing: a file has no page."""
        return ""

    def describe(self) -> str:
        """Return the path and how much is in it."""
        return f"file {self._path}, models: {len(self._models())}"

    def _models(self) -> dict[str, tuple[_Entry, ...]]:
        text = _read(self._path)
        # JSON may indent by tabs, YAML may not; neither allows one inside a quoted JSON text.
        if self._path.suffix.lower() == ".json":
            text = text.replace("\t", " ")
        reader = _Reader(str(self._path))
        models = _models(reader, reader.parse(text))
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


@dataclass(frozen=True, slots=True)
class _Reader:
    """Takes values out of nodes; what is wrong becomes a finding and an empty value."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    def parse(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)
            problem = error.problem or error.context or "unreadable"
        except yaml.YAMLError as error:
            place, problem = Place(self.file), " ".join(str(error).split())
        except RecursionError:
            place, problem = Place(self.file), "it is nested too deep"
        raise FindingsError([Finding(place, UNREADABLE, f"not YAML: {problem}")])

    def wrong(self, node: yaml.Node | None, message: str, advice: str = "") -> None:
        mark = node.start_mark if node else None
        place = Place(self.file, mark.line + 1, mark.column + 1) if mark else Place(self.file)
        self.findings.append(Finding(place, WRONG, message, advice))

    def mapping(
        self, node: yaml.Node | None, keys: Collection[str] | None = None
    ) -> dict[str, yaml.Node]:
        """Return the entries; `keys` are those that are allowed, None for any."""
        if _is_nothing(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, "expected keys and values")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = self.text(key_node)
            if key in entries:
                self.wrong(key_node, f"the key {key!r} is there twice")
            elif keys is not None and key not in keys:
                self.wrong(key_node, f"unknown key {key!r}", _suggestion(key, keys))
            entries[key] = value
        return entries

    def items(self, node: yaml.Node | None) -> list[yaml.Node]:
        if _is_nothing(node):
            return []
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.wrong(node, "expected a list")
        return []

    def text(self, node: yaml.Node | None) -> str:
        if _is_nothing(node):
            return ""
        if isinstance(node, yaml.ScalarNode):
            return _SURROGATES.sub(_joined, str(node.value))
        self.wrong(node, "expected text")
        return ""

    def texts(self, node: yaml.Node | None) -> dict[str, str]:
        return {key: self.text(value) for key, value in self.mapping(node).items()}

    def integer(self, node: yaml.Node | None) -> int:
        """Return the whole number, 0 when there is none."""
        text = self.text(node)
        if not text:
            return 0
        if not re.fullmatch(r"0|[1-9]\d{0,17}", text, re.ASCII):
            self.wrong(node, f"expected a whole number, not {text!r}")
            return 0
        return int(text)

    def number(self, node: yaml.Node | None) -> float:
        text = self.text(node)
        if _NUMBER.fullmatch(text):
            return float(text)
        if infinite := _INFINITY.fullmatch(text):
            return -math.inf if infinite[1] == "-" else math.inf
        if not _NAN.fullmatch(text):
            self.wrong(node, f"expected a number, not {text!r}")
        return math.nan

    def flag(self, node: yaml.Node | None, default: bool) -> bool:  # noqa: FBT001 - a value
        text = self.text(node)
        if text not in {"", "true", "false"}:
            self.wrong(node, f"expected true or false, not {text!r}")
        return text == "true" if text else default


def _is_nothing(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == _NULL_TAG)


def _joined(pair: re.Match[str]) -> str:
    """Return the character that JSON wrote as two escapes."""
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _suggestion(key: str, keys: Iterable[str]) -> str:
    close = difflib.get_close_matches(key, sorted(keys), n=1)
    return f"did you mean {close[0]!r}?" if close else "known: " + ", ".join(sorted(keys))


def _models(reader: _Reader, root: yaml.Node | None) -> dict[str, tuple[_Entry, ...]]:
    top = reader.mapping(root, {"models"})
    if "models" not in top:
        reader.wrong(root, "the key 'models' is missing")
    return {
        name: _versions(reader, name, reader.mapping(node, {"versions"}).get("versions"))
        for name, node in reader.mapping(top.get("models")).items()
    }


def _versions(reader: _Reader, name: str, node: yaml.Node | None) -> tuple[_Entry, ...]:
    entries: dict[str, _Entry] = {}
    holder: dict[str, str] = {}
    for item in reader.items(node):
        entry = _entry(reader, name, item)
        number = entry.version.version
        if number == _NO_NUMBER:
            continue
        if number in entries:
            reader.wrong(item, f"version {number} of {name!r} is there twice")
        for alias in entry.version.aliases:
            if holder.setdefault(alias, number) != number:
                reader.wrong(item, f"alias {alias!r} of {name!r} is on two versions")
        entries[number] = entry
    return tuple(sorted(entries.values(), key=lambda e: int(e.version.version), reverse=True))


def _entry(reader: _Reader, name: str, node: yaml.Node) -> _Entry:
    known = reader.mapping(node, _VERSION_KEYS)
    number = reader.integer(known.get("version"))
    if reader.text(known.get("version")) in {"", "0"}:
        reader.wrong(node, "a version needs its number, from 1")
    created = reader.integer(known.get("created"))
    stage = reader.text(known.get("stage"))
    version = ModelVersion(
        name=name,
        version=str(number),
        source=reader.text(known.get("source")),
        created=created,
        updated=reader.integer(known.get("updated")) or created,
        run_id=reader.text(known.get("runId")),
        stage="" if stage == "None" else stage,
        aliases=tuple(sorted({reader.text(alias) for alias in reader.items(known.get("aliases"))})),
        tags=reader.texts(known.get("tags")),
        ready=reader.flag(known.get("ready"), default=True),
    )
    return _Entry(version, _evaluation(reader, known, version.run_id))


def _evaluation(reader: _Reader, known: Mapping[str, yaml.Node], run_id: str) -> Evaluation:
    metrics = reader.mapping(known.get("metrics"))
    measurements = {key: _measurement(reader, metrics[key], run_id) for key in sorted(metrics)}
    parameters = reader.texts(known.get("parameters"))
    if "files" not in known:
        return Evaluation(measurements, parameters)
    files = sorted({reader.text(each) for each in reader.items(known["files"])})
    return Evaluation(measurements, parameters, contents=Contents(tuple(files)))


def _measurement(reader: _Reader, node: yaml.Node, run_id: str) -> Measurement:
    if not isinstance(node, yaml.MappingNode):
        return Measurement(reader.number(node), run_id=run_id)
    known = reader.mapping(node, _METRIC_KEYS)
    if "value" not in known:
        reader.wrong(node, "a metric needs a value")
        return Measurement(math.nan)
    return Measurement(
        value=reader.number(known["value"]),
        run_id=reader.text(known.get("run")) or run_id,
        recorded=reader.integer(known.get("recorded")),
        dataset=reader.text(known.get("dataset")),
        scorers=reader.text(known.get("scorers")),
        user=reader.text(known.get("user")),
        experiment=reader.text(known.get("experiment")),
        evaluator=reader.text(known.get("evaluator")),
    )
