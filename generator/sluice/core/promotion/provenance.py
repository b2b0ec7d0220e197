"""Whose weights a version brings, and whether they bring code: what a person has to look at.

A registry has many writers. A gate on numbers says nothing about where weights come from: who may
promote a version may name another organisation's as its source, and write 0.99 beside it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from sluice.core.gates.judge import GateResult
from sluice.core.model import Contents, Evaluation, ModelVersion
from sluice.core.promotion.lineage import source_of
from sluice.core.specs.environment_records import SourceAccess, Sources
from sluice.core.specs.resolve import Release
from sluice.core.workload.places import is_listed, place_of
from sluice.core.workload.sources import SourceError, parse

_PROGRAMS = frozenset(
    {".py", ".pyc", ".pyd", ".pyw", ".pyx", ".pyz", ".so", ".dll", ".dylib", ".jar", ".whl", ".egg"}
    | {".sh", ".bash", ".bat", ".cmd", ".ps1", ".pl", ".rb", ".lua", ".js", ".mjs", ".exe"}
    | {".cu", ".cubin", ".ptx", ".wasm", ".llamafile"}
)
# What runs code of its choice while it is read; safetensors and GGUF do not.
_PICKLES = frozenset(
    {".bin", ".pt", ".pt2", ".pth", ".ptl", ".ckpt", ".distcp", ".npy", ".npz", ".h5", ".keras"}
    | {".pkl", ".pickle", ".p", ".dill", ".cloudpickle", ".joblib", ".mar", ".t7", ".nemo"}
    | {".engine", ".plan", ".pb"}
)
# Nobody looks into these.
_PACKED = frozenset({".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".zst", ".7z", ".rar"})
_RUNS_CODE = _PROGRAMS | _PICKLES | _PACKED
_NUMBERS = re.compile(r"(?:\.\d{1,9}){1,9}$")
"""What may follow an ending: `.so.1.2`."""
_MOST_NAMED = 5
_REGISTRY = "models:"
_OWN_STORAGE = "mlflow-artifacts"


def judge_provenance(
    release: Release,
    version: ModelVersion,
    candidate: Evaluation,
    baseline: Evaluation | None,
    plugins: Collection[str] = (),
) -> tuple[GateResult, ...]:
    """What keeps a version from merging by itself, or from being proposed at all.

    Args:
        release: as it is deployed.
        version: what the registry asks for.
        candidate: what is known of that version.
        baseline: what is known of the deployed one; None where nothing is.
        plugins: the arguments by which the release's engine runs code of somebody's choice.
    """
    source = source_of(version, candidate)
    chain = _chain([version.source, source], candidate)
    before = _chain([release.spec.model.source], baseline)
    settings = release.environment.spec.sources
    found = [
        *_refusals(release, source, chain, settings),
        *_changes(chain, before),
        *_runs_code(release, plugins),
        *_code(release, source, candidate.contents, settings),
    ]
    if release.spec.model.digest is not None and not version.tags.get("digest"):
        found.append(_waits("digest", "there is one, as before", "it has no digest any more"))
    return tuple(found)


def _chain(sources: Sequence[str], evaluation: Evaluation | None) -> list[str]:
    """Every address on the way from a source to its files, each once."""
    known = evaluation.lineage if evaluation else None
    more = (*known.hops, known.storage) if known else ()
    return [each for each in dict.fromkeys((*sources, *more)) if each]


def _refusals(
    release: Release, source: str, chain: Sequence[str], settings: Sources
) -> Iterator[GateResult]:
    """What no person can let pass here; of the source itself the check of the specs tells."""
    models = release.environment.spec.storage.sources.get("models", SourceAccess())
    endpoint = models.endpoint or ""
    for each in chain:
        host = _host(each)
        if host and host != endpoint.partition("://")[2].partition("/")[0].lower():
            yield _fails("it lies with the registry", f"{each} names a server of its own, {host}")
    if settings.allowed is None or not source.startswith(_REGISTRY):
        return
    for each in filter(_is_behind, chain):
        if not is_listed(each, settings.allowed):
            reason = f"{source} leads to {each}, which sources.allowed of the environment lacks"
            yield _fails("it lies where weights may come from", reason)


def _host(source: str) -> str:
    try:
        return place_of(source).host
    except SourceError:
        return ""


def _is_behind(source: str) -> bool:
    """Whether an address is outside the registry, and not what its own server keeps."""
    return not source.startswith((_REGISTRY, f"{_OWN_STORAGE}:"))


def _changes(chain: Sequence[str], before: Sequence[str]) -> Iterator[GateResult]:
    known = set(_owners(before))
    new = [owner for owner in dict.fromkeys(_owners(chain)) if owner not in known]
    if new:
        reason = f"the weights come from {_listed(new)}; those that are deployed do not"
        yield _waits("source", "from where the deployed version is", reason)


def _owners(chain: Sequence[str]) -> Iterator[str]:
    """Whose the addresses are; a logged model is its storage's, or nobody's whom we know."""
    for each in chain:
        try:
            place = place_of(each)
        except SourceError:
            yield each
            continue
        if place.scheme != "models" or not _is_logged(place.parts):
            yield place.owner
        elif each == chain[-1]:
            yield each


def _is_logged(parts: Sequence[str]) -> bool:
    return bool(parts) and parts[0].startswith("m-") and not parts[1:2]


def _runs_code(release: Release, plugins: Collection[str]) -> Iterator[GateResult]:
    """Settings by which code runs that may come with the model, whatever its files are called."""
    found = [f"engine.args.{flag}" for flag in sorted(plugins) if _has_argument(release, flag)]
    if release.spec.serving.trust_remote_code:
        found.insert(0, "serving.trustRemoteCode")
    if found:
        reason = f"the engine runs what comes with the model: {_listed(found)} says so"
        yield _waits("remote code", "a person has read it", reason)


def _has_argument(release: Release, flag: str) -> bool:
    return flag in release.spec.engine.args


def _code(
    release: Release, source: str, contents: Contents, settings: Sources
) -> Iterator[GateResult]:
    files, gap = contents.files, contents.gap
    if single := _single_file(source):
        files, gap = (single,), ""
    if suspicious := code_among(files, contents.loaders):
        yield _waits("code", "none among its files", f"its files may run code: {suspicious}")
    automatic = release.environment.spec.promotion.is_automatic
    if gap and automatic and not is_listed(source, settings.unlisted):
        reason = (
            f"nobody knows whether code is among its files: {gap}; "
            "sources.unlisted of the environment names places where nobody has to"
        )
        yield _waits("files", "they are known", reason)


def code_among(files: Iterable[str], loaders: Iterable[str]) -> str:
    """The files that run code, or may while they are read, in words; nothing where none does."""
    told = [f"{path} (auto_map)" for path in loaders]
    return _listed([*told, *(path for path in files if _ending(path) in _RUNS_CODE)])


def _ending(path: str) -> str:
    name = _NUMBERS.sub("", path.lower().rpartition("/")[2].rstrip(" ."))
    return "." + name.rpartition(".")[2]


def _single_file(source: str) -> str:
    try:
        return parse(source).file
    except SourceError:
        return ""


def _listed(names: Sequence[str]) -> str:
    left = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {left} more" if left > 0 else "")


def _waits(what: str, condition: str, reason: str) -> GateResult:
    said = f"{reason}; a person decides"
    return GateResult(what, condition, None, None, False, said, waiting=True, kind="origin")


def _fails(condition: str, reason: str) -> GateResult:
    return GateResult("source", condition, None, None, False, reason, kind="origin")
