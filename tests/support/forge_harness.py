"""One way to try every forge: the embedded one, the fakes, and a live one if there is one.

A live forge is SLUICE_LIVE_FORGE (an address as `open_forge` takes it, its token as usual) and
SLUICE_LIVE_REMOTE (its Git URL over HTTPS): a repository to play with, which has a branch main.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sluice import git
from sluice.core.forge import Forge, PullRequest
from sluice.forges import open_forge
from sluice.forges.local import LocalForge
from sluice.forges.remote import RemoteForge
from sluice.forges.timing import Timing
from support.forge_fake import TOKEN, FakeForge, serving
from support.forge_gitea import GITEA
from support.forge_github import GITHUB
from support.forge_gitlab import GITLAB
from support.git_fixtures import AUTHOR, MAIN, Clock, put

FAKES = {"github": GITHUB, "gitlab": GITLAB, "gitea": GITEA, "forgejo": GITEA}


@dataclass
class Time:
    """A clock that only waiting moves."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @property
    def timing(self) -> Timing:
        return Timing(clock=lambda: self.now, sleep=self.sleep, random=lambda: 0.5)


@dataclass
class Harness:
    """A forge, its repository and a branch for a test."""

    kind: str
    forge: Forge
    repository: git.Repository
    branch: str = "sluice/prod/chat"
    sync: Callable[[str], None] = lambda _branch: None

    def push(self, files: Mapping[str, bytes | None], branch: str = "") -> str:
        """Commit on a branch, which begins at main if it is new, as `git push` would bring it."""
        ref = f"refs/heads/{branch or self.branch}"
        new = ref != MAIN and git.tip(self.repository, ref) is None
        onto = git.resolve(self.repository, "main") if new else None
        commit = put(self.repository, files, ref, onto=onto)
        self.sync(branch or self.branch)
        return commit

    def onto_main(self, files: Mapping[str, bytes | None], message: str = "by hand") -> str:
        """Commit on main as a person does, whatever the forge thinks of it."""
        commit = put(self.repository, files, MAIN, message=message)
        self.sync("main")
        return commit

    def delete(self) -> None:
        """Delete the branch, as a person does."""
        ref = f"refs/heads/{self.branch}"
        git.update_ref(self.repository, ref, None, git.tip(self.repository, ref))
        self.sync(self.branch)

    def tip(self, branch: str = "") -> str | None:
        self.sync("")
        return git.tip(self.repository, f"refs/heads/{branch or self.branch}")

    def propose(self, title: str = "t", body: str = "b", *labels: str) -> PullRequest:
        if self.tip() is None:
            self.push({"a": secrets.token_bytes(8)})
        return self.forge.ensure(
            branch=self.branch, base="main", title=title, body=body, labels=labels
        )


@dataclass
class FakeHarness(Harness):
    """The same with a server that can be told to misbehave, and its clock."""

    fake: FakeForge = field(kw_only=True)
    time: Time = field(kw_only=True)
    forge: RemoteForge


def repository_at(folder: Path) -> git.Repository:
    repository = git.init_bare(folder / "models.git")
    put(repository, {"a": b"1\n", "b": b"1\n"})
    return repository


def local(folder: Path) -> Harness:
    repository = repository_at(folder)
    forge = LocalForge(git.Store(repository), Clock(), AUTHOR)
    return Harness("local", forge, repository)


@contextmanager
def faked(kind: str, folder: Path) -> Iterator[FakeHarness]:
    repository = repository_at(folder)
    with serving(FAKES[kind], folder / "models.git") as fake:
        time = Time()
        forge = connected(kind, fake, time)
        forge.believe(git.Merged(repository))
        yield FakeHarness(kind, forge, repository, fake=fake, time=time)


def connected(
    kind: str, fake: FakeForge, time: Time, environ: Mapping[str, str] | None = None
) -> RemoteForge:
    """Return another client of the same server."""
    known = {"SLUICE_FORGE_TOKEN": TOKEN} if environ is None else environ
    forge = open_forge(f"{kind}:team/models@{fake.place}", known, time.timing)
    assert isinstance(forge, RemoteForge)
    return forge


@contextmanager
def live(folder: Path) -> Iterator[Harness]:
    """Give a live forge; what is pushed to the clone goes there too, and goes in the end."""
    clone = git.clone(os.environ["SLUICE_LIVE_REMOTE"], folder / "live.git")
    forge = open_forge(os.environ["SLUICE_LIVE_FORGE"], os.environ)
    assert isinstance(forge, RemoteForge)
    forge.believe(git.Merged(clone))
    known = _fetched(clone)

    def sync(branch: str) -> None:
        name = f"refs/heads/{branch}"
        if branch:
            git.push(clone, {name: (known.get(name), git.tip(clone, name))})
        known.clear()
        known.update(_fetched(clone))

    branch = f"sluice/test/{secrets.token_hex(4)}"
    yield Harness("live", forge, clone, branch, sync)
    sync("")
    for pull in forge.list("open"):
        if pull.branch.startswith(branch):
            forge.close(pull.number, "the test is over")
    mine = {name: tip for name, tip in known.items() if name.startswith(f"refs/heads/{branch}")}
    git.push(clone, {name: (tip, None) for name, tip in mine.items()})


KINDS = ["local", *FAKES, *(["live"] if os.environ.get("SLUICE_LIVE_FORGE") else [])]


@contextmanager
def harness_of(kind: str, folder: Path, *, detects: bool = True) -> Iterator[Harness]:
    """A forge of any kind.

    Args:
        kind: one of KINDS.
        folder: where its repository lies.
        detects: whether a stand-in notices merges by hand.
    """
    if kind == "local":
        yield local(folder)
    elif kind == "live":
        with live(folder) as harness:
            yield harness
    else:
        with faked(kind, folder) as stand_in:
            stand_in.fake.state.detects = detects
            yield stand_in


def _fetched(clone: git.Repository) -> dict[str, str]:
    """Bring the branches of a clone to those of its remote, and return them."""
    git.fetch(clone)
    there = "refs/remotes/origin/"
    tips = {
        f"refs/heads/{ref.removeprefix(there)}": tip
        for ref, tip in git.list_refs(clone, there).items()
        if not ref.endswith("/HEAD")
    }
    for name in {*tips, *git.list_refs(clone, "refs/heads/")}:
        git.update_ref(clone, name, tips.get(name), git.tip(clone, name))
    return tips
