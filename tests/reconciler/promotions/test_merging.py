"""The whole loop where a repository merges in its own way, or does not let us do something."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice import cli, git
from sluice.reconciler.daemon.cycle_log import Diary
from sluice.reconciler.daemon.loop import Daemon
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.runtime import Runtime
from support.forge_harness import FAKES
from support.git_fixtures import MAIN, run_git
from support.loop import ENVIRONMENT, KEY
from support.remote_loop import RemoteLoop, remote_loop

pytestmark = pytest.mark.server
LINEAR = {"gitea": "fast-forward-only", "forgejo": "fast-forward-only", "gitlab": "ff"}


@pytest.fixture(params=sorted(FAKES))
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RemoteLoop]:
    with remote_loop(tmp_path, request.param) as loop:
        loop.register(1)
        loop.register(2)
        yield loop


def said(world: Runtime) -> dict[str, str]:
    return {o.release: o.what for o in cycle(world)}


@pytest.mark.parametrize("kind", sorted(LINEAR))
@pytest.mark.parametrize("once", [False, True])
def test_a_branch_that_fell_behind_is_brought_up_where_only_forward_counts(
    tmp_path: Path,
    kind: str,
    once: bool,  # noqa: FBT001  # a parameter of the test
) -> None:
    """Also by one who runs for a single cycle each time."""
    with remote_loop(tmp_path, kind) as loop:
        loop.register(1)
        loop.register(2)
        loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
        state = loop.fake.state
        state.methods, state.preferred = {"fast-forward-only"}, "fast-forward-only"
        state.project_merges, state.blocked = "ff", "a check has not ended"
        world = loop.world()
        assert said(world)[KEY] == "could not merge"
        loop.commit({"README.md": b"another change\n"})
        state.blocked = ""
        found = [said(loop.world() if once else world)[KEY] for _ in range(2)]
        assert found[-1] in ("merged", "nothing to do")
        tip = git.commit_of(loop.repository, MAIN)
        assert len(tip.parents) == 1
        assert "Sluice" in tip.author
        assert loop.file("README.md") == "another change\n"


def test_history_tells_approver_merger_and_proposer_apart_after_a_squash(
    loop: RemoteLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.edit(ENVIRONMENT, ("review: required", "review: automatic"))
    state = loop.fake.state
    state.methods, state.preferred, state.squashes = {"squash"}, "squash", "always"
    state.blocked = "a review is missing"
    world = loop.world()
    assert said(world)[KEY] == "could not merge"
    state.pulls[1].verdicts, state.blocked = {"alice": "approved"}, ""
    assert said(world)[KEY] in ("merged", "nothing to do")
    assert len(git.commit_of(loop.repository, MAIN).parents) == 1
    assert cli.main(["history", KEY, "--repository", str(loop.bare), "--format", "json"]) == 0
    newest = json.loads(capsys.readouterr().out)["history"][0]
    assert (newest["version"], newest["approvedBy"]) == ("2", ["alice"])
    assert (newest["mergedBy"], newest["pullRequest"]) == ("robot", 1)
    assert newest["trailers"]["Release"] == KEY
    assert "Follows" in newest["trailers"]


def reasons(loop: RemoteLoop) -> set[str]:
    """Why a daemon's turn failed, as its metrics have it."""
    daemon = Daemon(loop.world(), Diary(), 30.0, threading.Event())
    daemon.once()
    family = next(f for f in daemon.telemetry.registry.collect() if f.name == "sluice_failures")
    return {s.labels["reason"] for s in family.samples if s.value and s.name.endswith("_total")}


def test_the_metrics_name_what_is_the_matter_with_the_forge(loop: RemoteLoop) -> None:
    state = loop.fake.state
    scope = "Resource not accessible by personal access token"
    assert reasons(loop) == set()
    loop.register(3)
    state.archived = True
    assert reasons(loop) == {"archived"}
    state.archived, state.may_push = False, False
    assert reasons(loop) == {"read-only token"}
    state.may_push, state.lacking = True, {"(PATCH|PUT|POST) ": scope}
    assert reasons(loop) == {"missing scope"}
    state.lacking, state.moved = {}, "team/renamed"
    assert reasons(loop) == (set() if loop.kind == "github" else {"renamed"})
    state.moved, loop.fake.token = "", "another"
    assert reasons(loop) == {"credentials refused"}


def test_the_metrics_name_what_is_the_matter_with_a_push(tmp_path: Path) -> None:
    with remote_loop(tmp_path, "gitea") as loop:
        loop.register(1)
        loop.register(2)
        hook = loop.bare / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        for words, reason in (
            ("Not allowed to push to protected branch", "protected branch"),
            ("User permission denied for writing.", "read-only token"),
            ("no", "push refused"),
        ):
            hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
            hook.chmod(0o755)
            assert reasons(loop) == {reason}
        hook.unlink()
        run_git(loop.bare, "config", "http.receivepack", "false")
        assert reasons(loop) == {"read-only token"}
