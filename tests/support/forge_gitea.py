"""The fake in the words of Gitea and Forgejo, where they differ from GitHub's."""

from typing import Any
from urllib.parse import unquote

from support.forge_fake import Dialect, Reply, Route, Seen
from support.forge_github import (
    R,
    add_note,
    commits,
    delete_note,
    edit_note,
    happened,
    notes,
    permitted,
    reviews,
    said_of,
    shown,
    statuses,
    user,
)
from support.forge_state import ForgeState, Problem, Pull


def _shown(state: ForgeState, pull: Pull) -> dict[str, Any]:
    merged = pull.state == "merged"
    raw = shown(state, pull) | {"body": pull.body, "merged": merged}
    head = raw["head"] | {"label": pull.branch}
    if state.tip(pull.branch) is None:
        head["ref"] = f"refs/pull/{pull.number}/head"  # of a branch that is deleted
    return raw | {"merge_commit_sha": pull.merged_as or None, "head": head}


def _repository(state: ForgeState, seen: Seen) -> Reply:
    allowed = {
        "allow_merge_commits": "merge",
        "allow_rebase": "rebase",
        "allow_rebase_explicit": "rebase-merge",
        "allow_squash_merge": "squash",
        "allow_fast_forward_only_merge": "fast-forward-only",
    }
    keys = {key: name in state.methods for key, name in allowed.items()}
    return Reply(data={"id": 1, **permitted(state), **keys, "default_merge_style": state.preferred})


def _commits(state: ForgeState, seen: Seen, number: str) -> Reply:
    """Newest first."""
    return Reply(data=commits(state, int(number))[::-1])


def _hooks(state: ForgeState, seen: Seen) -> Reply:
    return Reply(data=[])


def _list(state: ForgeState, seen: Seen) -> Reply:
    wanted = seen.query.get("state", "open")

    def matching(pull: Pull) -> bool:
        return wanted == "all" or (pull.state == "open") == (wanted == "open")

    return Reply(data=[_shown(state, pull) for pull in state.find(matching)])


def _between(state: ForgeState, seen: Seen, base: str, branch: str) -> Reply:
    """Any one of these branches, perhaps one that is closed: there is no order."""
    base = unquote(base)
    found = state.find(lambda pull: (pull.base, pull.branch) == (base, branch))
    if not found:
        raise Problem("none")
    return Reply(data=_shown(state, min(found, key=lambda pull: pull.number)))


def _compare(state: ForgeState, seen: Seen, base: str, branch: str) -> Reply:
    return Reply(data={"total_commits": 0 if state.changes_nothing(branch, base) else 1})


def _open(state: ForgeState, seen: Seen) -> Reply:
    body = seen.body
    pull = state.open(body["head"], body["base"], body["title"], body.get("body") or "")
    pull.labels |= _names(state, body.get("labels") or [])
    return Reply(201, _shown(state, pull))


def _names(state: ForgeState, numbers: list[int]) -> set[str]:
    return {name for name, number in state.labels.items() if number in numbers}


