"""The records that the core and the shells share: what the registry, Git and the forge say."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

State = Literal["open", "merged", "closed"]

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
class PullRequest:
    """A pull request as the forge tells it, and Git: what its base contains is merged.

    `head` is the commit id it would merge, `url` where people see it, nothing where the forge has
    no pages. `unnoticed` says that the forge still shows it as open though it is merged.
    """

    number: int
    branch: str
    base: str
    title: str
    body: str
    head: str
    state: State = "open"
    author: str = ""
    merged_as: str = ""
    labels: tuple[str, ...] = ()
    updated: int = 0
    url: str = ""
    draft: bool = False
    unnoticed: bool = False


class Forge(Protocol):
    """Where pull requests live. Every call looks before it acts and may be repeated."""

    def list(self, state: State | None = None) -> Sequence[PullRequest]:
        """Pull requests, newest first, or those in one state: all open ones, of others the late."""

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of one branch, newest first: what `list` may no longer show."""

    def get(self, number: int) -> PullRequest:
        """One pull request; UsageError when there is none."""

    def lost_branch(self, number: int) -> bool:
        """Whether a closed one was closed by deleting its branch, which is nobody's no."""

    def ensure(
        self,
        *,
        branch: str,
        base: str,
        title: str,
        body: str,
        labels: Iterable[str] = (),
        head: str = "",
    ) -> PullRequest:
        """Open a pull request, or bring the open one of this branch to these words.

        Only while the branch is at `head`, if that is given, and around the words of people.
        """

    def reword(self, number: int, title: str, body: str, head: str = "") -> PullRequest:
        """Change what one says, in whatever state it is, around the words of people.

        Only while it is at `head`, if that is given; an empty title stays what it is.
        """

    def close(
        self, number: int, reason: str, body: str | None = None, head: str = ""
    ) -> PullRequest:
        """Close without merging, while it is at `head` if that is given.

        `body` is what it says from then on, but for what people wrote into it meanwhile.
        """

    def merge(self, number: int, expected_head: str) -> PullRequest:
        """Merge, if the head is still the expected one."""


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


@dataclass(frozen=True, slots=True)
class Operation:
    """The last sync of an application, or the one under way; times are seconds since the epoch.

    `phase` is Argo CD's word, `revision` what it applies, empty where that is not decided yet.
    `finished` of one that runs is when its last attempt failed: it waits for the next one.
    `failures` are what the cluster said of objects that it refused.
    """

    phase: str
    message: str = ""
    revision: str = ""
    started: int | None = None
    finished: int | None = None
    automated: bool = True
    failures: tuple[str, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it is not over; while it is not, no other one begins."""
        return self.phase in ("Running", "Terminating")


@dataclass(frozen=True, slots=True)
class Source:
    """What an application follows: a folder of a branch of a repository."""

    repository: str
    revision: str
    path: str


@dataclass(frozen=True, slots=True)
class Application:
    """What Argo CD says of an application; times are seconds since the epoch.

    `deployed` has the revisions that were applied, oldest first, each with its time. `resources` is
    the health of each object by `Kind/name`, where Argo CD keeps it; `differing` are those that
    are not as Git has them. `conditions` are its complaints, by type. `automated` says whether it
    applies by itself what it sees, `heals` whether it brings back what was changed in the cluster.
    `source` is what it follows, None where that is not known, and empty where it is more than one
    folder. `looked` is when it last asked Git, `refreshing` whether it was asked to since;
    `tells_health` is false where it keeps the health of single objects to itself.
    """

    revision: str
    synced: bool
    health: str
    health_since: int | None = None
    deployed: tuple[tuple[str, int], ...] = ()
    resources: Mapping[str, str] = field(default_factory=dict)
    operation: Operation | None = None
    conditions: tuple[tuple[str, str], ...] = ()
    differing: tuple[str, ...] = ()
    source: Source | None = None
    project: str = ""
    looked: int | None = None
    refreshing: bool = False
    deleting: bool = False
    automated: bool = True
    heals: bool = True
    tells_health: bool = True


class Cluster(Protocol):
    """Argo CD. Unreachable or refusing: UsageError with one clear line."""

    def applications(self, namespace: str) -> Mapping[str, Application]:
        """Every application in the namespace of an Argo CD, by name."""

    def refresh(self, namespace: str, name: str) -> None:
        """Ask it to compare an application with Git now; nothing else is changed."""

    def end(self, namespace: str, name: str, revision: str) -> None:
        """End the sync of an application, if it is still under way at that revision."""


class RouteKind(NamedTuple):
    """The kind of the routes that a traffic provider reads, as the API server knows it."""

    group: str
    version: str
    plural: str
    kind: str


class Routes(Protocol):
    """The routes of a cluster, read only. Unreachable or refusing: UsageError."""

    def routes(self, kind: RouteKind, namespace: str) -> Mapping[str, Mapping[str, Any]]:
        """Every route of a kind in a namespace, by name, as the API server has it."""
