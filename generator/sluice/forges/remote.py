"""A forge on the network, whatever its dialect: look, act, and look again when others were faster.

A forge is told things that it shows only a little later, so an answer that may pass ("head is
not a branch", "try again") leads to another look after a pause, and a duplicate to adoption.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from sluice.core.finding import UsageError
from sluice.core.forge import Hook, PullRequest, Right, State, Usage
from sluice.forges.answers import HeadMovedError, RefusedError
from sluice.forges.bodies import joined, one_line, replaced, same
from sluice.forges.dialect import Change, Dialect, Words
from sluice.forges.http import Transport
from sluice.forges.rights import Trial, rights
from sluice.forges.saying import ANSWERED, LOOKS, Sayings
from sluice.forges.truth import as_git_says, titled

PREFIX = "sluice/"
# What a pull request costs until all that belongs to it is said.
_WRITES, _CALLS = 5, 15
_FORBIDDEN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
# What a merge button answers that is about the pull request rather than about the call.
_UNMERGEABLE = (
    *(HTTPStatus.BAD_REQUEST, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_ACCEPTABLE),
    *ANSWERED,
)


class RemoteForge(Sayings):
    """Pull requests of one repository on a server. `list` knows those of branches with PREFIX.

    Of the labels those that start with `sluice` are ours: they go when they are not asked for.
    Labels of people stay.
    """

    def __init__(self, dialect: Dialect, http: Transport, compare: str) -> None:
        """`compare` is where the forge's own pages compare two branches."""
        super().__init__(dialect, http)
        self._compare = compare

    def is_linear(self) -> bool:
        """Whether it merges only branches that begin at the tip of their base.

        It is asked once where nothing was merged yet: not everybody runs for longer than a cycle.
        """
        seen = self._dialect.is_linear
        return self._dialect.looks_linear("main") if seen is None else seen

    @property
    def usage(self) -> Usage:
        """What was used up so far."""
        return self._http.usage

    @property
    def room(self) -> int | None:
        """How many pull requests may be opened without a long wait; None: as many as one likes."""
        return self._http.room(_WRITES, _CALLS)

    def list(self, state: State | None = None) -> Sequence[PullRequest]:
        """Every open pull request, and the merged and closed ones of late, newest first."""
        # The open ones first: one that is closed in between is then seen twice, not never.
        states = ("open", *self._dialect.past) if state is None else (state,)
        found = {p.number: p for each in states for p in self._dialect.pulls(each)}
        ours = (pull for pull in found.values() if pull.branch.startswith(PREFIX))
        chosen = [as_git_says(pull, self._truth) for pull in ours]
        return _newest([p for p in chosen if state in (None, p.state)])

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of one branch, newest first."""
        found = self._dialect.of_branch(branch)
        return _newest(as_git_says(pull, self._truth) for pull in found)

    def get(self, number: int) -> PullRequest:
        """One pull request; UsageError when there is none."""
        return as_git_says(self._get(number), self._truth)

    def ensure(
        self,
        *,
        branch: str,
        base: str,
        title: str,
        body: str,
        labels: Iterable[str] = (),
        head: str = "",
    ) -> PullRequest:
        """Open a pull request, or bring the open one of this branch to these words.

        What people wrote around our part of the body stays, and so does a draft.

        Raises:
            HeadMovedError: the branch is not at `head`, the commit that the words are about.
            UsageError: a branch is missing, or `branch` has nothing that `base` lacks.
        """
        words = self._words(branch, base, title, body, labels, head)
        for attempt in range(LOOKS):
            current = self._open(words)
            if current:
                return self._updated(current, words)
            try:
                made = self._dialect.create(replace(words, body=self._joined("", words)))
                # Some let two open one who are as fast as each other.
                oldest = self._open(words) if self._dialect.shows_twins else None
                return self._updated(oldest or made, words)
            except RefusedError as error:
                # What was pushed or opened just now may not be found yet.
                passes = error.status == HTTPStatus.NOT_FOUND or self._dialect.may_pass(error)
                if attempt + 1 == LOOKS or not passes:
                    self._check_branches(words)
                    raise
            self._http.pause(attempt)
        raise UsageError(f"{branch}: {self._http.site} shows no pull request; try again")

    def reword(self, number: int, title: str, body: str, head: str = "") -> PullRequest:
        """Change what a pull request says, in whatever state it is; an empty title stays.

        Raises:
            HeadMovedError: it is not at `head`.
        """
        pull = self._get(number)
        words = self._words(pull.branch, pull.base, title or pull.title, body, pull.labels, head)
        self._check_shown(words, pull)
        text = self._joined(pull.body, words)
        change = Change(
            title=words.title if words.title != pull.title else None,
            body=text if not same(pull.body, text) else None,
        )
        changed = self._dialect.change(pull, change) if change != Change() else pull
        self._check_shown(words, changed)
        return as_git_says(changed, self._truth)

    def close(
        self, number: int, reason: str, body: str | None = None, head: str = ""
    ) -> PullRequest:
        """Close without merging and say why; the branch stays. Done already: left as it is.

        Raises:
            HeadMovedError: its branch is not at `head`.
            UsageError: it cannot be closed.
        """
        pull = self.get(number)
        if pull.state != "open":
            return pull
        self._check_head(pull.branch, head, pull.head)
        self._say_why_closed(number, one_line(reason, 2000))
        try:
            said = None if body is None else replaced(pull.body, body, self.capabilities.body)
            return self._dialect.change(pull, Change(body=said, state="closed"))
        except RefusedError:
            pull = self.get(number)
            if pull.state == "open":
                raise
            return pull  # somebody was faster

    def merge(self, number: int, expected_head: str) -> PullRequest:
        """Merge, if the head is still the expected one, and drop the branch.

        One that is merged or closed already is returned as it is.

        Raises:
            UsageError: the head moved, or the forge does not let us merge.
        """
        return self._pressed(number, expected_head, self._dialect.merge)

    def merge_when_ready(self, number: int, expected_head: str) -> PullRequest:
        """Merge once what the forge asks for is there, or now if nothing is missing."""
        return self._pressed(number, expected_head, self._dialect.merge_when_ready)

    def cancel_merge(self, number: int) -> None:
        """Take back what `merge_when_ready` left to the forge; nothing when that is nothing."""
        pull = self._get(number)
        if pull.state != "merged":
            self._dialect.cancel_merge(pull)

    def settle(self, number: int, commit: str, reason: str, body: str) -> None:
        """Tell the forge of a merge that it has not noticed; where it does not listen, close."""
        del reason  # people see the commit itself
        pull = self._get(number)
        if pull.state != "open" or self._dialect.note_merge(pull, commit):
            return
        said = f"{pull.base} has what this proposes since {commit}, which was not noticed here"
        self._say_why_closed(number, said)
        text = replaced(pull.body, body, self.capabilities.body)
        self._dialect.change(pull, Change(body=text, state="closed"))

    def hooks(self) -> Sequence[Hook] | None:
        """The webhooks of the repository; UsageError when they are not shown to us."""
        return tuple(self._dialect.hooks())

    def rights(self) -> Sequence[Right]:
        """What reconciling takes and whether it is there; nothing is left behind by looking."""

        def act(trial: Trial) -> object:
            return self._http.call(trial.method, trial.path, body=trial.body)

        site = self._http.site
        path = site.repository.partition(":")[2].partition("@")[0]
        standing, trials = self._dialect.standing(), self._dialect.trials()
        return list(rights(site, path, standing, trials, act))

    def git_login(self) -> tuple[str, str]:
        """User name and password for Git over HTTPS; the password is a secret that may expire."""
        return self._dialect.git_user, self._http.credentials.password()

    def _words(
        self, branch: str, base: str, title: str, body: str, labels: Iterable[str], head: str
    ) -> Words:
        fits = self.capabilities
        short = frozenset(one_line(label.replace(",", " "), fits.label) for label in labels)
        return Words(branch, base, one_line(title, fits.title), body, short, head)

    def _joined(self, there: str, words: Words) -> str:
        """A body with our part in place of what it had of ours, of a length that fits."""
        changes = f"{self._compare}/{quote(words.base)}...{quote(words.branch)}"
        return joined(there, words.body, self.capabilities.body, changes)

    def _open(self, words: Words) -> PullRequest | None:
        """Find the open pull request of a branch; one to the same base comes first.

        Of several that we have opened all but the oldest are closed.
        """
        found = [p for p in self._dialect.open_of(words.branch, words.base) if p.state == "open"]
        found.sort(key=lambda p: (p.base != words.base, p.number))
        for more in found[1:]:
            if more.base == words.base and more.author == self.whoami():
                said = f"Withdrawn by sluice: #{found[0].number} is open for the same branch.\n"
                self._dialect.change(more, Change(body=said, state="closed"))
        return found[0] if found else None

    def _check_branches(self, words: Words) -> None:
        for branch in (words.branch, words.base):
            if self._dialect.tip(branch) is None:
                raise UsageError(f"cannot open a pull request: there is no branch {branch!r}")

    def _updated(self, pull: PullRequest, words: Words) -> PullRequest:
        """Bring a pull request to words, and see that they were about its head all the while.

        Nothing keeps another from pushing while they are written. Who was faster then finds words
        of another commit, or has written theirs before: so it is looked at again.
        """
        self._check_head(words.branch, words.head, pull.head)
        title = titled(pull, words.title, by_title=self._dialect.drafts_by_title)
        title = one_line(title, self.capabilities.title)
        body = self._joined(pull.body, words)
        held = {label.casefold() for label in pull.labels}
        wanted = {label.casefold() for label in words.labels}
        change = Change(
            title=title if pull.title != title else None,
            body=body if not same(pull.body, body) else None,
            base=words.base if pull.base != words.base else None,
            add=tuple(sorted(x for x in words.labels if x.casefold() not in held)),
            remove=tuple(sorted(x for x in pull.labels if _ours(x) and x.casefold() not in wanted)),
        )
        if change == Change():
            return pull
        changed = self._dialect.change(pull, change)
        if changed.state != "open":
            self._check_shown(words, changed)
        else:
            self._check_head(words.branch, words.head)
        return changed

    def _check_shown(self, words: Words, pull: PullRequest) -> None:
        if words.head and pull.head != words.head:
            raise HeadMovedError(words.branch, words.head, pull.head)

    def _pressed(
        self, number: int, expected_head: str, press: Callable[[PullRequest], PullRequest]
    ) -> PullRequest:
        """Press one of the merge buttons until it is clear what became of it."""
        for attempt in range(LOOKS):
            pull = self._at(number, expected_head)
            if pull.state != "open":
                break
            try:
                pull = press(pull)
                break
            except RefusedError as error:
                if attempt + 1 == LOOKS or not self._dialect.may_pass(error):
                    pull = self._explained(number, expected_head, error)
                    break
            self._http.pause(attempt)
        if pull.state == "merged":
            self._drop(pull)
        return pull

    def _at(self, number: int, expected_head: str) -> PullRequest:
        """Look until the forge has noticed the push of this head; UsageError if it moved on."""
        for attempt in range(LOOKS):
            pull = self.get(number)
            if pull.state != "open" or pull.head == expected_head:
                return pull
            if self._dialect.tip(pull.branch) != expected_head:
                break
            self._http.pause(attempt)
        raise UsageError(
            f"pull request #{number} moved: its head is {self._http.quoted(pull.head)}, not "
            f"{expected_head}; look at it again"
        )

    def _explained(self, number: int, expected_head: str, error: RefusedError) -> PullRequest:
        """Raise why it was not merged, unless somebody else has merged or closed it."""
        pull = self._at(number, expected_head)
        if pull.state != "open":
            return pull
        if error.status in _FORBIDDEN and error.said:  # of all calls this one only
            raise UsageError(
                f"{self._http.site} answers {error.status} ({error.said}): the account of the "
                f"credentials may not merge into {pull.base}; let it in the rules of that branch"
            )
        if error.status not in _UNMERGEABLE:
            raise error
        said = error.said or f"{self._http.site} answers {error.status}"
        raise UsageError(
            f"pull request #{number} cannot be merged now: {said}; look at its checks, reviews "
            "and conflicts"
        )

    def _drop(self, pull: PullRequest) -> None:
        """Delete a merged branch, if it still is what was merged; it is merged either way."""
        with suppress(UsageError):
            if self._dialect.tip(pull.branch) == pull.head:
                self._dialect.drop(pull.branch)


def _ours(label: str) -> bool:
    return label.casefold().startswith("sluice")


def _newest(pulls: Iterable[PullRequest]) -> Sequence[PullRequest]:
    return sorted(pulls, key=lambda pull: -pull.number)
