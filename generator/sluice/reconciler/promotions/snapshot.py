"""What a cycle saw, and the judgement of one release on it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from sluice import git
from sluice.core import layout
from sluice.core.layout import Key
from sluice.core.model import Evaluation, ModelVersion, PullRequest, Registry
from sluice.core.pipeline import Standing, route_claims, standings
from sluice.core.plan.cost import tallies
from sluice.core.promotion.converge import Facts, Proposal, Refusal, branch_of, propose, rejected
from sluice.core.promotion.evidence import registered
from sluice.core.promotion.group import branches_at, share_of
from sluice.core.promotion.message import is_emptied
from sluice.core.promotion.sharing import ALONE, Sharing
from sluice.core.promotion.signals import refusal
from sluice.core.promotion.sound import Sound
from sluice.core.promotion.wants import Idle, Want
from sluice.reconciler.promotions import presentation, publish
from sluice.reconciler.promotions.confirmation import keeps, kept_open
from sluice.reconciler.promotions.ownership import is_withdrawable, promotions_at
from sluice.reconciler.promotions.serving_history import circumstances
from sluice.reconciler.runtime import Outcome, World
from sluice.workspace.workspace import Workspace

Pulls = Mapping[str, Sequence[PullRequest]]
_COMMON = (layout.CATALOG, layout.POLICIES)


@dataclass(frozen=True)
class Base:
    """The base revision that a cycle works on; `sound` is what of it is in order."""

    commit: str
    workspace: Workspace
    sound: Sound

    @cached_property
    def registered(self) -> Mapping[Key, int]:
        """When the versions that are deployed were registered, where Git knows it."""
        return registered(self.sound.specs, self.workspace.files)

    @cached_property
    def followed(self) -> tuple[frozenset[str], frozenset[str]]:
        """The models that releases follow, and those of them that they follow by an alias."""
        releases = self.sound.specs.releases.values()
        found = [(r.spec.model.name, r.follows) for r in releases]
        names = frozenset(name for name, follows in found if follows)
        return names, frozenset(name for name, follows in found if follows and follows.alias)

    def around(self, repository: git.Repository, key: Key) -> object:
        """What of this revision a proposal for a release is made from, to be compared.

        Commits that change other releases leave it the same, unless they move what the
        environment uses or has left. What it does not tell is seen when all is judged again.
        """
        specs, catalog = self.sound.specs, self.workspace.tools.catalog
        totals, taken = tallies(specs, catalog), standings(specs, catalog)
        standing = taken.get(key.environment, Standing())
        own = (f"{layout.ENVIRONMENTS}/{key}", *layout.rendered_paths(key), *_COMMON)
        paths = (*own, layout.environment_path(key.environment))
        return (
            git.ids_at(repository, self.commit, paths),
            tuple(totals.get(s) for s in (key.environment, f"{key.environment}/{key.team}")),
            (standing.use, standing.claims.contested, route_claims(specs, catalog).contested),
        )


class Ready(NamedTuple):
    """What is proposed for a release, its pull requests, and its branch if that was pushed."""

    proposal: Proposal
    pulls: Sequence[PullRequest]
    pushed: publish.Ahead | None = None


@dataclass(frozen=True)
class Seen:
    """What a cycle looked at before it began to act; pull requests by their branch.

    `past` are all those of the shared branches of which it had to know, `ahead` what was decided
    about some releases together, `idle` the releases for which there is nothing to propose.
    """

    base: Base
    pulls: Pulls
    observed: Mapping[str, Sequence[ModelVersion]]
    sharing: Sharing = ALONE
    past: dict[str, Sequence[PullRequest]] = field(default_factory=dict)
    ahead: Mapping[Key, Outcome | Ready] = field(default_factory=dict)
    idle: Mapping[Key, Idle] = field(default_factory=dict)

    def about(self, key: Key) -> Sequence[PullRequest]:
        """The pull requests of a release: its own, and its share in those with others."""
        own = self.pulls.get(branch_of(key), ())
        shared = (pull for branch in branches_at(key) for pull in self.pulls.get(branch, ()))
        return [*own, *(share_of(pull, str(key)) for pull in shared)]


def judged(
    world: World, base: Base, want: Want, pulls: Sequence[PullRequest]
) -> Proposal | Refusal:
    """Ask the registry about a version, Git about its history, and let the core decide."""
    workspace, registry = base.workspace, world.registry
    # What listed it may have remembered its tags, and one of them may be an approval.
    want = replace(want, version=registry.fresh(want.version))
    evaluation, baseline = registry.evaluation(want.version), _baseline(registry, want)
    facts = Facts(
        evaluation=evaluation,
        baseline=baseline,
        pulls=pulls,
        link=registry.url(want.version),
        about=circumstances(
            world.repository, base.commit, want, evaluation, baseline, world.clock()
        ),
    )
    return propose(want, facts, workspace.specs, workspace.files, workspace.tools)


def withdrawn(world: World, pulls: Sequence[PullRequest], result: Refusal) -> Iterator[Outcome]:
    """Close what is open of a release whose newest version was refused, unless it is too early."""
    release = str(result.key)
    for pull in pulls:
        if not is_withdrawable(world, pull):
            continue
        if keeps(world, result, pull):
            yield kept_open(world, release, pull, result.version, result.reasons)
            continue
        if not world.dry_run:
            presentation.refused(world, pull, refusal(result.version, result.reasons))
        reason = f"version {result.version} took its place and was refused"
        yield publish.closed(world, release, pull, reason)


def rejecting(world: World, want: Want, pulls: Sequence[PullRequest]) -> PullRequest | None:
    """The pull request by whose closing a person said no to a version.

    Who deletes a branch of ours hands it back, though that closes its pull request.
    """
    for pull in pulls:
        says_no = rejected(want, [pull]) or _is_wordless_no(world, want, pull)
        if says_no and not _lost_branch(world, pull):
            return pull
    return None


def _is_wordless_no(world: World, want: Want, pull: PullRequest) -> bool:
    """Whether a person closed a pull request whose text they had emptied; its commits tell it."""
    key, version = want.release.key, want.version
    branches = (branch_of(key), *branches_at(key))
    if pull.state != "closed" or pull.branch not in branches or not is_emptied(pull.body):
        return False
    wanted = [str(key), version.version, str(version.created)]
    named = ("Release", "Model-Version", "Registered-At")
    commits = promotions_at(world.repository, pull.head)
    return any([commit.trailers.get(name) for name in named] == wanted for commit in commits)


def _lost_branch(world: World, pull: PullRequest) -> bool:
    known = world.memory.lost
    about = (pull.number, pull.updated, pull.head)
    if about not in known:
        known[about] = world.forge.lost_branch(pull.number)
    return known[about]


def rejection(want: Want, number: int) -> Outcome:
    """The outcome of a version that a person has rejected."""
    said = f"pull request #{number} was closed, which rejects this version"
    return Outcome(str(want.release.key), "rejected", want.version.version, number, (said,))


def refused(release: str, result: Refusal) -> Outcome:
    """The outcome of a version that is not proposed."""
    return Outcome(release, "refused", result.version, 0, result.reasons, refused=True)


def _baseline(registry: Registry, want: Want) -> Evaluation:
    """Of the deployed version; nothing measured when the registry does not have it."""
    deployed: ModelVersion | None = want.deployed
    if deployed:
        return registry.evaluation(deployed)
    current = want.release.spec.model.version
    return Evaluation(gaps=(f"the registry does not have version {current} as it is deployed",))
