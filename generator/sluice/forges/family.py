"""What GitHub has introduced and Gitea and Forgejo have taken over, word for word."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from typing import ClassVar

from sluice.core.forge import Hook, PullRequest, State
from sluice.forges.answers import RefusedError
from sluice.forges.dialect import Change
from sluice.forges.family_sayings import Conversation, read_login
from sluice.forges.http import Transport
from sluice.forges.merging import (
    WORDED,
    Message,
    Style,
    choose_style,
    write_merge_body,
    write_squash,
)
from sluice.forges.raw import MANY, RECENT, Raw, read_seconds


class Family(Conversation):
    """The calls that are the same; see Dialect."""

    git_user = "x-access-token"
    past: tuple[State, ...] = ("closed",)  # the merged ones among them
    shows_twins = True
    drafts_by_title = False
    is_linear: bool | None = None
    _latest: ClassVar[Mapping[str, str]]  # the parameters that put the last change first
    _methods: ClassVar[Mapping[str, Style]]  # what a repository allows → how to merge
    _oldest_first: ClassVar[bool]  # how it lists the commits of a pull request
    _event_list: ClassVar[str]  # where a pull request has what happened to it
    _event_names: ClassVar[tuple[str, str, str]]  # the key of a kind of event; closing, deletion
    _least_gap: ClassVar[int]  # so many seconds are between two acts at least
    _withdrawal: ClassVar[str]  # the kind of event by which a later merge is taken back
    _delegations: ClassVar[frozenset[str]]  # those after which that does not count any more
    _who: ClassVar[str]  # where an event has its account

    def __init__(self, http: Transport, repository: str) -> None:
        super().__init__(http, repository)
        self._owner, _, self._name = repository.partition("/")

    def list_pulls(self, state: State) -> Iterable[PullRequest]:
        """All open ones, or the closed and merged ones that changed last."""
        if state == "open":
            return self._list({"state": "open"}, MANY)
        return self._list({"state": "closed", **self._latest}, RECENT)

    def get_pull(self, number: int) -> PullRequest:
        """One of them."""
        return self._read(self._http.call("GET", f"{self._root}/pulls/{number}").data)

    def patch(self, pull: PullRequest, change: Change) -> PullRequest:
        """Change all but the labels."""
        fields = {
            "title": change.title,
            "body": change.body,
            "base": change.base,
            "state": change.state,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        if not body:
            return self.get_pull(pull.number)
        path = f"{self._root}/pulls/{pull.number}"
        return self._read(self._http.call("PATCH", path, body=body).data)

    def note_merge(self, pull: PullRequest, commit: str) -> bool:  # noqa: ARG002 - others need it
        """Nothing: it sees for itself what was pushed."""
        return False

    def has_lost_branch(self, pull: PullRequest) -> bool:
        """Whether the last closing and a deletion of the branch were one act.

        Who closes a pull request and then deletes its branch needs longer for that.
        """
        key, closing, deletion = self._event_names
        closed, deleted = -self._least_gap, -self._least_gap
        for raw in self._list_events(pull.number):
            with self._http.reading():
                if raw.get(key) == closing:
                    closed = read_seconds(raw["created_at"])
                elif raw.get(key) == deletion:
                    deleted = read_seconds(raw["created_at"])
        return abs(closed - deleted) < self._least_gap and closed > 0

    def find_withdrawer(self, number: int) -> str:
        """Who took a later merge back last, if nothing has happened since to make up for it."""
        name = ""
        for raw in self._list_events(number):
            with self._http.reading():
                kind = raw.get(self._event_names[0])
                if kind == self._withdrawal:
                    name = str((raw.get(self._who) or {}).get("login") or "somebody")
                elif kind in self._delegations:
                    name = ""
        return name

    def _list_events(self, number: int) -> Iterable[Raw]:
        """What happened to a pull request, oldest first."""
        path = f"{self._root}/issues/{number}/{self._event_list}"
        return self._http.walk_pages(path, {}, self._size, MANY)

    def whoami(self) -> str:
        """The account that we act as."""
        user = self._http.call("GET", "/user").data
        with self._http.reading():
            return str(user["login"])

    def list_hooks(self) -> Iterable[Hook]:
        """Those of the repository itself; to see them takes the right to change them."""
        for raw in self._http.walk_pages(f"{self._root}/hooks", {}, self._size, MANY):
            with self._http.reading():
                tells = raw.get("active", True) and {"push", "*"} & {*raw.get("events", ())}
                yield Hook(str(raw["config"]["url"]), bool(tells))

    def _list(self, query: Mapping[str, str], limit: int) -> Iterable[PullRequest]:
        for raw in self._http.walk_pages(f"{self._root}/pulls", query, self._size, limit):
            with self._http.reading():
                # In a fork anybody can name branches like ours.
                pull = None if _is_from_fork(raw) else _read_pull(raw)
            if pull:
                yield pull

    def _read(self, raw: Raw) -> PullRequest:
        with self._http.reading():
            return _read_pull(raw)

    def _choose_style(self, base: str) -> Style:
        """Choose what the repository allows now; settings change while we run."""
        allowed, preferred = self.list_styles(base)
        style = choose_style(allowed, preferred)
        if style is None:
            site = self._http.site
            raise site.make_error(
                f"allows no way of merging into {base} that we know: allow merge commits or "
                f"another one in the settings of {site.repository}"
            )
        self.is_linear = style == "fast-forward-only"
        return style

    def check_linear(self, base: str) -> bool:
        """Ask whether a merge into a branch moves it only forward."""
        allowed, preferred = self.list_styles(base)
        self.is_linear = linear = choose_style(allowed, preferred) == "fast-forward-only"
        return linear

    def list_styles(self, base: str) -> tuple[Collection[str], str]:
        """The styles that may be used to merge into a branch, and which one is preferred."""
        del base
        raw = self._http.call("GET", self._root).data
        with self._http.reading():
            styles = {style for key, style in self._methods.items() if raw.get(key, True)}
        return styles, ""

    def _write_message(self, pull: PullRequest, style: Style) -> Message:
        """What a merge of this style is to say; the title of a plain one is the forge's."""
        if style not in WORDED:
            return Message("", "")
        if style != "squash":
            return Message("", write_merge_body(self._list_approvers(pull)))
        root = f"{self._root}/pulls/{pull.number}"
        messages = []
        for raw in self._http.walk_pages(f"{root}/commits", {}, self._size, MANY):
            with self._http.reading():
                messages.append(str(raw["commit"]["message"]))
        if not self._oldest_first:
            messages.reverse()
        approvers = self._list_approvers(pull)
        return write_squash(pull.title, pull.number, messages, approvers, self._find_merger())

    def _find_merger(self) -> str:
        """In whose name we merge; not every token may ask for that."""
        with suppress(RefusedError):
            return self.whoami()
        return ""


