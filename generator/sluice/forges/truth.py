"""What Git says of a pull request; it counts, whatever the forge says."""

import re
from dataclasses import replace

from sluice.core.forge import PullRequest, Truth

_DRAFT = re.compile(r"\s*(?:(?:\[(?:draft|wip)\]|\(draft\)|(?:draft|wip):)\s*)+", re.IGNORECASE)


def as_git_says(pull: PullRequest, truth: Truth | None) -> PullRequest:
    """Return a pull request as merged when its base has its commits.

    Of one that is open the same content is enough, which is what is left of a squash or a rebase
    by hand.
    """
    if truth is None or pull.state == "merged":
        return pull
    into = truth.merged_as(pull.base, pull.head)
    if into is None and pull.state == "open":
        into = truth.squashed_as(pull.base, pull.head)
    if into is None:
        return pull
    return replace(pull, state="merged", merged_as=into, unnoticed=pull.state == "open")


def titled(pull: PullRequest, title: str, *, by_title: bool) -> str:
    """Return the title that a pull request is to have: what makes it a draft stays.

    `by_title` says that on this forge a title does that, in words that may be its own.
    """
    if not pull.draft:
        return title
    found = _DRAFT.match(pull.title)
    if found:
        return f"{found[0].lstrip()}{title}"
    return pull.title if by_title else title
