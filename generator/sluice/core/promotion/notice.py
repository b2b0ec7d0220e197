"""All that people are to see of a pull request of ours, whatever it proposes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.promotion.codeowners import Reviewers, reviewers
from sluice.core.promotion.converge import Proposal
from sluice.core.promotion.message import superseding
from sluice.core.promotion.signals import LATER, WAITS, Signal, labels, waiting
from sluice.core.specs.resolve import Release


@dataclass(frozen=True, slots=True)
class Notice:
    """A pull request in words: its branch, text and labels, and the status of its commit.

    `asks` says whether people are asked for a review: those of `named`, or else the owners of the
    releases `keys`. `comment` is what watchers are told beside, if anything.
    """

    branch: str
    title: str
    body: str
    labels: tuple[str, ...]
    signal: Signal
    keys: tuple[Key, ...]
    named: tuple[str, ...] = ()
    asks: bool = True
    comment: str = ""

    @property
    def people(self) -> Reviewers:
        """Those whom the environment names."""
        return reviewers(self.named)


def objections(pull: PullRequest, objectors: Sequence[str]) -> tuple[str, ...]:
    """Why people do not want a pull request merged by itself; nothing when they do not say so."""
    drafted = ("it is a draft: mark it as ready, or merge it yourself",) if pull.draft else ()
    return (*drafted, *(f"{name} asks for changes" for name in objectors))


def held_back(proposal: Proposal, objections: Sequence[str]) -> Proposal:
    """A proposal that merges by itself no more, since people object."""
    waits = (*objections, *proposal.waits)
    kept = tuple(label for label in proposal.labels if label not in (LATER, WAITS))
    return replace(
        proposal,
        automatic=False,
        later=False,
        waits=waits,
        signal=waiting(waits),
        labels=(*kept, WAITS),
    )


def of_proposal(proposal: Proposal) -> Notice:
    """What people see of a promotion; nobody is asked about what merges by itself."""
    return Notice(
        branch=proposal.branch,
        title=proposal.title,
        body=proposal.body,
        labels=proposal.labels,
        signal=proposal.signal,
        keys=proposal.keys,
        named=proposal.reviewers,
        asks=not proposal.automatic,
        comment=superseding(proposal.version, proposal.superseded),
    )


def of_release(
    release: Release, branch: str, title: str, body: str, kind: str, said: str, *, asks: bool
) -> Notice:
    """What people see of a step of a rollout, or of a way back.

    Args:
        release: that it is about.
        branch: where it is proposed.
        title: one line.
        body: its text.
        kind: the label after `sluice/`: what sort of change this is.
        said: what its status says; there is nothing that it waits for beside its merge.
        asks: whether people are asked for a review.
    """
    promotion = release.environment.spec.promotion
    return Notice(
        branch=branch,
        title=title,
        body=body,
        labels=(*labels(release.key, (), later=False), f"sluice/{kind}"),
        signal=Signal("success", said),
        keys=(release.key,),
        named=promotion.reviewers,
        asks=asks,
    )
