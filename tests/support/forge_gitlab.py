"""The fake in GitLab's words."""

from typing import Any
from urllib.parse import unquote

from support.forge_fake import Dialect, Reply, Route, Seen
from support.forge_github import when
from support.forge_state import ForgeState, Note, Problem, Pull

_STATES = {"open": "opened", "merged": "merged", "closed": "closed"}


def _user(name: str, state: ForgeState) -> dict[str, Any]:
    return {"id": state.users.get(name, 0), "username": name}


def _shown(state: ForgeState, pull: Pull) -> dict[str, Any]:
    ready = "ci_still_running" if state.waiting else "mergeable"
    status = "checking" if state.unready else ready
    status = "not_approved" if state.blocked else "conflict" if pull.conflicts else status
    status = "draft_status" if state.is_draft(pull) else status
    closed = [at for what, at in pull.events if what == "closed"]
    return {
        "id": 9_000 + pull.number,
        "iid": pull.number,
        "title": pull.title,
        "description": pull.body or None,
        "state": _STATES[pull.state],
        "source_branch": pull.branch,
        "target_branch": pull.base,
        "source_project_id": 2 if pull.forked else 1,
        "target_project_id": 1,
        "sha": pull.head,
        "author": _user(pull.author, state),
        "labels": sorted(pull.labels),
        "reviewers": [_user(name, state) for name in pull.reviewers],
        "merge_commit_sha": pull.merged_as or None,
        "squash_commit_sha": None,
        "detailed_merge_status": status,
        "merge_when_pipeline_succeeds": bool(pull.automatic),
        "updated_at": when(pull.updated),
        "draft": state.is_draft(pull),
        "closed_at": when(closed[-1]) if closed and pull.state == "closed" else None,
        "web_url": f"https://forge.example/pull/{pull.number}",
    }


def _list(state: ForgeState, seen: Seen) -> Reply:
    wanted, branch = seen.query.get("state", "all"), seen.query.get("source_branch", "")

    def matching(pull: Pull) -> bool:
        return wanted in ("all", _STATES[pull.state]) and branch in ("", pull.branch)

    return Reply(data=[_shown(state, pull) for pull in state.find(matching)])


def _compare(state: ForgeState, seen: Seen) -> Reply:
    nothing = state.changes_nothing(seen.query["to"], seen.query["from"])
    return Reply(data={"commits": [] if nothing else [{"id": "1" * 40}]})


def _open(state: ForgeState, seen: Seen) -> Reply:
    body = seen.body
    pull = state.open(
        body["source_branch"], body["target_branch"], body["title"], body.get("description") or ""
    )
    pull.labels |= _names(body.get("labels"))
    return Reply(201, _shown(state, pull))


def _names(text: str | None) -> set[str]:
    return {name for name in (text or "").split(",") if name}


