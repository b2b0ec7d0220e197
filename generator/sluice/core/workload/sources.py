"""Where weights are: the schemes that a release's `model.source` may use."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sluice.core.confidential import redacted
from sluice.core.names import slug

MOUNT = "/models"
"""Where the volume with the model's weights is mounted."""
BESIDE = "/mounts"
"""Below it, volumes with the weights of other models are mounted, each by its name."""
FETCHED = "/fetched"
"""Below it, what an init container downloads, each model in a folder of its own."""

SCHEMES = (
    "pvc://CLAIM/PATH",
    "hf://ORGANISATION/NAME@COMMIT",
    "s3://BUCKET/PATH",
    "gs://BUCKET/PATH",
    "oci://REGISTRY/REPOSITORY@sha256:DIGEST",
    "models:/NAME/VERSION",
    "mlflow-artifacts:/PATH",
)

_CLAIM = re.compile(r"pvc://([a-z0-9][a-z0-9.-]*)(?:/(.*))?")
_HUB = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w.-]+))?")
_BUCKET = re.compile(r"(s3|gs)://[a-z0-9][a-z0-9._-]+/(.+)")
_IMAGE = re.compile(r"oci://([a-z0-9][\w.:/-]*?)(?:@(sha256:[0-9a-f]{64})(?:/(.*))?)?")
_VERSION = re.compile(r"models:/([^/@]+)(?:/([^/@]+)((?:/[^/@]+)*)/?|@.+)?")
_ARTIFACTS = re.compile(r"mlflow-artifacts:(?://([^/]*))?(/(?!/)(?:.*/)?([^/]+))/?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_LOGGED = re.compile(r"m-[0-9a-f]{32}")
_FILE = re.compile(r"[^/]+\.(gguf|safetensors|bin)")
_MOVES = re.compile(
    r"(?i)latest|newest|current|main|master|head|stable|champion|challenger"
    r"|staging|production|deployed|live"
)
_LONGEST_FOLDER = 60


class SourceError(ValueError):
    """A source that cannot be served; the second argument is the remedy."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Source:
    """Weights as the engine finds them.

    `location` is what the engine is told: a directory, a file, a repository or, streamed, the
    source itself. `volume` is the claim or the image to mount, if any; `fetched` says that an init
    container downloads `uri`, and `inner` is the folder in which the weights then arrive. `staged`
    says that the engine has nothing to fetch. `root` is the directory that files beside the weights
    are named from, empty where there is none. `host` is the server that the source names itself.
    """

    location: str
    scheme: str = ""
    uri: str = ""
    claim: str = ""
    image: str = ""
    revision: str = ""
    inner: str = ""
    root: str = ""
    host: str = ""
    fetched: bool = False
    staged: bool = False
    streamed: bool = False

    @property
    def volume(self) -> str:
        return self.claim or self.image

    @property
    def folder(self) -> str:
        """Where an init container puts it."""
        return f"{FETCHED}/{slug(self.uri, _LONGEST_FOLDER)}"

    @property
    def file(self) -> str:
        """The name of the one file that it is, empty for a directory."""
        match = _FILE.fullmatch(self.uri.rpartition("/")[2])
        return match[0] if match else ""


def parse(source: str) -> Source:
    """Read a source.

    Raises:
        SourceError: for an unknown scheme or one that is not pinned.
    """
    for pattern, read in _READERS:
        if match := pattern.fullmatch(source):
            return read(match)
    raise SourceError(f"{redacted(source)} cannot be served", f"use {' or '.join(SCHEMES)}")


def streamed(source: Source) -> Source:
    """The same weights, which the engine reads from where they are."""
    return replace(source, location=source.uri, root="", fetched=False, staged=False, streamed=True)


def _claim(match: re.Match[str]) -> Source:
    path = (match[2] or "").strip("/")
    _refuse_what_moves(match[0], path)
    location = f"{MOUNT}/{path}".rstrip("/")
    return Source(location, "pvc", match[0], claim=match[1], root=MOUNT, staged=True)


def _hub(match: re.Match[str]) -> Source:
    if not _COMMIT.fullmatch(match[2] or ""):
        raise SourceError(
            f"{match[0]} is not pinned to a commit", "append @ and the 40 digits of the commit"
        )
    return Source(match[1], "hf", match[0], revision=match[2])


def _bucket(match: re.Match[str]) -> Source:
    _refuse_what_moves(match[0], match[2])
    return _downloaded(match[1], match[0].rstrip("/"))


def _refuse_what_moves(source: str, path: str) -> None:
    last = path.rstrip("/").rpartition("/")[2]
    if _MOVES.fullmatch(last):
        raise SourceError(
            f"{source} is not pinned: what {last!r} names can change",
            "use a path that holds one version for ever, one that ends in its number for instance",
        )


def _image(match: re.Match[str]) -> Source:
    if not match[2]:
        raise SourceError(
            f"{match[0]} is not pinned to a digest", "append @sha256: and the image's digest"
        )
    location = f"{MOUNT}/{match[3] or ''}".rstrip("/")
    reference = f"{match[1]}@{match[2]}"
    return Source(location, "oci", match[0], image=reference, root=MOUNT, staged=True)


def _version(match: re.Match[str]) -> Source:
    name, version = match[1], match[2] or ""
    if not version.isdecimal() and not _LOGGED.fullmatch(name):
        raise SourceError(
            f"{match[0]} is not pinned to a version: an alias, a stage or no version moves",
            f"write models:/{name}/ and the number of the version",
        )
    path = f"/{version}" if _LOGGED.fullmatch(name) and version else match[3] or ""
    return _downloaded("models", match[0].rstrip("/"), path.rpartition("/")[2])


def _artifacts(match: re.Match[str]) -> Source:
    """Without the server that it names: who fetches goes to the one that the environment names."""
    if "@" in (match[1] or ""):
        raise SourceError(f"{redacted(match[0])} has a user in its address", "remove the user")
    source = _downloaded("models", f"mlflow-artifacts:{match[2]}", match[3])
    return replace(source, host=match[1] or "")


def _downloaded(scheme: str, uri: str, inner: str = "") -> Source:
    source = Source("", scheme, uri, inner=inner, fetched=True, staged=True)
    location = f"{source.folder}/{source.file}".rstrip("/")
    return replace(source, location=location, root=source.folder)


_READERS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Source]], ...] = (
    (_CLAIM, _claim),
    (_HUB, _hub),
    (_BUCKET, _bucket),
    (_IMAGE, _image),
    (_VERSION, _version),
    (_ARTIFACTS, _artifacts),
)


def beside(text: str, main: Source) -> Source:
    """Read the source of a model that is served beside the main one.

    A volume that is not the main model's has a mount of its own.

    Raises:
        SourceError: as `parse`.
    """
    source = parse(text)
    if not source.volume or source.volume == main.volume:
        return source
    own = _mount(source)
    location = own + source.location.removeprefix(MOUNT)
    return replace(source, location=location, root=own)


def mounts(main: Source, others: Iterable[Source]) -> dict[str, str]:
    """Where each claim or image is mounted, the main model's first."""
    found = {main.volume: MOUNT} if main.volume else {}
    for source in others:
        if source.volume:
            found.setdefault(source.volume, _mount(source))
    return found


def _mount(source: Source) -> str:
    return f"{BESIDE}/{source.claim or slug(source.image, _LONGEST_FOLDER)}"
