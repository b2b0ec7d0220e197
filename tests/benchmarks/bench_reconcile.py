"""The reconciler on 10,000 releases: 500 promotions at once, alone and together, and none at all.

And on fewer, promotions that people merge one after another, where each merge moves the base.

Seconds of this process alone, with a forge and a registry that cost nothing.
"""

import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sluice import git
from sluice.commands import init
from sluice.core.forge import PullRequest, State
from sluice.core.model import Evaluation, Measurement, ModelVersion
from sluice.forges.plain import PlainForge
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.runtime import Runtime
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import AUTHOR, MAIN

TEAMS, CHANGED = 50, 500
SOME, MERGED = 2_000, 60
_AT = "environments/production"


class Models:
    """A registry in memory: a model for each release, of which some were promoted."""

    def __init__(self, count: int) -> None:
        self.promoted: set[str] = set()
        self._names = [f"model-{number:05}" for number in range(count)]

    def versions(
        self, names: Collection[str], aliased: Collection[str] | None = None
    ) -> Mapping[str, Sequence[ModelVersion]]:
        del aliased
        return {name: self._of(name) for name in self._names if name in names}

    def _of(self, name: str) -> list[ModelVersion]:
        new = "Production" if name in self.promoted else "Staging"
        old = ModelVersion(name, "1", f"pvc://m/{name}/1", 1, 1, stage="Production")
        return [ModelVersion(name, "2", f"pvc://m/{name}/2", 2, 2, stage=new), old]

    def is_gone(self, name: str) -> bool:
        del name
        return False

    def fresh(self, version: ModelVersion) -> ModelVersion:
        return version

    def evaluation(self, version: ModelVersion) -> Evaluation:
        del version
        return Evaluation({"mmlu/acc": Measurement(0.7)})

    def url(self, version: ModelVersion) -> str:
        return f"https://registry.example.com/{version.name}"

    def describe(self) -> str:
        return "memory"


class Pulls(PlainForge):
    """A forge in memory."""

    def __init__(self, repository: git.Repository) -> None:
        self._repository = repository
        self.all: dict[str, PullRequest] = {}

    def whoami(self) -> str:
        return "benchmark"

    def settle(self, number: int, commit: str, reason: str, body: str) -> None:
        raise NotImplementedError

    def list(self, state: State | None = None) -> Sequence[PullRequest]:
        return [pull for pull in self.all.values() if state in (None, pull.state)]

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        return [self.all[branch]] if branch in self.all else []

    def get(self, number: int) -> PullRequest:
        return next(pull for pull in self.all.values() if pull.number == number)

    def lost_branch(self, number: int) -> bool:
        del number
        return False

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
        head = head or git.tip(self._repository, f"refs/heads/{branch}") or ""
        number = self.all[branch].number if branch in self.all else len(self.all) + 1
        pull = PullRequest(number, branch, base, title, body, head, labels=tuple(labels))
        self.all[branch] = pull
        return pull

    def reword(self, number: int, title: str, body: str, head: str = "") -> PullRequest:
        del head
        return replace(self.get(number), title=title, body=body)

    def close(
        self, number: int, reason: str, body: str | None = None, head: str = ""
    ) -> PullRequest:
        del reason, body, head
        return replace(self.get(number), state="closed")

    def merge(self, number: int, expected_head: str) -> PullRequest:
        del expected_head
        return replace(self.get(number), state="merged")

    def merge_next(self) -> None:
        """Merge the first open one, as a person does it."""
        pull = next(pull for pull in self.all.values() if pull.state == "open")
        store, base = git.Store(self._repository), git.resolve(self._repository, MAIN)
        tree, conflicts = store.merge(base, pull.head)
        assert not conflicts
        made = store.commit(tree, [base, pull.head], "Merge\n", AUTHOR, 3_000)
        git.update_ref(self._repository, MAIN, made, base)
        git.update_ref(self._repository, f"refs/heads/{pull.branch}", None, pull.head)
        self.all[pull.branch] = replace(pull, state="merged", merged_as=made)


