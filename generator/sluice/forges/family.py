"""What GitHub has introduced and Gitea and Forgejo have taken over, word for word."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

from sluice.core.forge import Hook, PullRequest, State, Status, Verdict
from sluice.forges.answers import RefusedError
from sluice.forges.dialect import Change, Comment
from sluice.forges.http import PAGE, Transport
from sluice.forges.merging import (
    WORDED,
    Message,
    Style,
    chosen,
    merge_body,
    squash_message,
)
from sluice.forges.raw import MANY, RECENT, Raw, seconds

# What a review may say that counts until the same person says something else. Comments do not.
# Gitea calls what GitHub calls CHANGES_REQUESTED otherwise.
_OBJECTIONS = frozenset({"CHANGES_REQUESTED", "REQUEST_CHANGES"})
_VERDICTS = _OBJECTIONS | {"APPROVED", "DISMISSED"}


class Family:
    """The calls that are the same; see Dialect."""

    git_user = "x-access-token"
    past: tuple[State, ...] = ("closed",)  # the merged ones among them
    shows_twins = True
    drafts_by_title = False
    is_linear: bool | None = None
    _size: ClassVar[str]  # the parameter that sets the size of a page
    _latest: ClassVar[Mapping[str, str]]  # the parameters that put the last change first
    _verdict: ClassVar[str]  # where a commit status has its state
    _methods: ClassVar[Mapping[str, Style]]  # what a repository allows → how to merge
    _oldest_first: ClassVar[bool]  # how it lists the commits of a pull request
    _events: ClassVar[str]  # where a pull request has what happened to it
    _happened: ClassVar[tuple[str, str, str]]  # the key of a kind of event; closing, deletion
    _apart: ClassVar[int]  # so many seconds are between two acts at least
    _withdrawn: ClassVar[str]  # the kind of event by which a later merge is taken back
    _delegated: ClassVar[frozenset[str]]  # those after which that does not count any more
    _who: ClassVar[str]  # where an event has its account

    def __init__(self, http: Transport, repository: str) -> None:
        self._http = http
        self._root = f"/repos/{quote(repository)}"
        self._owner, _, self._name = repository.partition("/")

    def pulls(self, state: State) -> Iterable[PullRequest]:
        """All open ones, or the closed and merged ones that changed last."""
        if state == "open":
            return self._list({"state": "open"}, MANY)
        return self._list({"state": "closed", **self._latest}, RECENT)

    def pull(self, number: int) -> PullRequest:
        """One of them."""
        return self._read(self._http.call("GET", f"{self._root}/pulls/{number}").data)

    def patch(self, pull: PullRequest, change: Change) -> PullRequest:
        """Change all but the labels."""
        fields = {"title": change.title, "body": change.body, "base": change.base}
        body = {k: v for k, v in {**fields, "state": change.state}.items() if v is not None}
        if not body:
            return self.pull(pull.number)
        path = f"{self._root}/pulls/{pull.number}"
        return self._read(self._http.call("PATCH", path, body=body).data)

    def comments(self, number: int) -> Iterable[Comment]:
        """Oldest first."""
        path = f"{self._root}/issues/{number}/comments"
        for raw in self._http.pages(path, {}, self._size, MANY):
            with self._http.reading():
                comment = Comment(int(raw["id"]), _login(raw), str(raw.get("body") or ""))
            yield comment

    def comment(self, number: int, text: str) -> None:
        """Add one; sent once only, for nothing refuses a second one."""
        path = f"{self._root}/issues/{number}/comments"
        self._http.call("POST", path, body={"body": text}, repeatable=False)

    def recomment(self, number: int, comment: int, text: str) -> None:  # noqa: ARG002 - others need it
        """Replace one."""
        self._http.call("PATCH", f"{self._root}/issues/comments/{comment}", body={"body": text})

    def uncomment(self, number: int, comment: int) -> None:  # noqa: ARG002 - others need it
        """Delete one; fine if it is gone."""
        self._gone(f"{self._root}/issues/comments/{comment}")

    def reviewers(self, number: int) -> Collection[str]:
        """Who was asked or has reviewed: nobody is asked again by us."""
        path = f"{self._root}/pulls/{number}"
        raw = self._http.call("GET", path).data
        given = self._http.pages(f"{path}/reviews", {}, self._size, MANY)
        with self._http.reading():
            asked = {str(user["login"]) for user in raw.get("requested_reviewers") or ()}
            for team in raw.get("requested_reviewers_teams") or raw.get("requested_teams") or ():
                asked.add(str(team.get("slug") or team["name"]))
            return {name.lower() for name in asked | {_login(review) for review in given}}

    def objectors(self, number: int) -> Collection[str]:
        """Whose last word is that they want changes; a comment is no word on it."""
        last: dict[str, bool] = {}
        path = f"{self._root}/pulls/{number}/reviews"
        for raw in self._http.pages(path, {}, self._size, MANY):
            with self._http.reading():
                state = str(raw["state"])
                if state in _VERDICTS:
                    last[_login(raw)] = state in _OBJECTIONS and not raw.get("dismissed")
        return [name for name, objects in last.items() if objects]

    def note_merge(self, pull: PullRequest, commit: str) -> bool:  # noqa: ARG002 - others need it
        """Nothing: it sees for itself what was pushed."""
        return False

    def lost_branch(self, pull: PullRequest) -> bool:
        """Whether the last closing and a deletion of the branch were one act.

        Who closes a pull request and then deletes its branch needs longer for that.
        """
        key, closing, deletion = self._happened
        closed, deleted = -self._apart, -self._apart
        for raw in self._happenings(pull.number):
            with self._http.reading():
                if raw.get(key) == closing:
                    closed = seconds(raw["created_at"])
                elif raw.get(key) == deletion:
                    deleted = seconds(raw["created_at"])
        return abs(closed - deleted) < self._apart and closed > 0

    def withdrawer(self, number: int) -> str:
        """Who took a later merge back last, if nothing has happened since to make up for it."""
        name = ""
        for raw in self._happenings(number):
            with self._http.reading():
                kind = raw.get(self._happened[0])
                if kind == self._withdrawn:
                    name = str((raw.get(self._who) or {}).get("login") or "somebody")
                elif kind in self._delegated:
                    name = ""
        return name

    def _happenings(self, number: int) -> Iterable[Raw]:
        """What happened to a pull request, oldest first."""
        path = f"{self._root}/issues/{number}/{self._events}"
        return self._http.pages(path, {}, self._size, MANY)

    def ask(self, number: int, kind: str, name: str) -> bool:
        """Ask for a review."""
        body = {"reviewers" if kind == "user" else "team_reviewers": [name]}
        self._http.call("POST", f"{self._root}/pulls/{number}/requested_reviewers", body=body)
        return True

    def status(self, commit: str, context: str) -> Status | None:
        """What is said of a commit in this context."""
        path, seen = f"{self._root}/commits/{commit}/status", 0
        for page in range(1, MANY + 1):
            answer = self._http.call("GET", path, params={self._size: PAGE, "page": page})
            with self._http.reading():
                said = answer.data["statuses"] or ()
                seen += len(said)
                for raw in said:
                    if raw["context"] == context:
                        return self._status(raw)
                if not said or seen >= answer.data.get("total_count", 0):
                    break
        return None

    def set_status(self, commit: str, status: Status) -> None:
        """Say it."""
        body = {
            "state": status.verdict,
            "context": status.context,
            "description": status.description,
        }
        link = {"target_url": status.url} if status.url else {}
        self._http.call("POST", f"{self._root}/statuses/{commit}", body={**body, **link})

    def whoami(self) -> str:
        """The account that we act as."""
        user = self._http.call("GET", "/user").data
        with self._http.reading():
            return str(user["login"])

    def hooks(self) -> Iterable[Hook]:
        """Those of the repository itself; to see them takes the right to change them."""
        for raw in self._http.pages(f"{self._root}/hooks", {}, self._size, MANY):
            with self._http.reading():
                told = raw.get("active", True) and {"push", "*"} & {*raw.get("events", ())}
                yield Hook(str(raw["config"]["url"]), bool(told))

    def _list(self, query: Mapping[str, str], limit: int) -> Iterable[PullRequest]:
        for raw in self._http.pages(f"{self._root}/pulls", query, self._size, limit):
            with self._http.reading():
                pull = None if _from_fork(raw) else _pull(raw)
            if pull:
                yield pull

    def _read(self, raw: Raw) -> PullRequest:
        with self._http.reading():
            return _pull(raw)

    def _gone(self, path: str) -> None:
        """Delete what may be gone already."""
        try:
            self._http.call("DELETE", path)
        except RefusedError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise

    def _style(self, base: str) -> Style:
        """Choose what the repository allows now; settings change while we run."""
        allowed, preferred = self.allowed(base)
        style = chosen(allowed, preferred)
        if style is None:
            site = self._http.site
            raise site.problem(
                f"allows no way of merging into {base} that we know: allow merge commits or "
                f"another one in the settings of {site.repository}"
            )
        self.is_linear = style == "fast-forward-only"
        return style

    def looks_linear(self, base: str) -> bool:
        """Ask whether a merge into a branch moves it only forward."""
        allowed, preferred = self.allowed(base)
        self.is_linear = linear = chosen(allowed, preferred) == "fast-forward-only"
        return linear

    def allowed(self, base: str) -> tuple[Collection[str], str]:
        """The styles that may be used to merge into a branch, and which one is preferred."""
        del base
        raw = self._http.call("GET", self._root).data
        with self._http.reading():
            return {name for key, name in self._methods.items() if raw.get(key, True)}, ""

    def _message(self, pull: PullRequest, style: Style) -> Message:
        """What a merge of this style is to say; the title of a plain one is the forge's."""
        if style not in WORDED:
            return Message("", "")
        if style != "squash":
            return Message("", merge_body(self._approvers(pull)))
        root = f"{self._root}/pulls/{pull.number}"
        messages = []
        for raw in self._http.pages(f"{root}/commits", {}, self._size, MANY):
            with self._http.reading():
                messages.append(str(raw["commit"]["message"]))
        ordered = messages if self._oldest_first else messages[::-1]
        approvers = self._approvers(pull)
        return squash_message(pull.title, pull.number, ordered, approvers, self._merger())

    def _approvers(self, pull: PullRequest) -> Collection[str]:
        """Whose last word on this head is that it may be merged."""
        said: dict[str, str] = {}
        path = f"{self._root}/pulls/{pull.number}/reviews"
        for raw in self._http.pages(path, {}, self._size, MANY):
            with self._http.reading():
                state = str(raw.get("state") or "")
                if state in _VERDICTS and not raw.get("dismissed"):
                    said[_login(raw)] = state
        return {name for name, state in said.items() if state == "APPROVED"}

    def _merger(self) -> str:
        """In whose name we merge; not every token may ask for that."""
        with suppress(RefusedError):
            return self.whoami()
        return ""

    def _status(self, raw: Raw) -> Status:
        state = raw[self._verdict]
        verdict: Verdict = state if state in ("pending", "success") else "failure"
        description, url = (str(raw.get(key) or "") for key in ("description", "target_url"))
        return Status(str(raw["context"]), verdict, description, url)


