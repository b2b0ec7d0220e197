"""A forge on the network, whatever its dialect: look, act, and look again when others were faster.

A forge is told things that it shows only a little later, so an answer that may pass ("head is
not a branch", "try again") leads to another look after a pause, and a duplicate to adoption.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from http import HTTPStatus
from urllib.parse import quote

from sluice.core.finding import UsageError
from sluice.core.forge import Hook, PullRequest, Right, State, Usage
from sluice.forges.answers import HeadMovedError, RefusedError
from sluice.forges.bodies import is_same, join_part, replace_part, shorten
from sluice.forges.dialect import Change, Dialect, Words
from sluice.forges.http import Transport
from sluice.forges.remote_merging import Merges
from sluice.forges.rights import Trial, check_rights
from sluice.forges.saying import LOOKS
from sluice.forges.truth import apply_truth, keep_draft

PREFIX = "sluice/"
# What a pull request costs until all that belongs to it is said.
_WRITES, _CALLS = 5, 15


class RemoteForge(Merges):
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
        linear = self._dialect.is_linear
        if linear is None:
            return self._dialect.check_linear("main")
        return linear

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
        pulls: dict[int, PullRequest] = {}
        for listed_state in states:
            pulls |= {pull.number: pull for pull in self._dialect.list_pulls(listed_state)}
        chosen = []
        for shown in pulls.values():
            if not shown.branch.startswith(PREFIX):
                continue
            pull = apply_truth(shown, self._truth)
            if state in (None, pull.state):
                chosen.append(pull)
        return _sort_newest(chosen)

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        """All pull requests of one branch, newest first."""
        pulls = self._dialect.list_of_branch(branch)
        return _sort_newest(apply_truth(pull, self._truth) for pull in pulls)

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

        Args:
            branch: what is to be merged.
            base: where to.
            title: one line.
            body: our part of it, in Markdown.
            labels: ours; those of people stay.
            head: the commit that the words are about; empty where it does not matter.

        Raises:
            HeadMovedError: the branch is not at `head`, the commit that the words are about.
            UsageError: a branch is missing, or `branch` has nothing that `base` lacks.
        """
        words = self._make_words(branch, base, title, body, labels, head)
        for attempt in range(LOOKS):
            # Looked for at each attempt: a duplicate that is refused is there to be taken over.
            current = self._find_open(words)
            if current:
                return self._update(current, words)
            try:
                created = self._dialect.create(replace(words, body=self._join_body("", words)))
                # Some let two open one who are as fast as each other.
                oldest = self._find_open(words) if self._dialect.shows_twins else None
                return self._update(oldest or created, words)
            except RefusedError as error:
                # What was pushed or opened just now may not be found yet.
                passes = error.status == HTTPStatus.NOT_FOUND or self._dialect.may_pass(error)
                if attempt + 1 == LOOKS or not passes:
                    self._check_branches(words)
                    raise
            self._http.pause(attempt)
        raise UsageError(f"{branch}: {self._http.site} shows no pull request; try again")

    def reword(self, number: int, title: str, body: str, head: str = "") -> PullRequest:
        """Change what a pull request says, in whatever state it is.

        Args:
            number: of the pull request.
            title: one line; empty leaves it as it is.
            body: our part of it, in Markdown.
            head: the commit that the words are about; empty where it does not matter.

        Raises:
            HeadMovedError: it is not at `head`.
        """
        pull = self._get(number)
        words = self._make_words(
            pull.branch, pull.base, title or pull.title, body, pull.labels, head
        )
        self._check_shown(words, pull)
        text = self._join_body(pull.body, words)
        change = Change(
            title=words.title if words.title != pull.title else None,
            body=text if not is_same(pull.body, text) else None,
        )
        if change != Change():
            pull = self._dialect.change(pull, change)
        self._check_shown(words, pull)
        return apply_truth(pull, self._truth)

    def close(
        self, number: int, reason: str, body: str | None = None, head: str = ""
    ) -> PullRequest:
        """Close without merging and say why; the branch stays. Done already: left as it is.

        Args:
            number: of the pull request.
            reason: shown in a comment.
            body: our part of it as it is to be; None leaves it as it is.
            head: the commit that this is about; empty where it does not matter.

        Raises:
            HeadMovedError: its branch is not at `head`.
            UsageError: it cannot be closed.
        """
        pull = self.get(number)
        if pull.state != "open":
            return pull
        self._check_head(pull.branch, head, pull.head)
        self._say_why_closed(number, shorten(reason, 2000))
        text = None
        if body is not None:
            text = replace_part(pull.body, body, self.capabilities.body)
        try:
            return self._dialect.change(pull, Change(body=text, state="closed"))
        except RefusedError:
            pull = self.get(number)
            if pull.state == "open":
                raise
            return pull  # somebody was faster

    def hooks(self) -> Sequence[Hook] | None:
        """The webhooks of the repository; UsageError when they are not shown to us."""
        return tuple(self._dialect.list_hooks())

    def rights(self) -> Sequence[Right]:
        """What reconciling takes and whether it is there; nothing is left behind by looking."""

        def act(trial: Trial) -> object:
            return self._http.call(trial.method, trial.path, body=trial.body)

        site = self._http.site
        path = site.repository.partition(":")[2].partition("@")[0]
        standing, trials = self._dialect.read_standing(), self._dialect.list_trials()
        return list(check_rights(site, path, standing, trials, act))

    def git_login(self) -> tuple[str, str]:
        """User name and password for Git over HTTPS; the password is a secret that may expire."""
        return self._dialect.git_user, self._http.credentials.password()

    def _make_words(
        self, branch: str, base: str, title: str, body: str, labels: Iterable[str], head: str
    ) -> Words:
        fits = self.capabilities
        short = frozenset(shorten(label.replace(",", " "), fits.label) for label in labels)
        return Words(branch, base, shorten(title, fits.title), body, short, head)

    def _join_body(self, current: str, words: Words) -> str:
        """Put our part in place of what a body had of ours, in a length that fits."""
        changes = f"{self._compare}/{quote(words.base)}...{quote(words.branch)}"
        return join_part(current, words.body, self.capabilities.body, changes)

    def _find_open(self, words: Words) -> PullRequest | None:
        """Find the open pull request of a branch; one to the same base comes first.

        Of several that we have opened all but the oldest are closed.
        """
        shown = self._dialect.list_open(words.branch, words.base)
        pulls = [pull for pull in shown if pull.state == "open"]
        if not pulls:
            return None
        pulls.sort(key=lambda pull: (pull.base != words.base, pull.number))
        first = pulls[0]
        for other in pulls[1:]:
            if other.base == words.base and other.author == self.whoami():
                text = f"Withdrawn by sluice: #{first.number} is open for the same branch.\n"
                self._dialect.change(other, Change(body=text, state="closed"))
        return first

    def _check_branches(self, words: Words) -> None:
        for branch in (words.branch, words.base):
            if self._dialect.find_tip(branch) is None:
                raise UsageError(f"cannot open a pull request: there is no branch {branch!r}")

    def _update(self, pull: PullRequest, words: Words) -> PullRequest:
        """Bring a pull request to words, and see that they were about its head all the while.

        Nothing keeps another from pushing while they are written. Who was faster then finds words
        of another commit, or has written theirs before: so it is looked at again.
        """
        self._check_head(words.branch, words.head, pull.head)
        title = keep_draft(pull, words.title, by_title=self._dialect.drafts_by_title)
        title = shorten(title, self.capabilities.title)
        body = self._join_body(pull.body, words)
        # Forges take labels that differ in case for one.
        present = {label.casefold() for label in pull.labels}
        intended = {label.casefold() for label in words.labels}
        added = [label for label in words.labels if label.casefold() not in present]
        dropped = [label for label in pull.labels if label.casefold() not in intended]
        change = Change(
            title=title if pull.title != title else None,
            body=body if not is_same(pull.body, body) else None,
            base=words.base if pull.base != words.base else None,
            add=tuple(sorted(added)),
            remove=tuple(sorted(label for label in dropped if _is_ours(label))),
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


def _is_ours(label: str) -> bool:
    return label.casefold().startswith("sluice")


def _sort_newest(pulls: Iterable[PullRequest]) -> Sequence[PullRequest]:
    return sorted(pulls, key=lambda pull: -pull.number)
