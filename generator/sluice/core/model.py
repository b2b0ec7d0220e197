"""The records that the core and the shells share: what the registry, Git and the forge say."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

MARK = "sluice.release/"
"""How the tags begin that Sluice itself writes on a version, where it is told to."""


@dataclass(frozen=True, slots=True)
class Follow:
    """What an environment follows in the registry: exactly one of a stage or an alias."""

    stage: str = ""
    alias: str = ""

    def __str__(self) -> str:
        return f"stage {self.stage}" if self.stage else f"alias {self.alias}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model version as observed; times are milliseconds since the epoch.

    `marks` are the tags that Sluice wrote; they make no other version of it, and nothing reads
    them but who writes them.
    """

    name: str
    version: str
    source: str
    created: int
    updated: int
    run_id: str = ""
    stage: str = ""
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    ready: bool = True
    marks: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One recorded metric.

    `value` may be NaN or infinite: the gates decide what that means. `doubt` is a reason not to
    trust it that the registry itself gives ("the run is deleted"), empty when there is none.
    `recorded` is in milliseconds since the epoch, `dataset` is name@digest, `scorers` the digest of
    what judged the answers; 0 or empty when it is not known. `user`, `experiment` (its name and its
    id) and `evaluator` say who wrote it, as far as the registry knows.
    """

    value: float
    run_id: str = ""
    recorded: int = 0
    dataset: str = ""
    doubt: str = ""
    scorers: str = ""
    user: str = ""
    experiment: str = ""
    experiment_id: str = ""
    evaluator: str = ""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Where a version comes from, as far as the registry knows; empty is unknown.

    `hops` are the sources that the version's source leads to, the last one being `storage`.
    `workspace` is the part of the registry that it is in, where it has parts: names are unique in
    one only. `base` is the model that it was made from, `adapter` the kind of adapter it is, if it
    is one.
    """

    workspace: str = ""
    run_name: str = ""
    code: str = ""
    repository: str = ""
    datasets: tuple[str, ...] = ()
    logged_model: str = ""
    hops: tuple[str, ...] = ()
    storage: str = ""
    base: str = ""
    base_revision: str = ""
    adapter: str = ""


UNLISTED = "the registry lists only what its own server keeps"
"""The gap in what is known of files where nobody was asked."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The files of a version, by their paths, as far as the registry lists them.

    `loaders` are those of them that tell who loads the model to run code beside it. `gap` says why
    some of the files, or all, are not known, empty where they are.
    """

    files: tuple[str, ...] = ()
    loaders: tuple[str, ...] = ()
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that the registry recorded about the quality and the making of one version.

    `gaps` say what could not be read, where numbers may be that are missing here.
    """

    measurements: Mapping[str, Measurement] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    lineage: Lineage = Lineage()
    gaps: tuple[str, ...] = ()
    contents: Contents = Contents(gap=UNLISTED)


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one task of an evaluation harness measured.

    `recorded` is in milliseconds since the epoch, 0 when unknown. Two of the same `digest` used the
    same questions, two of the same `scorers` asked and judged them in the same way.
    """

    task: str
    metrics: Mapping[str, float]
    recorded: int
    dataset: str
    digest: str
    scorers: str
    parameters: Mapping[str, str]


class Registry(Protocol):
    """A model registry, read only. Unreachable or refusing: UsageError with one clear line."""

    def versions(
        self, names: Collection[str], aliased: Collection[str] | None = None
    ) -> Mapping[str, Sequence[ModelVersion]]:
        """Every version of each named model, newest number first; an absent name is absent.

        Of models that are not among `aliased`, the aliases may be as they were some time ago.
        """

    def is_gone(self, name: str) -> bool:
        """Whether it says itself that there is no such model, and lists another one meanwhile.

        False where it only does not show the model to us.
        """

    def fresh(self, version: ModelVersion) -> ModelVersion:
        """This version as it is now, its tags too; UsageError when it is gone."""

    def evaluation(self, version: ModelVersion) -> Evaluation:
        """What was measured on this version."""

    def url(self, version: ModelVersion) -> str:
        """Where a person can look at it, or nothing."""

    def describe(self) -> str:
        """The server and its version, for `doctor`."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit as read from history; `trailers` in order, keys as written.

    `committer` is empty where nobody asked for it. `rewritten` says that it was written anew after
    its author had made it.
    """

    id: str
    parents: tuple[str, ...]
    author: str
    email: str
    time: int
    message: str
    trailers: Mapping[str, str] = field(default_factory=dict)
    committer: str = ""
    rewritten: bool = False


@dataclass(frozen=True, slots=True)
class Signature:
    """Who commits."""

    name: str
    email: str


class RouteKind(NamedTuple):
    """The kind of the routes that a traffic provider reads, as the API server knows it."""

    group: str
    version: str
    plural: str
    kind: str
