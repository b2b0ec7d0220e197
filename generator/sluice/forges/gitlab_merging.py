"""How a project on GitLab merges, and what its commits say then."""

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import NamedTuple

from sluice.core.forge import PullRequest
from sluice.forges.answers import RefusedError
from sluice.forges.http import Transport
from sluice.forges.merging import write_merge_body, write_squash
from sluice.forges.raw import MANY, fetch_or_none, quote_segment

# Settings by which a project's commits are squashed where nobody says otherwise.
_SQUASHES = ("always", "default_on")
# Methods that want a branch to begin at the tip of its base.
_LINEAR = ("ff", "rebase_merge")


class Words(NamedTuple):
    """The fields of a merge, and whether the branch must begin at the tip of its base."""

    fields: Mapping[str, object]
    is_linear: bool


def is_linear_project(http: Transport, project: str) -> bool:
    """Whether a project wants a branch to begin at the tip of its base."""
    raw = http.call("GET", f"/projects/{quote_segment(project)}").data
    with http.reading():
        return raw.get("merge_method") in _LINEAR


def write_words(
    http: Transport, project: str, pull: PullRequest, whoami: Callable[[], str]
) -> Words:
    """Write whether commits are squashed, as the project has it, and what their commit says.

    Args:
        http: the way to the forge.
        project: its path.
        pull: what is to be merged.
        whoami: tells in whose name; not every token may ask for that.
    """
    root = f"/projects/{quote_segment(project)}"
    raw = http.call("GET", root).data
    with http.reading():
        squashes = raw.get("squash_option") in _SQUASHES
        method = raw.get("merge_method")
    linear = method in _LINEAR
    request = f"{root}/merge_requests/{pull.number}"
    link = f"See merge request {project}!{pull.number}"
    if not squashes:
        fields: dict[str, object] = {"squash": False}
        # A fast-forward makes no commit that could say anything.
        approvals = "" if method == "ff" else write_merge_body(_list_approvers(http, request))
        if approvals:
            fields |= _write_merge_commit(pull, link, approvals)
        return Words(fields, linear)
    commits = http.walk_pages(f"{request}/commits", {}, "per_page", MANY)
    with http.reading():
        messages = [str(commit["message"]) for commit in commits][::-1]
    merger = ""
    with suppress(RefusedError):
        merger = whoami()
    approvers = _list_approvers(http, request)
    message = write_squash(pull.title, pull.number, messages, approvers, merger)
    text = f"{message.text}\n\n{link}"
    return Words({"squash": True, "squash_commit_message": text}, linear)


def _write_merge_commit(pull: PullRequest, link: str, approvals: str) -> dict[str, object]:
    """Write what GitLab says by default, and who has approved."""
    title = f"Merge branch '{pull.branch}' into '{pull.base}'"
    return {"merge_commit_message": f"{title}\n\n{pull.title}\n\n{link}\n\n{approvals}"}


def _list_approvers(http: Transport, request: str) -> Collection[str]:
    """List who has approved it; not every edition says so."""
    answer = fetch_or_none(http, f"{request}/approvals")
    with http.reading():
        approvals = answer.data.get("approved_by") or () if answer else ()
        return {str(approval["user"]["username"]) for approval in approvals}