def _get(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(data=_shown(state, state.get(int(number))))


def _edit(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull, body = state.get(int(number)), seen.body
    if body.get("state_event") == "close":
        state.close(pull)
    pull.labels = (pull.labels | _names(body.get("add_labels"))) - _names(body.get("remove_labels"))
    if "reviewer_ids" in body:
        names = {number: name for name, number in state.users.items()}
        # Who has no access is left out without a word.
        pull.reviewers = [names[number] for number in body["reviewer_ids"] if number in names]
    fields = {"title": "title", "description": "body", "target_branch": "base"}
    changed = {ours: body[theirs] for theirs, ours in fields.items() if theirs in body}
    return Reply(data=_shown(state, state.edit(pull, **changed)))


def _merge(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull, body = state.get(int(number)), seen.body
    squashes = body["squash"] if _SQUASHES[state.squashes] is None else _SQUASHES[state.squashes]
    method = "squash" if squashes else _METHODS[state.project_merges]
    said = body.get("squash_commit_message" if squashes else "merge_commit_message") or ""
    if body.get("auto_merge") and state.waiting:
        state.methods.add(method)
        state.merge_later(pull, body["sha"], method, said)
    else:
        drop = body.get("should_remove_source_branch", False)
        state.methods.add(method)
        state.merge(pull, body["sha"], method, said, drop=drop)
    return Reply(data=_shown(state, pull))


_METHODS = {"merge": "merge", "rebase_merge": "merge", "ff": "fast-forward-only"}
# What becomes of the wish for a squash: some settings overrule it without a word.
_SQUASHES = {"never": False, "always": True, "default_on": None, "default_off": None}


def _project(state: ForgeState, seen: Seen) -> Reply:
    level = 30 if state.may_push else 20
    return Reply(
        data={
            "id": 1,
            "path_with_namespace": state.moved or "team/models",
            "archived": state.archived,
            "merge_method": state.project_merges,
            "squash_option": state.squashes,
            "permissions": {"project_access": {"access_level": level}, "group_access": None},
        }
    )


def _commits(state: ForgeState, seen: Seen, number: str) -> Reply:
    """Newest first."""
    found = state.commits_of(state.get(int(number)))
    return Reply(data=[{"id": commit, "message": said} for commit, said in found[::-1]])


def _approvals(state: ForgeState, seen: Seen, number: str) -> Reply:
    given = state.get(int(number)).verdicts.items()
    names = [name for name, verdict in given if verdict == "approved"]
    return Reply(data={"approved_by": [{"user": _user(name, state)} for name in names]})


def _unmerge(state: ForgeState, seen: Seen, number: str) -> Reply:
    if state.merge_never(state.get(int(number))):
        return Reply(201, {"status": "success"})
    said = {"status": "error", "message": "Can't cancel the automatic merge", "http_status": 406}
    return Reply(201, said)


_WORDS = {"changes": "requested_changes", "approved": "approved", "dismissed": "unreviewed"}


def _reviewers(state: ForgeState, seen: Seen, number: str) -> Reply:
    pull = state.get(int(number))
    said = dict.fromkeys([*pull.reviewers, *pull.reviews], "reviewed")
    said |= {name: _WORDS[verdict] for name, verdict in pull.verdicts.items()}
    return Reply(data=[{"user": _user(name, state), "state": word} for name, word in said.items()])


def _events(state: ForgeState, seen: Seen) -> Reply:
    """The deletions of branches; the first of them all comes last."""
    gone = [
        {
            "action_name": "deleted",
            "created_at": when(at),
            "push_data": {"action": "removed", "ref_type": "branch", "ref": pull.branch},
        }
        for pull in state.pulls.values()
        for what, at in pull.events
        if what == "deleted"
    ]
    return Reply(data=gone[::-1])


def _note(state: ForgeState, said: Note) -> dict[str, Any]:
    return {"id": said.id, "body": said.text, "author": _user(said.author, state)}


def _notes(state: ForgeState, seen: Seen, number: str) -> Reply:
    words = {"asked": "enabled an automatic merge when all merge checks for 1234 pass"}
    words |= {"withdrawn": "canceled the automatic merge"}
    told = [
        {"id": -at, "body": words[what], "author": _user(name, state), "system": True}
        for what, name, at in state.get(int(number)).delegations
        if what in words
    ]
    said = [_note(state, each) for each in state.notes if each.number == int(number)]
    return Reply(data=[*told, *said])


def _add_note(state: ForgeState, seen: Seen, number: str) -> Reply:
    return Reply(201, _note(state, state.note(int(number), seen.body["body"])))


def _edit_note(state: ForgeState, seen: Seen, number: str, comment: str) -> Reply:
    said = next(each for each in state.notes if each.id == int(comment))
    said.text = seen.body["body"]
    return Reply(data=_note(state, said))


def _delete_note(state: ForgeState, seen: Seen, number: str, comment: str) -> Reply:
    state.unnote(int(comment))
    return Reply(204)


def _users(state: ForgeState, seen: Seen) -> Reply:
    name = seen.query["username"]
    return Reply(data=[_user(name, state)] if name in state.users else [])


def _statuses(state: ForgeState, seen: Seen, sha: str) -> Reply:
    last = {s["name"]: s for s in state.statuses if s["commit"] == sha}
    wanted = [s for s in last.values() if s["name"] == seen.query.get("name")]
    return Reply(data=[{**status, "status": status["state"]} for status in wanted])


def _token(state: ForgeState, seen: Seen) -> Reply:
    """Only personal, project and group tokens can tell."""
    if not state.scopes:
        raise Problem("none")
    return Reply(data={"id": 1, "scopes": state.scopes.split(",")})


def _say(state: ForgeState, seen: Seen, sha: str) -> Reply:
    if not sha.strip("0"):
        raise Problem("none")
    last = {s["name"]: s for s in state.statuses if s["commit"] == sha}
    before = last.get(seen.body["name"], {}).get("state")
    if before == "pending" and seen.body["state"] == "pending":
        raise Problem("transition")
    state.statuses.append({**seen.body, "commit": sha})
    return Reply(201, {})


def _branch(state: ForgeState, seen: Seen, branch: str) -> Reply:
    tip = state.tip(unquote(branch))
    if tip is None:
        raise Problem("none")
    return Reply(data={"name": unquote(branch), "commit": {"id": tip}})


def _drop(state: ForgeState, seen: Seen, branch: str) -> Reply:
    if state.tip(unquote(branch)) is None:
        raise Problem("none")
    state.drop(unquote(branch))
    return Reply(204)


def _me(state: ForgeState, seen: Seen) -> Reply:
    return Reply(data=_user("robot", state))


def _refused(problem: Problem) -> Reply:
    exists = f"Another open merge request already exists for this source branch: !{problem.text}"
    said: dict[str, tuple[int, Any]] = {
        "none": (404, "404 Not Found"),
        "no-branch": (404, "404 Not Found"),
        "early": (404, "404 Not Found"),
        "duplicate": (409, [exists]),
        "closed": (405, "405 Method Not Allowed"),
        "conflict": (422, "Branch cannot be merged"),
        "checking": (405, "405 Method Not Allowed"),
        "blocked": (405, "405 Method Not Allowed"),
        "moved": (409, "SHA does not match HEAD of source branch"),
        "merged": (403, "403 Forbidden"),
        "transition": (400, {"state": ["Cannot transition status via :enqueue from :pending"]}),
    }
    status, message = said[problem.kind]
    return Reply(status, {"message": message})


_P = "/projects/team%2Fmodels"
_ONE = rf"{_P}/merge_requests/(?P<number>\d+)"
ROUTES: tuple[Route, ...] = (
    ("GET", _P, _project),
    ("GET", f"{_ONE}/commits", _commits),
    ("GET", f"{_ONE}/approvals", _approvals),
    ("GET", f"{_P}/merge_requests", _list),
    ("POST", f"{_P}/merge_requests", _open),
    ("GET", _ONE, _get),
    ("PUT", _ONE, _edit),
    ("PUT", f"{_ONE}/merge", _merge),
    ("POST", f"{_ONE}/cancel_merge_when_pipeline_succeeds", _unmerge),
    ("GET", f"{_ONE}/reviewers", _reviewers),
    ("GET", f"{_P}/events", _events),
    ("GET", f"{_ONE}/notes", _notes),
    ("POST", f"{_ONE}/notes", _add_note),
    ("PUT", rf"{_ONE}/notes/(?P<comment>\d+)", _edit_note),
    ("DELETE", rf"{_ONE}/notes/(?P<comment>\d+)", _delete_note),
    ("GET", f"{_P}/repository/compare", _compare),
    ("GET", rf"{_P}/repository/commits/(?P<sha>\w+)/statuses", _statuses),
    ("POST", rf"{_P}/statuses/(?P<sha>\w+)", _say),
    ("GET", f"{_P}/repository/branches/(?P<branch>[^/]+)", _branch),
    ("DELETE", f"{_P}/repository/branches/(?P<branch>[^/]+)", _drop),
    ("GET", "/users", _users),
    ("GET", "/user", _me),
    ("GET", "/personal_access_tokens/self", _token),
)
GITLAB = Dialect("gitlab", "/api/v4", ROUTES, "per_page", "Bearer", _refused)