def _pull(raw: Raw) -> PullRequest:
    merged = bool(raw.get("merged_at") or raw.get("merged"))
    state: State = "merged" if merged else "closed" if raw["state"] == "closed" else "open"
    return PullRequest(
        number=int(raw["number"]),
        branch=_branch(raw["head"]),
        base=str(raw["base"]["ref"]),
        title=str(raw["title"]),
        body=str(raw.get("body") or ""),
        head=str(raw["head"]["sha"]),
        state=state,
        author=_login(raw),
        # Before the merge this is a commit that only tries it.
        merged_as=str(raw.get("merge_commit_sha") or "") if merged else "",
        labels=tuple(sorted(str(label["name"]) for label in raw.get("labels") or ())),
        updated=seconds(raw.get("updated_at")),
        url=raw.get("html_url") or "",
        draft=bool(raw.get("draft")),
    )


def _branch(head: Raw) -> str:
    """Return the branch of a pull request, also when it is deleted.

    Some then give the ref under which they keep its commits, and its name as the label only.
    """
    ref = str(head["ref"])
    return str(head["label"]) if ref.startswith("refs/") else ref


def _from_fork(raw: Raw) -> bool:
    """Whether the branch is in another repository, where anybody can name branches like ours."""
    head, base = raw["head"].get("repo"), raw["base"].get("repo")
    return bool(not head or not base or head["id"] != base["id"])


def _login(raw: Raw) -> str:
    """Return the name of the account behind something; accounts can be deleted."""
    return str((raw.get("user") or {}).get("login") or "")
