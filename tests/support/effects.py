"""Every boundary between the reconciler and the world, at which a run can be killed."""

import re
import threading
from collections.abc import Callable

import pytest

from sluice import git
from sluice.core import layout
from sluice.core.forge import PullRequest
from sluice.core.layout import Key
from sluice.core.promotion.message import is_about
from sluice.forges.wire import Wire
from sluice.git import store, upstream
from sluice.registries.file import FileRegistry
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import MAIN
from support.loop import Loop

Effect = Callable[..., object]

# Reads of the registry, objects, refs, remotes, calls of a forge's server.
BOUNDARIES: tuple[tuple[object, str], ...] = (
    (FileRegistry, "versions"),
    (FileRegistry, "fresh"),
    (FileRegistry, "evaluation"),
    (git, "write_tree"),
    (git, "commit"),
    (store, "write_tree"),
    (store, "commit"),
    (store, "update_ref"),
    (upstream, "update_ref"),
    (upstream, "list_remote_refs"),
    (upstream, "fetch"),
    (upstream, "push"),
    (upstream, "push_each"),
    (Wire, "exchange"),
)


class Killed(BaseException):
    """The process ends here; nothing may catch it."""


def _die() -> None:
    raise Killed


class Executioner:
    """Counts the boundaries that a run crosses, and kills it before or after one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count, self.fatal, self.after = 0, -1, False
        self.act: Callable[[], object] = _die  # what happens there
        self._thread = threading.get_ident()  # servers in other threads are not the victim
        for owner, name in BOUNDARIES:
            monkeypatch.setattr(owner, name, self.watched(getattr(owner, name)))

    def watched(self, effect: Effect) -> Effect:
        def run(*arguments: object, **named: object) -> object:
            if threading.get_ident() != self._thread:
                return effect(*arguments, **named)
            self.count += 1
            fatal = self.count == self.fatal
            if fatal and not self.after:
                self.act()
            result = effect(*arguments, **named)
            if fatal and self.after:
                self.act()
            return result

        return run

    def arm(self, fatal: int, *, after: bool) -> None:
        self.count, self.fatal, self.after = 0, fatal, after

    def disarm(self) -> int:
        """Let the next run live; how many boundaries the last one crossed."""
        crossed, self.count, self.fatal = self.count, 0, -1
        return crossed

    def kill_once(self, run: Callable[[], object], fatal: int, *, after: bool) -> int:
        """Run until the kill, if it comes, and then once more undisturbed.

        Returns how many boundaries the last of these runs crossed.
        """
        self.arm(fatal, after=after)
        try:
            run()
        except Killed:
            self.disarm()
            run()
        return self.disarm()


def told(pull: PullRequest) -> tuple[object, ...]:
    """What people see of a pull request, whenever its commit was made; it names the right one."""
    words = re.sub(r'"commit": "\w+", ', "", pull.body)
    return pull.number, pull.branch, pull.state, pull.title, words, is_about(pull.body, pull.head)


def assert_one_each(loop: Loop) -> None:
    """At any time, whoever was killed: no release is in two open pull requests."""
    living = [pull.branch for pull in loop.pulls() if pull.state == "open"]
    assert len(living) == len(set(living))
    held = [key for branch in living for key in held_by(loop, f"refs/heads/{branch}")]
    assert len(held) == len(set(held)), living


def held_by(loop: Loop, ref: str) -> set[Key]:
    """The releases that a branch changes."""
    here, begun = loop.repository, git.merge_base(loop.repository, ref, MAIN)
    changed = git.changed_paths(here, begun, git.resolve(here, ref)) if begun else ()
    return {key for path in changed if (key := layout.release_of(path))}


def assert_consistent(loop: Loop) -> None:
    """What holds at any time, whoever was killed: one pull request, and trees that are rendered."""
    assert_one_each(loop)
    living = [pull.branch for pull in loop.pulls() if pull.state == "open"]
    for ref in (MAIN, *(f"refs/heads/{branch}" for branch in living)):
        rendered = {
            p: m.content() for p, m in read_workspace(loop.repository, ref).render().items()
        }
        assert git.read_tree(loop.repository, ref, ["manifests"]).files == rendered
