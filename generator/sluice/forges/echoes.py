"""Whether a delivery tells only what we have done ourselves, so that nobody need be woken by it.

What it says is used for nothing else, and in doubt it is news. What is taken for an echo and is
none is seen by the next look all the same.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sluice.core.bounded import json_of
from sluice.forges.kinds import kind_of

IsOurs = Callable[[str, str | None], bool]
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


def is_echo(kind: str, headers: Mapping[str, str], body: bytes, is_ours: IsOurs) -> bool:
    """Whether a delivery, which was verified, is about our own doing and nothing else.

    Args:
        kind: the name of the forge's kind.
        headers: of the delivery; their names in lower case.
        body: as it came.
        is_ours: tells whether we moved a branch somewhere.

    Raises:
        UsageError: there is no such kind.
    """
    events = kind_of(kind).events
    try:
        delivery = json_of(body)
        if not events:
            return _is_named_echo(delivery, is_ours)
        event = next((headers[name] for name in events if name in headers), "")
        return _is_headed_echo(event, delivery, is_ours)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def _is_headed_echo(event: str, delivery: Any, is_ours: IsOurs) -> bool:  # noqa: ANN401 - JSON is anything
    """Of forges that name the event in a header."""
    if event == "push":
        return is_ours(delivery["ref"], _read_commit(delivery["after"]))
    if event == "create":  # a push tells the same, and where to
        return bool(delivery["ref"].startswith(_BRANCHES))
    if event == "delete":
        return is_ours(f"{_HEADS}{delivery['ref']}", None)
    if event == "status":
        return bool(delivery["context"].startswith(_CONTEXTS))
    return _are_our_words(event, delivery)


def _are_our_words(event: str, delivery: Any) -> bool:  # noqa: ANN401 - JSON is anything
    sender = delivery["sender"]["login"]
    if event == "pull_request":
        pull = delivery["pull_request"]
        is_author = pull["user"]["login"] == sender
        is_branch = pull["head"]["ref"].startswith(_BRANCHES)
        is_no_fork = pull["head"]["repo"]["id"] == pull["base"]["repo"]["id"]
        is_ours = is_author and is_branch and is_no_fork
        return bool(is_ours and delivery["action"] in _KEPT)
    if event == "issue_comment":
        is_author = delivery["issue"]["user"]["login"] == sender
        return is_author and _is_our_comment(delivery["comment"]["body"])
    return False


def _is_named_echo(delivery: Any, is_ours: IsOurs) -> bool:  # noqa: ANN401 - JSON is anything
    """Of forges that name the event in the body."""
    event = delivery["object_kind"]
    if event == "push":
        return is_ours(delivery["ref"], _read_commit(delivery["after"]))
    if event == "pipeline":  # a status makes one
        names = [build["name"] for build in delivery["builds"]]
        return bool(names) and all(name.startswith(_CONTEXTS) for name in names)
    if event == "merge_request":
        pull = delivery["object_attributes"]
        mine = pull["author_id"] == delivery["user"]["id"]
        near = pull["source_project_id"] == pull["target_project_id"]
        ours = mine and near and pull["source_branch"].startswith(_BRANCHES)
        return bool(ours and pull["action"] in _KEPT_BY_NAME)
    if event == "note":
        is_author = delivery["merge_request"]["author_id"] == delivery["user"]["id"]
        return is_author and _is_our_comment(delivery["object_attributes"]["note"])
    return False


def _read_commit(name: str) -> str | None:
    """Return a commit; zeros are none."""
    if not name.strip("0"):
        return None
    return name


def _is_our_comment(text: str) -> bool:
    """Whether a comment ends as ours do."""
    last = text.rstrip().rpartition("\n")[2]
    return last.startswith(_COMMENT) and last.endswith("-->")