def repository(folder: Path, count: int, group: str = "") -> git.Repository:
    """The starter's production with so many releases, rendered and packed."""
    init.write(folder / "tree")
    release = (folder / "tree" / _AT / "platform/chat/release.yaml").read_text()
    environment = (folder / "tree" / _AT / "environment.yaml").read_text()
    asked = f"required\n    group: {group}" if group else "required"
    environment = environment.replace("quota: 16", "quota: 60000").replace("required", asked)
    files = {f"{_AT}/environment.yaml": environment.encode()}
    files |= dict(_releases(release, count))
    bare = git.init_bare(folder / "models.git")
    _commit(bare, files)
    rendered = read_workspace(bare, MAIN).render()
    _commit(bare, {path: manifest.content() for path, manifest in rendered.items()})
    return bare


def _releases(text: str, count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        name, team = f"r{number:05}", f"team-{number % TEAMS:02}"
        said = text.replace("name: chat", f"name: {name}", 1).replace("path: /v1", f"path: /{name}")
        said = said.replace("team: platform", f"team: {team}")
        said = said.replace("    name: qwen2.5-7b-instruct\n", f"    name: model-{number:05}\n", 1)
        yield f"{_AT}/{team}/{name}/release.yaml", said.encode()


def _commit(bare: git.Repository, files: Mapping[str, bytes]) -> None:
    old = git.tip(bare, MAIN)
    tree = git.write_tree(bare, old, files)
    new = git.commit(bare, tree, [old] if old else [], "begin", AUTHOR, time=1_000)
    git.update_ref(bare, MAIN, new, old)


def run(count: int = 10_000, few: int = 1_000) -> dict[str, float]:
    """Seconds of processor time."""
    return {
        f"nothing to do, {few:,} releases, first cycle": _timed(few, "", 0)[0],
        f"nothing to do, {few:,} releases, again": _timed(few, "", 0)[1],
        f"{CHANGED} of {count:,} changed, a pull request each": _timed(count, "", CHANGED)[1],
        f"{CHANGED} of {count:,} changed, in one": _timed(count, "environment", CHANGED)[1],
        f"{MERGED} of {SOME:,} changed, then merged one by one": _merged(SOME, MERGED),
    }


def _merged(count: int, changed: int) -> float:
    """Of promotions and of a cycle after the merge of each."""
    with tempfile.TemporaryDirectory() as folder:
        bare = repository(Path(folder), count)
        models, pulls = Models(count), Pulls(bare)
        world = Runtime(git.Direct(bare), models, pulls, lambda: 2_000)
        _seconds(world)
        models.promoted = {f"model-{number:05}" for number in range(changed)}
        total = _seconds(world)
        for _ in range(changed):
            pulls.merge_next()
            total += _seconds(world)
        assert {pull.state for pull in pulls.all.values()} == {"merged"}
        return total


def _timed(count: int, group: str, changed: int) -> tuple[float, float]:
    """Of a cycle that finds nothing, and of one after so many promotions."""
    with tempfile.TemporaryDirectory() as folder:
        bare = repository(Path(folder), count, group)
        models, pulls = Models(count), Pulls(bare)
        world = Runtime(git.Direct(bare), models, pulls, lambda: 2_000)
        idle = _seconds(world)
        models.promoted = {f"model-{number:05}" for number in range(changed)}
        seconds = _seconds(world)
        assert len(pulls.all) == (1 if group else changed), len(pulls.all)
        return idle, seconds


def _seconds(world: Runtime) -> float:
    began = time.process_time()
    bad = [outcome for outcome in cycle(world) if outcome.refused]
    assert not bad, bad[:3]
    return time.process_time() - began


def report(measured: Mapping[str, float]) -> list[str]:
    """A line for each."""
    return [f"{seconds:8.2f} s  {what}" for what, seconds in measured.items()]


if __name__ == "__main__":
    sizes = [int(size) for size in sys.argv[1:]]
    for each in report(run(*sizes)):
        sys.stdout.write(f"{each}\n")
