"""A tick over 1,000 releases of which 50 are rolling out, without the network: under 3 s."""

import tempfile
import time
from functools import partial
from pathlib import Path

from sluice import git
from sluice.core.analysis.samples import Series
from sluice.core.cluster import Application
from sluice.forges.local import LocalForge
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.scene import Scene
from sluice.reconciler.rollouts.tick import move_each
from sluice.workspace.identity import AUTHOR

RELEASES, ROLLING, COMMITS = 1_000, 50, 300
LIMIT = 3.0
START = 1_795_200_000
ROOT = Path(__file__).parents[2]
SPEC = ROOT / "environments/production/platform/chat"


def tree() -> dict[str, bytes]:
    """Releases by team; some of them with a rollout."""
    files = {
        "environments/production/environment.yaml": (
            ROOT / "environments/production/environment.yaml"
        )
        .read_bytes()
        .replace(
            b"podMonitor: true",
            b"podMonitor: true\n    prometheus:\n      address: http://p:9090",
        )
        .replace(b"quota: 16", b"quota: 99999")
    }
    release = (SPEC / "release.yaml").read_bytes()
    rollout = (SPEC / "rollout.yaml").read_bytes()
    for number in range(RELEASES):
        name = f"chat-{number:04d}"
        folder = f"environments/production/team-{number // 50}/{name}"
        own = (b"name: chat\n", f"name: {name}\n".encode())
        path = (b"path: /v1", f"path: /{name}/v1".encode())
        files[f"{folder}/release.yaml"] = release.replace(*own).replace(*path)
        if number % (RELEASES // ROLLING) == 0:
            files[f"{folder}/rollout.yaml"] = rollout.replace(*own).replace(*path)
    return files


class Cluster:
    """Argo CD that has applied the head everywhere."""

    def __init__(self, revision: str) -> None:
        self._revision = revision

    def applications(self, namespace: str) -> dict[str, Application]:
        del namespace
        deployed = ((self._revision, START),)
        told = Application(self._revision, synced=True, health="Healthy", deployed=deployed)
        names = [f"production.chat-{number:04d}" for number in range(RELEASES)]
        return dict.fromkeys([*names, *(f"{name}.routes" for name in names)], told)

    def refresh(self, namespace: str, name: str) -> None:
        raise AssertionError(f"{namespace}/{name} follows")

    def end(self, namespace: str, name: str, revision: str) -> None:
        raise AssertionError(f"{namespace}/{name} does not hang at {revision}")


def samples(_address: str, query: str, now: float) -> list[Series]:
    """An hour of samples of two pods for each version of each rollout."""
    metric = query.partition("{")[0]
    times = range(int(now) - 3600, int(now), 15)
    line = [(float(t), float(i * 10)) for i, t in enumerate(times)]
    return [
        (
            {
                "__name__": metric,
                "namespace": "ai-inference",
                "sluice_dev_release": f"chat-{number:04d}",
                "sluice_dev_version": version,
                "pod": f"{number}-{version}-{pod}",
                "status": "2xx",
            },
            line,
        )
        for number in range(0, RELEASES, RELEASES // ROLLING)
        for version in ("1", "2")
        for pod in range(2)
    ]


def run() -> dict[str, float]:
    """Seconds of a tick, and how many rollouts it looked at."""
    with tempfile.TemporaryDirectory() as folder:
        repository = git.init_bare(Path(folder) / "models.git")
        head: str | None = None
        files: dict[str, bytes | None] = dict(tree())
        for number in range(COMMITS):
            written = git.write_tree(repository, head, files)
            head = git.commit(
                repository, written, [head] if head else [], "change", AUTHOR, time=START + number
            )
            files = {"README.md": str(number).encode()}
        git.update_ref(repository, "refs/heads/main", head, None)
        forge = LocalForge(git.Store(repository), lambda: START + 3600, AUTHOR)
        scene = Scene(
            repository,
            partial(git.update_ref, repository),
            forge,
            lambda: START + 3600,
            dry_run=True,
        )
        begin = time.perf_counter()
        outcomes = list(move_each(scene, Observers(Cluster(head or ""), samples)))
        spent = time.perf_counter() - begin
    assert len(outcomes) == ROLLING
    return {"seconds": spent, "rollouts": float(len(outcomes))}


def report(found: dict[str, float]) -> list[str]:
    """One line, against what is promised."""
    word = "within" if found["seconds"] <= LIMIT else "ABOVE"
    told = f"a tick over {RELEASES:,} releases with {found['rollouts']:.0f} rollouts"
    return [f"{told}: {found['seconds']:.2f} s, {word} {LIMIT:.0f} s"]
