"""The fake in GitHub's words."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

from support.forge_fake import Dialect, Reply, Route, Seen
from support.forge_state import ForgeState, Note, Problem, Pull

R = "/repos/team/models"
_VALIDATION = "Validation Failed"


def user(name: str, state: ForgeState) -> dict[str, Any]:
    return {"login": name, "id": state.users.get(name, 0)}


def when(time: int) -> str:
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def side(ref: str, sha: str, repository: int) -> dict[str, Any]:
    repo = {"id": repository, "full_name": "team/models" if repository == 1 else "mallory/models"}
    return {"ref": ref, "sha": sha, "label": f"team:{ref}", "repo": repo}


def shown(state: ForgeState, pull: Pull) -> dict[str, Any]:
    """A pull request as GitHub and its followers show it."""
    return {
        "id": 9_000 + pull.number,
        "number": pull.number,
        "title": pull.title,
        "body": pull.body or None,
        "state": "open" if pull.state == "open" else "closed",
        "user": user(pull.author, state),
        "labels": [{"id": state.label(name), "name": name} for name in sorted(pull.labels)],
        "head": side(pull.branch, pull.head, 2 if pull.forked else 1),
        "base": side(pull.base, state.tip(pull.base) or "", 1),
        "merged_at": when(pull.updated) if pull.state == "merged" else None,
        # While it is open, of a commit that only tries the merge.
        "merge_commit_sha": pull.merged_as or "7" * 40,
        "updated_at": when(pull.updated),
        "draft": state.is_draft(pull),
        "html_url": f"https://forge.example/pull/{pull.number}",
        "requested_reviewers": [user(name, state) for name in pull.reviewers],
        "requested_teams": [{"id": 7, "name": name.upper(), "slug": name} for name in pull.teams],
    }


def note(state: ForgeState, said: Note) -> dict[str, Any]:
    return {"id": said.id, "body": said.text, "user": user(said.author, state)}


def _with_node(state: ForgeState, pull: Pull) -> dict[str, Any]:
    automatic = {"merge_method": pull.automatic} if pull.automatic else None
    node = base64.b64encode(str(pull.number).encode()).decode()
    blocked = state.blocked or state.waiting
    mergeable = "unknown" if state.unready else "blocked" if blocked else "clean"
    mergeable = "draft" if pull.draft else mergeable
    more = {"node_id": node, "auto_merge": automatic, "mergeable_state": mergeable}
    return shown(state, pull) | more


def _repository(state: ForgeState, seen: Seen) -> Reply:
    allowed = {
        "allow_merge_commit": "merge",
        "allow_squash_merge": "squash",
        "allow_rebase_merge": "rebase",
    }
    keys = {key: name in state.methods for key, name in allowed.items()}
    return Reply(data={"id": 1, **permitted(state), **keys})


def permitted(state: ForgeState) -> dict[str, Any]:
    """What is said of the repository as a whole, and of what the account may do with it."""
    may = {"admin": False, "push": state.may_push, "pull": True}
    name = state.moved or "team/models"
    return {"full_name": name, "archived": state.archived, "permissions": may}


def _rules(state: ForgeState, seen: Seen, branch: str) -> Reply:
    return Reply(data=state.rules)


def _commits(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(data=commits(state, int(number)))


def commits(state: ForgeState, number: int) -> list[dict[str, Any]]:
    found = state.commits_of(state.get(number))
    return [{"sha": commit, "commit": {"message": said}} for commit, said in found]


def said_of(body: Mapping[str, Any], title: str, text: str) -> str:
    """The message of a merge that was asked for."""
    parts = [body.get(title) or "", body.get(text) or ""]
    if not parts[0] and parts[1]:
        parts[0] = "Merge pull request"
    return "\n\n".join(filter(None, parts))


def _list(state: ForgeState, seen: Seen) -> Reply:
    wanted, head = seen.query.get("state", "open"), seen.query.get("head", "")

    def matching(pull: Pull) -> bool:
        is_open = pull.state == "open"
        right = wanted == "all" or is_open == (wanted == "open")
        return right and head in ("", f"team:{pull.branch}")

    return Reply(data=[shown(state, pull) for pull in state.find(matching)])


def _open(state: ForgeState, seen: Seen) -> Reply:
    body = seen.body
    if state.tip(body["head"]) and state.changes_nothing(body["head"], body["base"]):
        raise Problem("no-commits", f"No commits between {body['base']} and {body['head']}")
    pull = state.open(body["head"], body["base"], body["title"], body.get("body") or "")
    return Reply(201, _with_node(state, pull))


def _get(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(data=_with_node(state, state.get(int(number))))


def _edit(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull = state.get(int(number))
    fields = dict(seen.body)
    if fields.pop("state", "") == "closed":
        state.close(pull)
    return Reply(data=_with_node(state, state.edit(pull, **fields)))


def _merge(state: ForgeState, seen: Seen, number: str) -> Reply:
    body = seen.body
    said = said_of(body, "commit_title", "commit_message")
    pull = state.merge(state.get(int(number)), body["sha"], body["merge_method"], said)
    return Reply(data={"sha": pull.merged_as, "merged": True, "message": "merged"})


def _ask(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull = state.get(int(number))
    users, teams = seen.body.get("reviewers") or [], seen.body.get("team_reviewers") or []
    if not set(users) <= set(state.users) - {pull.author} or not set(teams) <= state.teams:
        raise Problem("reviewer")
    pull.reviewers += users
    pull.teams += teams
    return Reply(201, shown(state, pull))


def reviews(state: ForgeState, number: str, words: dict[str, str]) -> list[dict[str, Any]]:
    """What was said of a pull request in reviews, each verdict in a dialect's words."""
    pull = state.get(int(number))
    said = [(name, words["comment"]) for name in pull.reviews]
    said += [(name, words[verdict]) for name, verdict in pull.verdicts.items()]
    return [
        {"id": i, "user": user(name, state), "state": word}
        for i, (name, word) in enumerate(said, 1)
    ]