def _read_pull(raw: Raw) -> PullRequest:
    state: State = "open"
    merged_as = ""
    if raw.get("merged_at") or raw.get("merged"):
        state = "merged"
        # Before the merge this is a commit that only tries it.
        merged_as = str(raw.get("merge_commit_sha") or "")
    elif raw["state"] == "closed":
        state = "closed"
    return PullRequest(
        number=int(raw["number"]),
        branch=_read_branch(raw["head"]),
        base=str(raw["base"]["ref"]),
        title=str(raw["title"]),
        body=str(raw.get("body") or ""),
        head=str(raw["head"]["sha"]),
        state=state,
        author=read_login(raw),
        merged_as=merged_as,
        labels=tuple(sorted(str(label["name"]) for label in raw.get("labels") or ())),
        updated=read_seconds(raw.get("updated_at")),
        url=raw.get("html_url") or "",
        draft=bool(raw.get("draft")),
    )


def _read_branch(head: Raw) -> str:
    """Return the branch of a pull request, also when it is deleted.

    Some then give the ref under which they keep its commits, and its name as the label only.
    """
    ref = str(head["ref"])
    if ref.startswith("refs/"):
        return str(head["label"])
    return ref


def _is_from_fork(raw: Raw) -> bool:
    """Whether the branch is in another repository, where anybody can name branches like ours."""
    head, base = raw["head"].get("repo"), raw["base"].get("repo")
    return bool(not head or not base or head["id"] != base["id"])
