"""What Git says of a pull request; it counts, whatever the forge says."""

import re
from dataclasses import replace

from sluice.core.forge import PullRequest, Truth

_DRAFT = re.compile(r"\s*(?:(?:\[(?:draft|wip)\]|\(draft\)|(?:draft|wip):)\s*)+", re.IGNORECASE)


def apply_truth(pull: PullRequest, truth: Truth | None) -> PullRequest:
    """Return a pull request as merged when its base has its commits.

    Of one that is open the same content is enough, which is what is left of a squash or a rebase
    by hand.
    """
    if truth is None or pull.state == "merged":
        return pull
    commit = truth.merged_as(pull.base, pull.head)
    if commit is None and pull.state == "open":
        commit = truth.squashed_as(pull.base, pull.head)
    if commit is None:
        return pull
    return replace(pull, state="merged", merged_as=commit, unnoticed=pull.state == "open")


def keep_draft(pull: PullRequest, title: str, *, by_title: bool) -> str:
    """Return the title that a pull request is to have: what makes it a draft stays.

    Args:
        pull: as it is now.
        title: as it is to be, without what makes a draft.
        by_title: whether a title makes a draft on this forge, in words that may be its own.
    """
    if not pull.draft:
        return title
    draft = _DRAFT.match(pull.title)
    if draft:
        return f"{draft[0].lstrip()}{title}"
    if by_title:  # by words that we do not know: better no new title than no draft any more
        return pull.title
    return title
