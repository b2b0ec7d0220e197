"""Real repositories for the tests of the Git shell and the embedded forge."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from sluice import git
from sluice.core.forge import Forge, PullRequest
from sluice.core.model import Signature

AUTHOR = Signature("Ada", "ada@example.com")
MAIN = "refs/heads/main"
BRANCH = "sluice/prod/chat"
HEAD = f"refs/heads/{BRANCH}"
CLEAN = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}

# A process that commits so many times to main, against others who do.
WRITER = textwrap.dedent("""
    import sys
    from sluice import git
    from sluice.core.model import Signature

    path, me, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    repo, who = git.open_repository(path), Signature(me, "a@example.com")
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(count):
        while True:
            old = git.tip(repo, "refs/heads/main")
            tree = git.write_tree(repo, old, {f"{me}/{n}": b"x"})
            new = git.commit(repo, tree, [old], f"{me} {n}", who, time=1)
            try:
                git.update_ref(repo, "refs/heads/main", new, old)
            except git.RefMovedError:
                continue
            break
""")


def run_git(path: str | Path, *arguments: str, stdin: bytes = b"") -> str:
    """Run the Git command line on a repository and return what it prints, stripped."""
    done = subprocess.run(
        ["git", "-C", str(path), *arguments],
        input=stdin,
        env=os.environ | CLEAN,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode(errors="replace").strip()


def put(
    repo: git.Repository,
    changes: Mapping[str, bytes | None],
    ref: str = MAIN,
    *,
    onto: str | None = None,
    message: str = "change",
) -> str:
    """Commit changes on a ref, or on another commit, and move the ref there."""
    old = git.tip(repo, ref)
    parent = onto or old
    tree = git.write_tree(repo, parent, changes)
    new = git.commit(repo, tree, [parent] if parent else [], message, AUTHOR, time=1_000)
    git.update_ref(repo, ref, new, old)
    return new


def race(script: str, arguments: list[list[str]]) -> list[subprocess.Popen[str]]:
    """Start a process per list of arguments and let them go at once.

    The script prints a line when it is ready and reads one before it begins.
    """
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, *each],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for each in arguments
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return started


def outputs(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Wait for all processes of a race, which must succeed, and return what they printed."""
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes)
    return said


def assert_sound(path: str | Path) -> None:
    """Let Git itself check every object and ref."""
    assert run_git(path, "fsck", "--full", "--strict", "--no-dangling") == ""


class Clock:
    """Every look is a second later, so that nothing is equal by having the same time."""

    def __init__(self) -> None:
        self.now = 1_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


def propose(
    forge: Forge, repo: git.Repository, changes: Mapping[str, bytes | None] | None = None
) -> PullRequest:
    if git.tip(repo, HEAD) is None:
        put(repo, changes or {"a": b"2\n"}, HEAD, onto=git.resolve(repo, "main"))
    return forge.ensure(branch=BRANCH, base="main", title="t", body="b", labels=["x"])


def refs(repo: git.Repository) -> dict[str, str]:
    return git.list_refs(repo, "refs/")
