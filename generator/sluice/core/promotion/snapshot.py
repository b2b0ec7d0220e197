"""What decisions are made from: what was seen of the registry, Git and the forge, and nothing else.

Who decides only asks. An answer is read when it is first asked for, and stays the same for as long
as the snapshot is used.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.model import Commit, ModelVersion
from sluice.core.pipeline import Specs, Toolkit
from sluice.core.promotion.converge import Facts
from sluice.core.promotion.decisions import Missing
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.reverts import FormerSpec
from sluice.core.promotion.sharing import Sharing
from sluice.core.promotion.wants import Idle, Want


class Snapshot(Protocol):
    """One look at the world; times are in seconds since the epoch."""

    @property
    def base(self) -> str:
        """The commit of main."""

    @property
    def now(self) -> int:
        """When it was looked."""

    @property
    def specs(self) -> Specs:
        """The specs of main, as far as they are in order."""

    @property
    def all_specs(self) -> Specs:
        """The specs of main, with what is not in order."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files that they were read from."""

    @property
    def tools(self) -> Toolkit:
        """Schemas, catalog, templates."""

    @property
    def pulls(self) -> Mapping[str, Sequence[PullRequest]]:
        """The pull requests that the forge lists, by branch, newest first."""

    @property
    def observed(self) -> Mapping[str, Sequence[ModelVersion]]:
        """Every version of the models that releases follow."""

    @property
    def idle(self) -> Mapping[Key, Idle]:
        """The releases for which there is nothing to propose."""

    @property
    def sharing(self) -> Sharing:
        """Which releases share a pull request."""

    @property
    def missing(self) -> Mapping[Missing, int]:
        """Since when the registry does not show something."""

    @property
    def merges_later(self) -> bool:
        """Whether merges can be left to the forge."""

    @property
    def room(self) -> int | None:
        """How many pull requests may be opened; None: as many as one likes."""

    def is_stopping(self) -> bool:
        """Whether nothing more is to be begun."""

    def last(self, release: str) -> Outcome | None:
        """What a release came to when it last needed nothing, however old that is."""

    def pulls_of(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of a branch, also those that are not listed any more."""

    def lost_branch(self, pull: PullRequest) -> bool:
        """Whether a pull request was closed by deleting its branch, which is nobody's no."""

    def objectors(self, pull: PullRequest) -> Sequence[str]:
        """Who asks for changes."""

    def withdrawer(self, pull: PullRequest) -> str:
        """Which person took back on the forge that it merges later; nothing when nobody did."""

    def ask_facts(self, want: Want, pulls: Sequence[PullRequest]) -> tuple[Want, Facts]:
        """What the registry and Git say of a version; the want with the version as it is now."""

    def is_gone(self, model: str) -> bool:
        """Whether the registry says itself that there is no such model."""

    def history(self, key: Key) -> Iterable[FormerSpec]:
        """What release.yaml said after each commit of main, newest first."""

    def contains(self, revision: str, commit: str) -> bool | None:
        """Whether a revision has a commit in its history; None where one is not known here."""

    def commit(self, revision: str) -> Commit | None:
        """A commit; None where it is not known here."""

    def promotions_at(self, head: str) -> Sequence[Commit]:
        """The reconciler's commits of promotions at a head, newest first."""

    def branches(self) -> Sequence[str]:
        """Every shared branch that is there, or that a pull request is of."""

    def releases_on(self, branch: str) -> Sequence[Key]:
        """The releases that a branch changes, whatever its pull request says."""

    def is_ours(self, branch: str) -> bool:
        """Whether nobody but the reconciler has committed to a branch."""

    def is_free(self, branch: str, pulls: Sequence[PullRequest]) -> bool:
        """Whether a branch may be moved: it is ours, or what others did to it was merged."""

    def unlike(self, pull: PullRequest, commit: str) -> Sequence[str]:
        """The files that are not in a commit as a pull request has them."""
