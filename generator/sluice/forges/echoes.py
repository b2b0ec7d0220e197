"""Whether a delivery tells only what we have done ourselves, so that nobody need be woken by it.

What it says is used for nothing else, and in doubt it is news. What is taken for an echo and is
none is seen by the next look all the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sluice.core.bounded import json_of
from sluice.forges.kinds import kind_of

Made = Callable[[str, str | None], bool]
"""Whether we brought a branch (a full name) to a commit ourselves; None is for its end."""

_BRANCHES = "sluice/"
_CONTEXTS = "sluice/"
_HEADS = "refs/heads/"
_COMMENT = "<!-- sluice:comment "
# What becomes of a pull request when we keep its words, labels and reviewers up to date.
_KEPT = frozenset(
    {
        *("opened", "edited", "labeled", "unlabeled", "label_updated", "label_cleared"),
        *("review_requested", "synchronize", "synchronized"),
    }
)
_KEPT_BY_NAME = frozenset({"open", "update"})


def is_echo(kind: str, headers: Mapping[str, str], body: bytes, made: Made) -> bool:
    """Whether a delivery, which was verified, is about our own doing and nothing else.

    Args:
        kind: the name of the forge's kind.
        headers: of the delivery; their names in lower case.
        body: as it came.
        made: what we did to branches.

    Raises:
        UsageError: there is no such kind.
    """
    events = kind_of(kind).events
    try:
        said = json_of(body)
        if not events:
            return _is_named_echo(said, made)
        event = next((headers[name] for name in events if name in headers), "")
        return _is_headed_echo(event, said, made)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _is_headed_echo(event: str, said: Any, made: Made) -> bool:  # noqa: ANN401 - JSON is anything
    """Of forges that name the event in a header."""
    if event == "push":
        return made(said["ref"], _commit(said["after"]))
    if event == "create":  # a push tells the same, and where to
        return bool(said["ref"].startswith(_BRANCHES))
    if event == "delete":
        return made(f"{_HEADS}{said['ref']}", None)
    if event == "status":
        return bool(said["context"].startswith(_CONTEXTS))
    return _are_our_words(event, said)


def _are_our_words(event: str, said: Any) -> bool:  # noqa: ANN401 - JSON is anything
    sender = said["sender"]["login"]
    if event == "pull_request":
        pull = said["pull_request"]
        mine = pull["user"]["login"] == sender and pull["head"]["ref"].startswith(_BRANCHES)
        near = pull["head"]["repo"]["id"] == pull["base"]["repo"]["id"]
        return bool(mine and near and said["action"] in _KEPT)
    if event == "issue_comment":
        return said["issue"]["user"]["login"] == sender and _is_ours(said["comment"]["body"])
    return False


def _is_named_echo(said: Any, made: Made) -> bool:  # noqa: ANN401 - JSON is anything
    """Of forges that name the event in the body."""
    event = said["object_kind"]
    if event == "push":
        return made(said["ref"], _commit(said["after"]))
    if event == "pipeline":  # a status makes one
        names = [build["name"] for build in said["builds"]]
        return bool(names) and all(name.startswith(_CONTEXTS) for name in names)
    if event == "merge_request":
        pull = said["object_attributes"]
        mine = pull["author_id"] == said["user"]["id"]
        near = pull["source_project_id"] == pull["target_project_id"]
        ours = mine and near and pull["source_branch"].startswith(_BRANCHES)
        return bool(ours and pull["action"] in _KEPT_BY_NAME)
    if event == "note":
        mine = said["merge_request"]["author_id"] == said["user"]["id"]
        return mine and _is_ours(said["object_attributes"]["note"])
    return False


def _commit(name: str) -> str | None:
    """Return a commit; zeros are none."""
    return name if name.strip("0") else None


def _is_ours(text: str) -> bool:
    """Whether a comment ends as ours do."""
    last = text.rstrip().rpartition("\n")[2]
    return last.startswith(_COMMENT) and last.endswith("-->")
