"""The loop with everything remote: Git over HTTP and a forge with an API, over one repository."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sluice import git
from sluice.core.forge import PullRequest
from sluice.core.promotion.outcome import Outcome
from sluice.forges.remote import RemoteForge
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.runtime import Memory, Runtime
from support.forge_fake import TOKEN, FakeForge
from support.forge_fake import serving as serving_forge
from support.forge_harness import FAKES, Time, connected
from support.git_fixtures import run_git
from support.git_http import GitServer
from support.git_http import serving as serving_git
from support.loop import Loop


class RemoteLoop(Loop):
    """Reconciles through a mirror; `repository` is what the servers serve."""

    def __init__(self, folder: Path, kind: str, server: GitServer, fake: FakeForge) -> None:
        self.kind, self.server, self.fake, self.time = kind, server, fake, Time()
        self.mirrors = 0
        super().__init__(folder)
        run_git(self.bare, "config", "http.receivepack", "true")

    def client(self) -> RemoteForge:
        return connected(self.kind, self.fake, self.time)

    def world(self, state: str = "state", *, dry_run: bool = False) -> Runtime:
        """A reconciler of its own: its mirror, and its client of the forge."""
        forge = self.client()
        url = self.server.url("models.git")
        mirror = git.open_mirror(url, self.folder / state, forge.git_login)
        forge.believe(git.Merged(mirror.repository))
        return Runtime(
            mirror,
            self.registry,
            forge,
            lambda: int(self.time.now),
            dry_run,
            Memory(),
            pause=self.time.sleep,
        )

    def cycle(self, *, dry_run: bool = False) -> dict[str, Outcome]:
        return {o.release: o for o in cycle(self.world(dry_run=dry_run))}

    def pulls(self) -> list[PullRequest]:
        return list(self.client().list())

    def merge(self, number: int) -> PullRequest:
        state = self.fake.state
        state.merge(state.get(number), "", drop=True)
        return self.client().get(number)

    def pushes(self) -> int:
        return self.server.requests.count("POST git-receive-pack")


@contextmanager
def remote_loop(folder: Path, kind: str) -> Iterator[RemoteLoop]:
    folder.mkdir(exist_ok=True)
    with (
        serving_git(folder) as server,
        serving_forge(FAKES[kind], folder / "models.git") as fake,
    ):
        server.token = TOKEN
        yield RemoteLoop(folder, kind, server, fake)
