"""Gitea and Forgejo: one API, two names."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

from sluice.core.finding import UsageError
from sluice.core.forge import Capabilities, PullRequest, State
from sluice.forges.addresses import Address
from sluice.forges.answers import RefusedError, Site
from sluice.forges.credentials import Token
from sluice.forges.dialect import Change, Words
from sluice.forges.family import Family
from sluice.forges.http import Transport
from sluice.forges.kinds import kind_of
from sluice.forges.merging import Style
from sluice.forges.raw import MANY, fetch_or_none, quote_segment, refuse_nothing_new
from sluice.forges.remote import RemoteForge
from sluice.forges.rights import NOBODY, Standing, Trial, make_no_branch
from sluice.forges.timing import Timing

_PASSING = ("already exists", "try again", "does not exist yet")
# Checks or approvals are missing; it conflicts, has moved or waits already.
_NOT_YET = (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.CONFLICT)
_COLOUR = "#5b6abf"
_NEEDS = "the scopes write:repository, write:issue and read:user, and the role Write"


def connect(
    address: Address, environ: Mapping[str, str], timing: Timing | None = None
) -> RemoteForge:
    """Return the forge at an address. Nothing is asked of it yet."""
    kind = kind_of(address.kind)
    site = Site(kind.title, f"{address.place(kind.home)}/api/v1", str(address), needs=_NEEDS)
    http = Transport(site, Token(address.token(environ), "token"), timing=timing)
    return RemoteForge(Gitea(http, address.path), http, f"{address.page(kind.home)}/compare")


class Gitea(Family):
    """The calls; see Dialect. There is no question for the pull requests of a branch alone."""

    capabilities = Capabilities(body=1_000_000, description=250)
    _size = "limit"
    _latest: ClassVar = {"sort": "recentupdate"}
    _verdict = "status"
    _methods: ClassVar = {
        "allow_merge_commits": "merge",
        "allow_rebase_explicit": "rebase-merge",
        "allow_squash_merge": "squash",
        "allow_fast_forward_only_merge": "fast-forward-only",
        "allow_rebase": "rebase",
    }
    _oldest_first = False

    shows_twins = False
    drafts_by_title = True
    _event_list = "timeline"
    _event_names: ClassVar = ("type", "close", "delete_branch")
    # It tells of no deletion after a closing, but of one by the button on its page.
    _least_gap = 2
    _withdrawal = "pull_cancel_scheduled_merge"
    _delegations = frozenset({"pull_scheduled_merge", "reopen"})
    _who = "user"

    def __init__(self, http: Transport, repository: str) -> None:
        super().__init__(http, repository)
        self._bases: dict[str, str] = {}
        self._twins: set[str] = set()
        self._labels: dict[str, int] = {}
        self._scheduled: dict[int, Style] = {}

    def list_pulls(self, state: State) -> Iterable[PullRequest]:
        """Remember the bases of the open ones: by base and branch one can be found again."""
        pairs: set[tuple[str, str]] = set()
        for pull in super().list_pulls(state):
            if pull.state == "open":
                self._bases[pull.branch] = pull.base
                if (pull.branch, pull.base) in pairs:
                    self._twins.add(pull.branch)
                pairs.add((pull.branch, pull.base))
            yield pull

    def list_open(self, branch: str, base: str) -> Iterable[PullRequest]:
        """The open ones of a branch to this base, or to the one that was last seen."""
        if branch in self._twins:
            self._twins.discard(branch)
            yield from self._list_all_open_of(branch)
            return
        for candidate in dict.fromkeys((base, self._bases.get(branch, base))):
            path = f"{self._root}/pulls/{quote_segment(candidate)}/{quote(branch)}"
            answer = fetch_or_none(self._http, path)
            pull = self._read(answer.data) if answer else None
            if pull and pull.state != "open":
                # Any one of them is given, so an open one may be hidden behind an old one.
                yield from self._list_all_open_of(branch)
                return
            if pull:
                yield pull

    def list_of_branch(self, branch: str) -> Iterable[PullRequest]:
        """Those of a branch, as far back as is affordable."""
        for pull in self._list({"state": "all", **self._latest}, MANY):
            if pull.branch == branch:
                yield pull

    def _list_all_open_of(self, branch: str) -> Iterable[PullRequest]:
        for pull in self.list_pulls("open"):
            if pull.branch == branch:
                yield pull

    def create(self, words: Words) -> PullRequest:
        """Open one, with its labels; the server would also open one that changes nothing.

        Raises:
            UsageError: there is nothing to merge.
            RefusedError: the forge said no.
        """
        path = f"{self._root}/compare/{quote(words.base)}...{quote(words.branch)}"
        answer = fetch_or_none(self._http, path)
        with self._http.reading():
            if answer and not answer.data["total_commits"]:
                raise refuse_nothing_new(words.branch, words.base)
        body = {
            "title": words.title,
            "head": words.branch,
            "base": words.base,
            "body": words.body,
            "labels": self._label_ids(sorted(words.labels)),
        }
        return self._read(self._http.call("POST", f"{self._root}/pulls", body=body).data)

    def change(self, pull: PullRequest, change: Change) -> PullRequest:
        """Labels first, so that the last answer shows all.

        A label that somebody deleted and we still know is left out without a word.
        """
        labels = f"{self._root}/issues/{pull.number}/labels"
        self._add_labels(labels, change.add)
        for number in self._label_ids(change.remove):
            self._delete_if_there(f"{labels}/{number}")
        changed = self.patch(pull, change)
        present = {label.casefold() for label in changed.labels}
        missing = [label for label in change.add if label.casefold() not in present]
        if not missing:
            return changed
        self._labels.clear()
        self._add_labels(labels, missing)
        return self.get_pull(pull.number)

    def _add_labels(self, labels: str, names: Collection[str]) -> None:
        if names:
            self._http.call("POST", labels, body={"labels": self._label_ids(names)})

    def merge(self, pull: PullRequest) -> PullRequest:
        """Merge at the head that was seen."""
        return self._press_merge(pull, {}, self._choose_style(pull.base))

    def list_styles(self, base: str) -> tuple[Collection[str], str]:
        """The styles that may be used; older servers do not know all of them."""
        del base
        raw = self._http.call("GET", self._root).data
        with self._http.reading():
            styles = {name for key, name in self._methods.items() if raw.get(key)}
            return styles, str(raw.get("default_merge_style") or "")

    def merge_when_ready(self, pull: PullRequest) -> PullRequest:
        """Let the server merge when the checks have passed.

        It looks again only when something happens to the pull request, so what is scheduled already
        is tried now, by the same rules. It takes a style that is not allowed, and drops the merge
        without a word when its time has come: what we scheduled by a style that is not ours now is
        scheduled anew. Nothing tells by which style another run or a person did that; so it stays,
        and when it was dropped the next turn finds nothing scheduled.

        Raises:
            RefusedError: the forge said no.
        """
        later = {"merge_when_checks_succeed": True}
        style = self._choose_style(pull.base)
        try:
            merged = self._press_merge(pull, later, style)
        except RefusedError as error:
            if not error.says("already scheduled"):
                raise
            if self._scheduled.get(pull.number, style) == style:
                return self._merge_if_ready(pull)
            self.cancel_merge(pull)
            merged = self._press_merge(pull, later, style)
        self._scheduled[pull.number] = style
        return merged

    def _merge_if_ready(self, pull: PullRequest) -> PullRequest:
        """Merge what waits although nothing is missing any more."""
        try:
            return self.merge(pull)
        except RefusedError as error:
            if error.status not in _NOT_YET:
                raise
            return self.get_pull(pull.number)  # which it may have merged at this very moment

    def cancel_merge(self, pull: PullRequest) -> None:
        """Nothing tells whether a merge is scheduled, so it is cancelled without looking.

        One that another account has scheduled may be cancelled by those who may merge; before 1.26
        by administrators only.

        Raises:
            UsageError: another account has scheduled it, and ours may not cancel that.
            RefusedError: the forge said no.
        """
        try:
            self._delete_if_there(f"{self._root}/pulls/{pull.number}/merge")
        except RefusedError as error:
            if not error.says("permission to cancel"):
                raise
            raise UsageError(
                f"somebody else has left the merge of #{pull.number} to {self._http.site}, and the "
                "account may not take that back: let it merge, or take it back by hand"
            ) from None

    def note_merge(self, pull: PullRequest, commit: str) -> bool:
        """Mark it as merged by hand; not every repository allows that."""
        body = {"Do": "manually-merged", "MergeCommitID": commit}
        try:
            self._http.call("POST", f"{self._root}/pulls/{pull.number}/merge", body=body)
        except RefusedError:
            return False
        return True

    def may_pass(self, error: RefusedError) -> bool:
        """Whether it is a matter of time, or done by another."""
        return error.says(*_PASSING)

    def find_tip(self, branch: str) -> str | None:
        """The commit of a branch."""
        answer = fetch_or_none(self._http, f"{self._root}/branches/{quote(branch)}")
        with self._http.reading():
            if answer is None:
                return None
            return str(answer.data["commit"]["id"])

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""
        self._http.call("DELETE", f"{self._root}/branches/{quote(branch)}")

    def read_standing(self) -> Standing:
        """What is said of the repository; of the token's scopes nothing is."""
        raw = self._http.call("GET", self._root).data
        with self._http.reading():
            may = (raw.get("permissions") or {}).get("push", True)
            return Standing(str(raw["full_name"]), bool(raw.get("archived")), bool(may))

    def list_trials(self) -> Collection[Trial]:
        """What reconciling takes."""
        root = self._root
        body = {"labels": [1]}
        return (
            Trial(
                "push", "write:repository", "DELETE", f"{root}/branches/{quote(make_no_branch())}"
            ),
            Trial("label", "write:issue", "POST", f"{root}/issues/{NOBODY}/labels", body),
            Trial("ask who it is", "read:user", "GET", "/user"),
        )

    def _press_merge(
        self, pull: PullRequest, more: Mapping[str, object], style: Style
    ) -> PullRequest:
        message = self._write_message(pull, style)
        # Without a title the server takes its own, and drops the names of the approvers.
        words = {"MergeTitleField": message.title, "MergeMessageField": message.body}
        body = {
            "Do": style,
            "head_commit_id": pull.head,
            "delete_branch_after_merge": True,
            **{name: text for name, text in words.items() if text},
            **more,
        }
        path = f"{self._root}/pulls/{pull.number}/merge"
        answer = self._http.call("POST", path, body=body)
        if answer.status == HTTPStatus.CREATED:
            return pull  # scheduled
        now = self.get_pull(pull.number)
        if now.state == "open":  # it shows a merge only a moment later
            return replace(now, state="merged")
        return now

    def _label_ids(self, names: Collection[str]) -> list[int]:
        """Return the numbers of labels, which are created when they are missing."""
        are_known = all(name.casefold() in self._labels for name in names)
        if not are_known:
            for raw in self._http.walk_pages(f"{self._root}/labels", {}, self._size, MANY):
                self._remember_label(raw)
        for name in names:
            if name.casefold() not in self._labels:
                body = {"name": name, "color": _COLOUR}
                self._remember_label(
                    self._http.call("POST", f"{self._root}/labels", body=body).data
                )
        with self._http.reading():
            return [self._labels[name.casefold()] for name in names]

    def _remember_label(self, raw: Mapping[str, object]) -> None:
        with self._http.reading():
            self._labels[str(raw["name"]).casefold()] = int(str(raw["id"]))
