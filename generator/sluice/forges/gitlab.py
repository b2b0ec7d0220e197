"""GitLab, on gitlab.com and elsewhere."""

from collections.abc import Collection, Iterable, Mapping
from http import HTTPStatus

from sluice.core.forge import Capabilities, Hook, PullRequest, State
from sluice.forges.addresses import Address
from sluice.forges.answers import RefusedError, Site
from sluice.forges.credentials import Token
from sluice.forges.dialect import Change, Words
from sluice.forges.gitlab_merging import is_linear_project, write_words
from sluice.forges.gitlab_sayings import Conversation, read_name
from sluice.forges.http import Transport
from sluice.forges.kinds import kind_of
from sluice.forges.limits import Budget, Window
from sluice.forges.raw import (
    MANY,
    RECENT,
    Raw,
    fetch_or_none,
    quote_segment,
    read_seconds,
    refuse_nothing_new,
)
from sluice.forges.remote import RemoteForge
from sluice.forges.rights import NO_COMMIT, NOBODY, Standing, Trial, make_no_branch
from sluice.forges.timing import Timing

_NEEDS = "the scope api, and the role Developer or higher"
_STATES: Mapping[State, str] = {"open": "opened", "merged": "merged", "closed": "closed"}
# Seconds that pass at most between the end of a branch and that of its merge request.
_SOON = 300
_DEVELOPER = 30  # the least level of access that may push
# What else than "not found" says that the token is of another kind.
_NO_TOKEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.BAD_REQUEST)
# Too early, as 405 or 422 by newer servers and as 406 by older ones.
_NOT_READY = {
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
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


class GitLab(Conversation):
    """The calls; see Dialect."""

    git_user = "oauth2"
    past: tuple[State, ...] = ("closed", "merged")
    shows_twins = True
    drafts_by_title = True
    is_linear: bool | None = None
    capabilities = Capabilities(body=1_000_000, label=255, description=255, teams=False)

    def __init__(self, http: Transport, project: str) -> None:
        super().__init__(http, project)
        self._path = project

    def list_pulls(self, state: State) -> Iterable[PullRequest]:
        """All open ones, or the closed or merged ones that changed last."""
        latest = {"state": _STATES[state], "order_by": "updated_at", "sort": "desc"}
        return self._list(latest, MANY if state == "open" else RECENT)

    def list_open(self, branch: str, base: str) -> Iterable[PullRequest]:  # noqa: ARG002 - others need it
        """The open ones of a branch."""
        return self._list({"state": "opened", "source_branch": branch}, MANY)

    def list_of_branch(self, branch: str) -> Iterable[PullRequest]:
        """All of a branch."""
        return self._list({"state": "all", "source_branch": branch}, MANY)

    def get_pull(self, number: int) -> PullRequest:
        """One of them."""
        return self._read(self._http.call("GET", f"{self._requests}/{number}").data)

    def create(self, words: Words) -> PullRequest:
        """Open one, with its labels; GitLab would also open one that changes nothing.

        Raises:
            UsageError: there is nothing to merge.
            RefusedError: the forge said no.
        """
        params = {"from": words.base, "to": words.branch}
        answer = self._http.call("GET", f"{self._root}/repository/compare", params=params)
        with self._http.reading():
            if not answer.data["commits"]:
                raise refuse_nothing_new(words.branch, words.base)
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
        body = {name: value for name, value in fields.items() if value is not None}
        return self._put(pull.number, body)

    def merge(self, pull: PullRequest) -> PullRequest:
        """Merge at the head that was seen."""
        return self._press_merge(pull, {})

    def merge_when_ready(self, pull: PullRequest) -> PullRequest:
        """Let GitLab merge when its pipeline has passed; both names of that are in use."""
        return self._press_merge(pull, {"auto_merge": True, "merge_when_pipeline_succeeds": True})

    def cancel_merge(self, pull: PullRequest) -> None:
        """Look afterwards too: that it cannot be cancelled is answered like a success.

        Raises:
            RefusedError: it still merges later.
        """
        if not self._is_scheduled(pull.number):
            return
        path = f"{self._requests}/{pull.number}/cancel_merge_when_pipeline_succeeds"
        answer = self._http.call("POST", path)
        if not self._is_scheduled(pull.number):
            return
        with self._http.reading():
            reason = answer.data.get("message") or "it still merges later"
        reason = self._http.quote(reason)
        raise RefusedError(f"{self._http.site}: {reason}", answer.status, reason)

    def note_merge(self, pull: PullRequest, commit: str) -> bool:  # noqa: ARG002 - others need it
        """Nothing: it sees for itself what was pushed."""
        return False

    def has_lost_branch(self, pull: PullRequest) -> bool:
        """Whether its branch was deleted just before it was closed.

        A branch that goes closes its merge request; a person closes that first.
        """
        raw = self._http.call("GET", f"{self._requests}/{pull.number}").data
        closed = read_seconds(raw.get("closed_at"))
        query = {"action": "pushed", "sort": "desc"}
        for event in self._http.walk_pages(f"{self._root}/events", query, "per_page", RECENT):
            with self._http.reading():
                push = event.get("push_data") or {}
                if (push.get("action"), push.get("ref")) != ("removed", pull.branch):
                    continue
                before = closed - read_seconds(event["created_at"])
                if -1 <= before <= _SOON:
                    return True
        return False

    def may_pass(self, error: RefusedError) -> bool:
        """Whether it is a matter of time, or done by another."""
        return error.says(*_PASSING)

    def find_tip(self, branch: str) -> str | None:
        """The commit of a branch."""
        answer = fetch_or_none(self._http, self._make_branch_path(branch))
        with self._http.reading():
            if answer is None:
                return None
            return str(answer.data["commit"]["id"])

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""
        self._http.call("DELETE", self._make_branch_path(branch))

    def read_standing(self) -> Standing:
        """What is said of the project, and of our role in it where that is told."""
        raw = self._http.call("GET", self._root).data
        token = fetch_or_none(self._http, "/personal_access_tokens/self", also=_NO_TOKEN)
        with self._http.reading():
            accesses = (raw.get("permissions") or {}).values()
            levels = [int(access["access_level"]) for access in accesses if access]
            scopes = token.data.get("scopes") if token else None
            return Standing(
                str(raw["path_with_namespace"]),
                bool(raw.get("archived")),
                max(levels, default=_DEVELOPER) >= _DEVELOPER,
                None if scopes is None else frozenset(map(str, scopes)),
            )

    def list_trials(self) -> Collection[Trial]:
        """What reconciling takes."""
        branch, status = (
            self._make_branch_path(make_no_branch()),
            {"state": "pending", "name": "sluice/doctor"},
        )
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

    def list_hooks(self) -> Iterable[Hook]:
        """Those of the project itself; to see them takes the right to change them."""
        for raw in self._http.walk_pages(f"{self._root}/hooks", {}, "per_page", MANY):
            with self._http.reading():
                calls = raw.get("alert_status", "executable") == "executable"
                yield Hook(str(raw["url"]), bool(calls and raw.get("push_events")))

    def _list(self, query: Mapping[str, str], limit: int) -> Iterable[PullRequest]:
        items = self._http.walk_pages(self._requests, {"scope": "all", **query}, "per_page", limit)
        for raw in items:
            with self._http.reading():
                # In a fork anybody can name branches like ours.
                forked = raw["source_project_id"] != raw["target_project_id"]
                pull = None if forked else _read_pull(raw)
            if pull:
                yield pull

    def _is_scheduled(self, number: int) -> bool:
        raw = self._http.call("GET", f"{self._requests}/{number}").data
        with self._http.reading():
            return bool(raw.get("merge_when_pipeline_succeeds"))

    def check_linear(self, base: str) -> bool:  # noqa: ARG002 - others need it
        """Ask whether a merge moves its base only forward."""
        self.is_linear = linear = is_linear_project(self._http, self._path)
        return linear

    def _put(self, number: int, body: Mapping[str, object]) -> PullRequest:
        return self._read(self._http.call("PUT", f"{self._requests}/{number}", body=body).data)

    def _press_merge(self, pull: PullRequest, more: Mapping[str, object]) -> PullRequest:
        path = f"{self._requests}/{pull.number}/merge"
        words = write_words(self._http, self._path, pull, self.whoami)
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
            reason = f"its merge status {self._http.quote(status)}"
            raise RefusedError(f"{self._http.site}: {reason}", error.status, reason) from None

    def _read(self, raw: Raw) -> PullRequest:
        with self._http.reading():
            return _read_pull(raw)

    def _make_branch_path(self, branch: str) -> str:
        return f"{self._root}/repository/branches/{quote_segment(branch)}"


def _read_pull(raw: Raw) -> PullRequest:
    state: State = raw["state"] if raw["state"] in ("merged", "closed") else "open"
    merged_as = ""
    if state == "merged":
        # A fast-forward has no commit of its own: the head itself is what came in.
        commit = raw.get("merge_commit_sha") or raw.get("squash_commit_sha") or raw.get("sha")
        merged_as = str(commit or "")
    return PullRequest(
        number=int(raw["iid"]),
        branch=str(raw["source_branch"]),
        base=str(raw["target_branch"]),
        title=str(raw["title"]),
        body=str(raw.get("description") or ""),
        head=str(raw.get("sha") or ""),
        state=state,
        author=read_name(raw),
        merged_as=merged_as,
        labels=tuple(sorted(map(str, raw.get("labels") or ()))),
        updated=read_seconds(raw.get("updated_at")),
        url=raw.get("web_url") or "",
        draft=bool(raw.get("draft") or raw.get("work_in_progress")),
    )
