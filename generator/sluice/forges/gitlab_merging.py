"""How a project on GitLab merges, and what its commits say then."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import NamedTuple

from sluice.core.forge import PullRequest
from sluice.forges.answers import RefusedError
from sluice.forges.http import Transport
from sluice.forges.merging import merge_body, squash_message
from sluice.forges.raw import MANY, found, segment

# Settings by which a project's commits are squashed where nobody says otherwise.
_SQUASHES = ("always", "default_on")
# Methods that want a branch to begin at the tip of its base.
_LINEAR = ("ff", "rebase_merge")


class Words(NamedTuple):
    """The fields of a merge, and whether the branch must begin at the tip of its base."""

    fields: Mapping[str, object]
    is_linear: bool


def looks_linear(http: Transport, project: str) -> bool:
    """Whether a project wants a branch to begin at the tip of its base."""
    raw = http.call("GET", f"/projects/{segment(project)}").data
    with http.reading():
        return raw.get("merge_method") in _LINEAR


def merge_words(
    http: Transport, project: str, pull: PullRequest, whoami: Callable[[], str]
) -> Words:
    """Whether commits are squashed, as the project has it, and what their commit says then.

    Args:
        http: the way to the forge.
        project: its path.
        pull: what is to be merged.
        whoami: tells in whose name; not every token may ask for that.
    """
    root = f"/projects/{segment(project)}"
    raw = http.call("GET", root).data
    with http.reading():
        squashes, method = raw.get("squash_option") in _SQUASHES, raw.get("merge_method")
    linear, request = method in _LINEAR, f"{root}/merge_requests/{pull.number}"
    link = f"See merge request {project}!{pull.number}"
    if not squashes:
        said = "" if method == "ff" else merge_body(_approvers(http, request))
        return Words({"squash": False, **(_merge_commit(pull, link, said) if said else {})}, linear)
    listed = http.pages(f"{request}/commits", {}, "per_page", MANY)
    with http.reading():
        messages = [str(commit["message"]) for commit in listed][::-1]
    merger = ""
    with suppress(RefusedError):
        merger = whoami()
    approvers = _approvers(http, request)
    message = squash_message(pull.title, pull.number, messages, approvers, merger)
    text = f"{message.text}\n\n{link}"
    return Words({"squash": True, "squash_commit_message": text}, linear)


def _merge_commit(pull: PullRequest, link: str, approvals: str) -> dict[str, object]:
    """What GitLab says by default, and who has approved."""
    title = f"Merge branch '{pull.branch}' into '{pull.base}'"
    return {"merge_commit_message": f"{title}\n\n{pull.title}\n\n{link}\n\n{approvals}"}


def _approvers(http: Transport, request: str) -> Collection[str]:
    """Who has approved it; not every edition says so."""
    answer = found(http, f"{request}/approvals")
    with http.reading():
        given = answer.data.get("approved_by") or () if answer else ()
        return {str(each["user"]["username"]) for each in given}