def _get(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(data=_shown(state, state.get(int(number))))


def _edit(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull = state.get(int(number))
    fields = dict(seen.body)
    if fields.pop("state", "") == "closed":
        state.close(pull)
    return Reply(201, _shown(state, state.edit(pull, **fields)))


def _merge(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull, body = state.get(int(number)), seen.body
    if body["Do"] == "manually-merged":
        if not state.takes_word:
            raise Problem("blocked", "manually-merged is not allowed")
        state.edit(pull, state="merged", merged_as=body["MergeCommitID"])
        return Reply(200)
    said = said_of(body, "MergeTitleField", "MergeMessageField")
    # As in Gitea 1.26.4: what is scheduled is looked at again at events only, stays scheduled when
    # it is pushed to, drafted or closed, and is tied to no commit.
    if body.get("merge_when_checks_succeed") and pull.automatic:
        raise Problem("scheduled")
    if body.get("merge_when_checks_succeed") and state.waiting:
        state.merge_later(pull, pull.head, body["Do"], said)  # whatever is allowed
        return Reply(201)
    drop = body.get("delete_branch_after_merge", False)
    state.merge(pull, body["head_commit_id"], body["Do"], said, drop=drop)
    return Reply(200)


def _unmerge(state: ForgeState, seen: Seen, number: str) -> Reply:
    if not state.merge_never(state.get(int(number))):
        raise Problem("none")
    return Reply(204)


def _ask(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull = state.get(int(number))
    users, teams = seen.body.get("reviewers") or [], seen.body.get("team_reviewers") or []
    if not set(users) <= set(state.users) - {pull.author} or not set(teams) <= state.teams:
        raise Problem("none")
    pull.reviewers += users
    pull.teams += teams
    return Reply(201, [])


def _reviews(state: ForgeState, seen: Seen, number: str) -> Reply:
    gone = {n for n, verdict in state.get(int(number)).verdicts.items() if verdict == "dismissed"}
    said = reviews(state, number, _WORDS)
    return Reply(data=[{**each, "dismissed": each["user"]["login"] in gone} for each in said])


_WORDS = {"comment": "COMMENT", "changes": "REQUEST_CHANGES", "approved": "APPROVED"}
_WORDS["dismissed"] = "REQUEST_CHANGES"


def _timeline(state: ForgeState, seen: Seen, number: str) -> Reply:
    words = {"closed": "close", "deleted": "delete_branch", "reopened": "reopen"}
    words |= {"asked": "pull_scheduled_merge", "withdrawn": "pull_cancel_scheduled_merge"}
    return Reply(data=happened(state, number, "type", words, "user"))


def _labels(state: ForgeState, seen: Seen) -> Reply:
    return Reply(data=[{"id": number, "name": name} for name, number in state.labels.items()])


def _new_label(state: ForgeState, seen: Seen) -> Reply:
    name = seen.body["name"]
    return Reply(201, {"id": state.label(name), "name": name})


def _label(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull = state.get(int(number))
    pull.labels |= _names(state, seen.body["labels"])
    return Reply(data=[{"id": state.label(name), "name": name} for name in sorted(pull.labels)])


def _unlabel(state: ForgeState, seen: Seen, number: str, label: str) -> Reply:
    state.get(int(number)).labels -= _names(state, [int(label)])
    return Reply(204)


def _combined(state: ForgeState, seen: Seen, sha: str) -> Reply:
    said, page = statuses(state, sha, "status"), seen.number("page", 1)
    part = said[(page - 1) * 50 : page * 50]
    return Reply(data={"state": "pending", "statuses": part or None, "total_count": len(said)})


def _say(state: ForgeState, seen: Seen, sha: str) -> Reply:
    state.statuses.append({**seen.body, "commit": sha})
    return Reply(201, statuses(state, sha, "status")[-1])


def _branch(state: ForgeState, seen: Seen, branch: str) -> Reply:
    tip = state.tip(branch)
    if tip is None:
        raise Problem("none")
    return Reply(data={"name": branch, "commit": {"id": tip}})


def _drop(state: ForgeState, seen: Seen, branch: str) -> Reply:
    if state.tip(branch) is None:
        raise Problem("none")
    state.drop(branch)
    return Reply(204)


def _user(state: ForgeState, seen: Seen) -> Reply:
    return Reply(data=user("robot", state))


def _refused(problem: Problem) -> Reply:
    duplicate = f"pull request already exists for these targets [issue_id: {problem.text}]"
    said = {
        "none": (404, "The target couldn't be found."),
        "no-branch": (404, "The target couldn't be found."),
        "early": (404, "The target couldn't be found."),
        "duplicate": (409, duplicate),
        "closed": (405, ""),
        "conflict": (409, "merge conflict"),
        "checking": (405, "Please try again later"),
        "blocked": (405, problem.text),
        "moved": (409, "head out of date"),
        "merged": (412, "cannot change state of this pull request, it was already merged"),
        "scheduled": (409, "pull request is already scheduled to auto merge"),
    }
    status, message = said[problem.kind]
    return Reply(status, {"message": message, "url": "https://internal.invalid/api/swagger"})


_ONE = rf"{R}/pulls/(?P<number>\d+)"
ROUTES: tuple[Route, ...] = (
    ("GET", R, _repository),
    ("GET", f"{R}/pulls", _list),
    ("POST", f"{R}/pulls", _open),
    ("GET", _ONE, _get),
    ("PATCH", _ONE, _edit),
    ("GET", f"{_ONE}/commits", _commits),
    ("POST", f"{_ONE}/merge", _merge),
    ("DELETE", f"{_ONE}/merge", _unmerge),
    ("POST", f"{_ONE}/requested_reviewers", _ask),
    ("GET", f"{_ONE}/reviews", _reviews),
    ("GET", rf"{R}/issues/(?P<number>\d+)/timeline", _timeline),
    ("GET", rf"{R}/pulls/(?P<base>[^/]+)/(?P<branch>.+)", _between),
    ("GET", rf"{R}/compare/(?P<base>.+)\.\.\.(?P<branch>.+)", _compare),
    ("GET", f"{R}/hooks", _hooks),
    ("GET", f"{R}/labels", _labels),
    ("POST", f"{R}/labels", _new_label),
    ("POST", rf"{R}/issues/(?P<number>\d+)/labels", _label),
    ("DELETE", rf"{R}/issues/(?P<number>\d+)/labels/(?P<label>\d+)", _unlabel),
    ("GET", rf"{R}/issues/(?P<number>\d+)/comments", notes),
    ("POST", rf"{R}/issues/(?P<number>\d+)/comments", add_note),
    ("PATCH", rf"{R}/issues/comments/(?P<comment>\d+)", edit_note),
    ("DELETE", rf"{R}/issues/comments/(?P<comment>\d+)", delete_note),
    ("GET", rf"{R}/commits/(?P<sha>\w+)/status", _combined),
    ("POST", rf"{R}/statuses/(?P<sha>\w+)", _say),
    ("GET", rf"{R}/branches/(?P<branch>.+)", _branch),
    ("DELETE", rf"{R}/branches/(?P<branch>.+)", _drop),
    ("GET", "/user", _user),
)
GITEA = Dialect("gitea", "/api/v1", ROUTES, "limit", "token", _refused)