_WORDS = {"comment": "COMMENTED", "changes": "CHANGES_REQUESTED", "approved": "APPROVED"}
_WORDS["dismissed"] = "DISMISSED"


def _reviews(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(data=reviews(state, number, _WORDS))


def _events(state: ForgeState, seen: Seen, number: str) -> Reply:
    words = {"closed": "closed", "deleted": "head_ref_deleted"}
    words |= {"asked": "auto_merge_enabled", "withdrawn": "auto_merge_disabled"}
    words |= {"reopened": "reopened"}
    return Reply(data=happened(state, number, "event", words, "actor"))


def happened(
    state: ForgeState, number: str, key: str, words: Mapping[str, str], who: str
) -> list[dict[str, Any]]:
    """What happened to a pull request, oldest first, in the words of a forge."""
    pull = state.get(int(number))
    found = [(at, what, "alice") for what, at in pull.events]
    found += [(at, what, name) for what, name, at in pull.delegations]
    return [
        {"id": i, key: words[what], "created_at": when(at), who: user(name, state)}
        for i, (at, what, name) in enumerate(sorted(found), 1)
    ]


def _label(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull = state.get(int(number))
    for name in seen.body["labels"]:
        state.label(name)
        pull.labels.add(name)
    return Reply(data=shown(state, pull)["labels"])


def _unlabel(state: ForgeState, seen: Seen, number: str, name: str) -> Reply:
    pull = state.get(int(number))
    if unquote(name) not in pull.labels:
        raise Problem("none")
    pull.labels.discard(unquote(name))
    return Reply(data=shown(state, pull)["labels"])


def notes(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(data=[note(state, each) for each in state.notes if each.number == int(number)])


def add_note(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(201, note(state, state.note(int(number), seen.body["body"])))


def delete_note(state: ForgeState, seen: Seen, comment: str) -> Reply:
    state.unnote(int(comment))
    return Reply(204)


def edit_note(state: ForgeState, seen: Seen, comment: str) -> Reply:
    said = next(each for each in state.notes if each.id == int(comment))
    said.text = seen.body["body"]
    return Reply(data=note(state, said))


def statuses(state: ForgeState, commit: str, key: str) -> list[dict[str, Any]]:
    """The last of each context; Gitea has another key for the state."""
    last = {s["context"]: s for s in state.statuses if s["commit"] == commit}
    return [
        {
            "id": 1,
            key: status["state"],
            "context": status["context"],
            "description": status.get("description"),
            "target_url": status.get("target_url"),
        }
        for status in last.values()
    ]


def _combined(state: ForgeState, seen: Seen, sha: str) -> Reply:
    said, page, size = statuses(state, sha, "state"), seen.number("page", 1), 100
    part = said[(page - 1) * size : page * size]
    return Reply(data={"state": "pending", "statuses": part, "total_count": len(said)})


def _say(state: ForgeState, seen: Seen, sha: str) -> Reply:
    if not sha.strip("0"):
        raise Problem("no-commit")
    state.statuses.append({**seen.body, "commit": sha})
    return Reply(201, statuses(state, sha, "state")[-1])


def _ref(state: ForgeState, seen: Seen, branch: str) -> Reply:
    tip = state.tip(branch)
    if tip is None:
        raise Problem("none")
    return Reply(data={"ref": f"refs/heads/{branch}", "object": {"sha": tip, "type": "commit"}})


def _drop(state: ForgeState, seen: Seen, branch: str) -> Reply:
    if state.tip(branch) is None:
        raise Problem("no-ref")
    state.drop(branch)
    return Reply(204)


def _user(state: ForgeState, seen: Seen) -> Reply:
    return Reply(data=user("robot", state))


def _graphql(state: ForgeState, seen: Seen) -> Reply:
    asked = seen.body["variables"]
    pull = state.get(int(base64.b64decode(asked["pull"])))
    if "disablePullRequestAutoMerge" in seen.body["query"]:
        if not state.merge_never(pull):
            return Reply(data={"data": None, "errors": [{"message": "Auto merge is not enabled"}]})
        return Reply(data={"data": {"disablePullRequestAutoMerge": {"clientMutationId": None}}})
    assert "enablePullRequestAutoMerge" in seen.body["query"]
    if not state.waiting:
        said = "Pull request Pull request is in clean status"
        return Reply(data={"data": None, "errors": [{"message": said}]})
    said = said_of(asked, "title", "body")
    state.merge_later(pull, asked["head"], asked["method"].lower(), said)
    return Reply(data={"data": {"enablePullRequestAutoMerge": {"clientMutationId": None}}})


def token_of(server_token: str, now: float) -> Reply:
    """The answer to an App that asks for a token."""
    ends = datetime.fromtimestamp(now, UTC) + timedelta(hours=1)
    return Reply(201, {"token": server_token, "expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})


def _refused(problem: Problem) -> Reply:
    custom = {"resource": "PullRequest", "code": "custom"}
    invalid = {"resource": "PullRequest", "field": "head", "code": "invalid"}
    said: dict[str, tuple[int, str, list[Any]]] = {
        "none": (404, "Not Found", []),
        "duplicate": (
            422,
            _VALIDATION,
            [custom | {"message": "A pull request already exists for team:x."}],
        ),
        "no-commits": (422, _VALIDATION, [custom | {"message": problem.text}]),
        "no-branch": (422, _VALIDATION, [invalid]),
        "early": (422, _VALIDATION, [custom | {"message": "Head sha can't be blank"}]),
        "reviewer": (422, "Reviews may only be requested from collaborators.", []),
        "closed": (405, "Pull Request is not mergeable", []),
        "conflict": (405, "Pull Request is not mergeable", []),
        "checking": (405, "Pull Request is not mergeable", []),
        "blocked": (405, problem.text, []),
        "moved": (409, "Head branch was modified. Review and try the merge again.", []),
        "merged": (422, _VALIDATION, [custom | {"message": "state cannot be changed."}]),
        "no-ref": (422, "Reference does not exist", []),
        "no-commit": (422, f"No commit found for SHA: {'0' * 40}", []),
    }
    status, message, errors = said[problem.kind]
    return Reply(status, {"message": message, **({"errors": errors} if errors else {})})


ROUTES: tuple[Route, ...] = (
    ("GET", f"{R}", _repository),
    ("GET", f"{R}/pulls", _list),
    ("POST", f"{R}/pulls", _open),
    ("GET", rf"{R}/pulls/(?P<number>\d+)", _get),
    ("PATCH", rf"{R}/pulls/(?P<number>\d+)", _edit),
    ("GET", rf"{R}/pulls/(?P<number>\d+)/commits", _commits),
    ("GET", rf"{R}/rules/branches/(?P<branch>[^/]+)", _rules),
    ("PUT", rf"{R}/pulls/(?P<number>\d+)/merge", _merge),
    ("POST", rf"{R}/pulls/(?P<number>\d+)/requested_reviewers", _ask),
    ("GET", rf"{R}/pulls/(?P<number>\d+)/reviews", _reviews),
    ("GET", rf"{R}/issues/(?P<number>\d+)/events", _events),
    ("POST", rf"{R}/issues/(?P<number>\d+)/labels", _label),
    ("DELETE", rf"{R}/issues/(?P<number>\d+)/labels/(?P<name>[^/]+)", _unlabel),
    ("GET", rf"{R}/issues/(?P<number>\d+)/comments", notes),
    ("POST", rf"{R}/issues/(?P<number>\d+)/comments", add_note),
    ("PATCH", rf"{R}/issues/comments/(?P<comment>\d+)", edit_note),
    ("DELETE", rf"{R}/issues/comments/(?P<comment>\d+)", delete_note),
    ("GET", rf"{R}/commits/(?P<sha>\w+)/status", _combined),
    ("POST", rf"{R}/statuses/(?P<sha>\w+)", _say),
    ("GET", rf"{R}/git/ref/heads/(?P<branch>.+)", _ref),
    ("DELETE", rf"{R}/git/refs/heads/(?P<branch>.+)", _drop),
    ("GET", "/user", _user),
    ("POST", "/graphql", _graphql),
)
GITHUB = Dialect("github", "/api(?:/v3)?", ROUTES, "per_page", "Bearer", _refused)
