"""GitLab, on gitlab.com and elsewhere."""

from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus

from sluice.core.forge import Capabilities, Hook, PullRequest, State, Status, Verdict
from sluice.forges.addresses import Address
from sluice.forges.answers import RefusedError, Site
from sluice.forges.credentials import Token
from sluice.forges.dialect import Change, Comment, Words
from sluice.forges.gitlab_merging import looks_linear, merge_words
from sluice.forges.http import Transport
from sluice.forges.kinds import kind_of
from sluice.forges.limits import Budget, Window
from sluice.forges.raw import MANY, RECENT, Raw, found, nothing_new, seconds, segment
from sluice.forges.remote import RemoteForge
from sluice.forges.rights import NO_COMMIT, NOBODY, Standing, Trial, no_branch
from sluice.forges.timing import Timing

_NEEDS = "the scope api, and the role Developer or higher"
_STATES: Mapping[State, str] = {"open": "opened", "merged": "merged", "closed": "closed"}
_VERDICTS: Mapping[Verdict, str] = {
    "pending": "pending",
    "success": "success",
    "failure": "failed",
}
# Seconds that pass at most between the end of a branch and that of its merge request.
_SOON = 300
_SAID = {said: verdict for verdict, said in _VERDICTS.items()}
_DEVELOPER = 30  # the least level of access that may push
# What else than "not found" says that the token is of another kind.
_NO_TOKEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST)
_NOT_READY = {
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
# How notes begin by which GitLab tells that a merge is left to it, and that this was taken back.
_DELEGATED, _WITHDRAWN = "enabled an automatic merge", "canceled the automatic merge"
# What is true in a moment, or what another has done already. It says that it can be merged when
# what was missing has come in between.
_PASSING = (
    "already exists",
    "status checking",
    "unchecked",
    "status preparing",
    "status approvals_syncing",
    "status mergeable",
)


def connect(
    address: Address, environ: Mapping[str, str], timing: Timing | None = None
) -> RemoteForge:
    """Return the forge at an address. Nothing is asked of it yet."""
    kind = kind_of(address.kind)
    site = Site(kind.title, f"{address.place(kind.home)}/api/v4", str(address), needs=_NEEDS)
    budget = Budget((Window(1_800, 60),), (Window(300, 60),))
    http = Transport(site, Token(address.token(environ)), budget, timing)
    return RemoteForge(GitLab(http, address.path), http, f"{address.page(kind.home)}/-/compare")


class GitLab:
    """The calls; see Dialect."""

    git_user = "oauth2"
    past: tuple[State, ...] = ("closed", "merged")
    shows_twins = True
    drafts_by_title = True
    is_linear: bool | None = None
    capabilities = Capabilities(body=1_000_000, label=255, description=255, teams=False)

    def __init__(self, http: Transport, project: str) -> None:
        self._http = http
        self._root, self._path = f"/projects/{segment(project)}", project
        self._requests = f"{self._root}/merge_requests"

    def pulls(self, state: State) -> Iterable[PullRequest]:
        """All open ones, or the closed or merged ones that changed last."""
        latest = {"state": _STATES[state], "order_by": "updated_at", "sort": "desc"}
        return self._list(latest, MANY if state == "open" else RECENT)

    def open_of(self, branch: str, base: str) -> Iterable[PullRequest]:  # noqa: ARG002 - others need it
        """The open ones of a branch."""
        return self._list({"state": "opened", "source_branch": branch}, MANY)

    def of_branch(self, branch: str) -> Iterable[PullRequest]:
        """All of a branch."""
        return self._list({"state": "all", "source_branch": branch}, MANY)

    def pull(self, number: int) -> PullRequest:
        """One of them."""
        return self._read(self._http.call("GET", f"{self._requests}/{number}").data)

    def create(self, words: Words) -> PullRequest:
        """Open one, with its labels; GitLab would also open one that changes nothing."""
        params = {"from": words.base, "to": words.branch}
        answer = self._http.call("GET", f"{self._root}/repository/compare", params=params)
        with self._http.reading():
            if not answer.data["commits"]:
                raise nothing_new(words.branch, words.base)
        body = {
            "source_branch": words.branch,
            "target_branch": words.base,
            "title": words.title,
            "description": words.body,
            "labels": ",".join(sorted(words.labels)),
            "remove_source_branch": True,
        }
        return self._read(self._http.call("POST", self._requests, body=body).data)

    def change(self, pull: PullRequest, change: Change) -> PullRequest:
        """All in one call."""
        fields = {
            "title": change.title,
            "description": change.body,
            "target_branch": change.base,
            "state_event": "close" if change.state else None,
            "add_labels": ",".join(change.add) or None,
            "remove_labels": ",".join(change.remove) or None,
        }
        return self._put(pull.number, {k: v for k, v in fields.items() if v is not None})

    def merge(self, pull: PullRequest) -> PullRequest:
        """Merge at the head that was seen."""
        return self._merged(pull, {})

    def merge_when_ready(self, pull: PullRequest) -> PullRequest:
        """Let GitLab merge when its pipeline has passed; both names of that are in use."""
        return self._merged(pull, {"auto_merge": True, "merge_when_pipeline_succeeds": True})

    def cancel_merge(self, pull: PullRequest) -> None:
        """Look afterwards too: that it cannot be cancelled is answered like a success."""
        if self._is_scheduled(pull.number):
            path = f"{self._requests}/{pull.number}/cancel_merge_when_pipeline_succeeds"
            answer = self._http.call("POST", path)
            if self._is_scheduled(pull.number):
                with self._http.reading():
                    said = answer.data.get("message") or "it still merges later"
                said = self._http.quoted(said)
                raise RefusedError(f"{self._http.site}: {said}", answer.status, said)

    def withdrawer(self, number: int) -> str:
        """Who took a later merge back last; GitLab tells it in notes of its own."""
        name = ""
        for raw in self._notes(number):
            with self._http.reading():
                said = str(raw["body"]) if raw.get("system") else ""
                if said.startswith(_WITHDRAWN):
                    name = _name(raw) or "somebody"
                elif said.startswith(_DELEGATED):
                    name = ""
        return name

    def note_merge(self, pull: PullRequest, commit: str) -> bool:  # noqa: ARG002 - others need it
        """Nothing: it sees for itself what was pushed."""
        return False

    def lost_branch(self, pull: PullRequest) -> bool:
        """Whether its branch was deleted just before it was closed.

        A branch that goes closes its merge request; a person closes that first.
        """
        raw = self._http.call("GET", f"{self._requests}/{pull.number}").data
        closed = seconds(raw.get("closed_at"))
        query = {"action": "pushed", "sort": "desc"}
        for event in self._http.pages(f"{self._root}/events", query, "per_page", RECENT):
            with self._http.reading():
                push = event.get("push_data") or {}
                if (push.get("action"), push.get("ref")) == ("removed", pull.branch):
                    before = closed - seconds(event["created_at"])
                    if -1 <= before <= _SOON:
                        return True
        return False

    def objectors(self, number: int) -> Collection[str]:
        """Whose last word is that they want changes; older servers do not know of such."""
        answer = found(self._http, f"{self._requests}/{number}/reviewers")
        with self._http.reading():
            said = answer.data if answer else ()
            return [str(r["user"]["username"]) for r in said if r["state"] == "requested_changes"]

    def may_pass(self, error: RefusedError) -> bool:
        """Whether it is a matter of time, or done by another."""
        return error.says(*_PASSING)

    def tip(self, branch: str) -> str | None:
        """The commit of a branch."""
        answer = found(self._http, self._branch(branch))
        with self._http.reading():
            return str(answer.data["commit"]["id"]) if answer else None

    def drop(self, branch: str) -> None:
        """Delete a branch."""
        self._http.call("DELETE", self._branch(branch))

    def comments(self, number: int) -> Iterable[Comment]:
        """Oldest first."""
        for raw in self._notes(number):
            with self._http.reading():
                comment = Comment(int(raw["id"]), _name(raw), str(raw["body"]))
            yield comment

    def _notes(self, number: int) -> Iterable[Raw]:
        query = {"sort": "asc", "order_by": "created_at"}
        return self._http.pages(f"{self._requests}/{number}/notes", query, "per_page", MANY)

    def comment(self, number: int, text: str) -> None:
        """Add one; sent once only, for nothing refuses a second one."""
        path = f"{self._requests}/{number}/notes"
        self._http.call("POST", path, body={"body": text}, repeatable=False)

    def recomment(self, number: int, comment: int, text: str) -> None:
        """Replace one."""
        path = f"{self._requests}/{number}/notes/{comment}"
        self._http.call("PUT", path, body={"body": text})

    def uncomment(self, number: int, comment: int) -> None:
        """Delete one; fine if it is gone."""
        try:
            self._http.call("DELETE", f"{self._requests}/{number}/notes/{comment}")
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def reviewers(self, number: int) -> Collection[str]:
        """Who was asked; they stay there after their review."""
        raw = self._http.call("GET", f"{self._requests}/{number}").data
        with self._http.reading():
            return {str(user["username"]).lower() for user in raw.get("reviewers") or ()}

    def ask(self, number: int, kind: str, name: str) -> bool:
        """Ask for a review; groups cannot be asked.

        Who has no access is left out without a word, and so is a second one where only one may be.
        """
        users = (
            self._http.call("GET", "/users", params={"username": name}).data
            if kind == "user"
            else []
        )
        if not users:
            return False
        raw = self._http.call("GET", f"{self._requests}/{number}").data
        with self._http.reading():
            ids = {int(user["id"]) for user in (*(raw.get("reviewers") or ()), users[0])}
        body = {"reviewer_ids": sorted(ids)}
        raw = self._http.call("PUT", f"{self._requests}/{number}", body=body).data
        with self._http.reading():
            return any(user["id"] == users[0]["id"] for user in raw.get("reviewers") or ())

    def status(self, commit: str, context: str) -> Status | None:
        """What is said of a commit in this context."""
        path = f"{self._root}/repository/commits/{commit}/statuses"
        for raw in self._http.pages(path, {"name": context}, "per_page", 1):
            with self._http.reading():
                if raw["name"] == context:
                    verdict = _SAID.get(raw["status"], "pending")
                    description, url = (
                        str(raw.get(key) or "") for key in ("description", "target_url")
                    )
                    return Status(context, verdict, description, url)
        return None

    def set_status(self, commit: str, status: Status) -> None:
        """Say it. What is pending cannot become pending again, not even with other words."""
        body = {
            "state": _VERDICTS[status.verdict],
            "name": status.context,
            "description": status.description,
        }
        link = {"target_url": status.url} if status.url else {}
        try:
            self._http.call("POST", f"{self._root}/statuses/{commit}", body={**body, **link})
        except RefusedError as error:
            if not error.says("cannot transition status"):
                raise

    def standing(self) -> Standing:
        """What is said of the project, and of our role in it where that is told."""
        raw = self._http.call("GET", self._root).data
        token = found(self._http, "/personal_access_tokens/self", also=_NO_TOKEN)
        with self._http.reading():
            given = (raw.get("permissions") or {}).values()
            levels = [int(access["access_level"]) for access in given if access]
            scopes = token.data.get("scopes") if token else None
            return Standing(
                str(raw["path_with_namespace"]),
                bool(raw.get("archived")),
                max(levels, default=_DEVELOPER) >= _DEVELOPER,
                None if scopes is None else frozenset(map(str, scopes)),
            )

    def trials(self) -> Collection[Trial]:
        """What reconciling takes."""
        branch, status = self._branch(no_branch()), {"state": "pending", "name": "sluice/doctor"}
        return (
            Trial("push branches", "api", "DELETE", branch),
            Trial("open requests", "api", "PUT", f"{self._requests}/{NOBODY}", {"title": "x"}),
            Trial("set statuses", "api", "POST", f"{self._root}/statuses/{NO_COMMIT}", status),
        )

    def whoami(self) -> str:
        """The account that we act as."""
        user = self._http.call("GET", "/user").data
        with self._http.reading():
            return str(user["username"])

    def hooks(self) -> Iterable[Hook]:
        """Those of the project itself; to see them takes the right to change them."""
        for raw in self._http.pages(f"{self._root}/hooks", {}, "per_page", MANY):
            with self._http.reading():
                calls = raw.get("alert_status", "executable") == "executable"
                yield Hook(str(raw["url"]), bool(calls and raw.get("push_events")))

    def _list(self, query: Mapping[str, str], limit: int) -> Iterable[PullRequest]:
        items = self._http.pages(self._requests, {"scope": "all", **query}, "per_page", limit)
        for raw in items:
            with self._http.reading():
                # In a fork anybody can name branches like ours.
                forked = raw["source_project_id"] != raw["target_project_id"]
                pull = None if forked else _pull(raw)
            if pull:
                yield pull

    def _is_scheduled(self, number: int) -> bool:
        raw = self._http.call("GET", f"{self._requests}/{number}").data
        with self._http.reading():
            return bool(raw.get("merge_when_pipeline_succeeds"))

    def looks_linear(self, base: str) -> bool:  # noqa: ARG002 - others need it
        """Ask whether a merge moves its base only forward."""
        self.is_linear = linear = looks_linear(self._http, self._path)
        return linear

    def _put(self, number: int, body: Mapping[str, object]) -> PullRequest:
        return self._read(self._http.call("PUT", f"{self._requests}/{number}", body=body).data)

    def _merged(self, pull: PullRequest, more: Mapping[str, object]) -> PullRequest:
        path = f"{self._requests}/{pull.number}/merge"
        words = merge_words(self._http, self._path, pull, self.whoami)
        self.is_linear = words.is_linear
        body = {"sha": pull.head, "should_remove_source_branch": True, **words.fields, **more}
        try:
            return self._read(self._http.call("PUT", path, body=body).data)
        except RefusedError as error:
            if error.status not in _NOT_READY:
                raise
            # The answer itself does not say what is missing.
            raw = self._http.call("GET", f"{self._requests}/{pull.number}").data
            with self._http.reading():
                status = raw.get("detailed_merge_status") or raw["merge_status"]
            said = f"its merge status {self._http.quoted(status)}"
            raise RefusedError(f"{self._http.site}: {said}", error.status, said) from None

    def _read(self, raw: Raw) -> PullRequest:
        with self._http.reading():
            return _pull(raw)

    def _branch(self, branch: str) -> str:
        return f"{self._root}/repository/branches/{segment(branch)}"


def _pull(raw: Raw) -> PullRequest:
    state: State = raw["state"] if raw["state"] in ("merged", "closed") else "open"
    merged_as = raw.get("merge_commit_sha") or raw.get("squash_commit_sha") or raw.get("sha") or ""
    return PullRequest(
        number=int(raw["iid"]),
        branch=str(raw["source_branch"]),
        base=str(raw["target_branch"]),
        title=str(raw["title"]),
        body=str(raw.get("description") or ""),
        head=str(raw.get("sha") or ""),
        state=state,
        author=_name(raw),
        merged_as=str(merged_as) if state == "merged" else "",
        labels=tuple(sorted(map(str, raw.get("labels") or ()))),
        updated=seconds(raw.get("updated_at")),
        url=raw.get("web_url") or "",
        draft=bool(raw.get("draft") or raw.get("work_in_progress")),
    )


def _name(raw: Raw) -> str:
    return str((raw.get("author") or {}).get("username") or "")
