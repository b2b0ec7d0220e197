"""What nobody foresaw of one release of three, or in one call, keeps the others from nothing."""

import re
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from sluice import git
from sluice.cli import main
from sluice.commands import reconcile
from sluice.core.documents.manifest import Manifest
from sluice.core.finding import Finding, FindingsError, Place
from sluice.core.forge import PullRequest
from sluice.core.model import Evaluation, ModelVersion, Registry
from sluice.core.promotion.outcome import Outcome
from sluice.core.specs.resolve import Release
from sluice.core.workload.render import Renderer
from sluice.forges.local import LocalForge
from sluice.reconciler.daemon.cycle_log import Diary
from sluice.reconciler.daemon.loop import Daemon
from sluice.reconciler.promotions.base import BrokenBaseError
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.rollouts import counting, tick
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.runtime import Runtime
from sluice.registries.watch import Watch
from sluice.workspace.identity import AUTHOR
from sluice.workspace.revisions import read_workspace
from support.git_fixtures import AUTHOR as PERSON
from support.git_fixtures import MAIN, run_git
from support.loop import KEY, OTHER, SPEC, Loop
from support.stage import ROLLOUT, Stage

THIRD = "production/search/third"
ODD = "helper"  # the model of OTHER
SECRET = "canary-of-one-of-three"  # noqa: S105  # of a test


class OddRegistry:
    """A registry that fails in an unforeseen way at one of its methods, for one model."""

    def __init__(self, registry: Registry, method: str) -> None:
        self._registry, self._method = registry, method

    def versions(
        self, names: Collection[str], aliased: Collection[str] | None = None
    ) -> Mapping[str, Sequence[ModelVersion]]:
        self._perhaps("versions", *names)
        return self._registry.versions(names, aliased)

    def is_gone(self, name: str) -> bool:
        self._perhaps("is_gone", name)
        return self._registry.is_gone(name)

    def fresh(self, version: ModelVersion) -> ModelVersion:
        self._perhaps("fresh", version.name)
        return self._registry.fresh(version)

    def evaluation(self, version: ModelVersion) -> Evaluation:
        self._perhaps("evaluation", version.name)
        return self._registry.evaluation(version)

    def url(self, version: ModelVersion) -> str:
        self._perhaps("url", version.name)
        return ""

    def describe(self) -> str:
        return "odd"

    def _perhaps(self, method: str, *names: str) -> None:
        if method == self._method and ODD in names:
            raise RecursionError(SECRET)


class OddForge(LocalForge):
    """A forge that fails in an unforeseen way at one of its methods, for the branch of OTHER."""

    method = ""

    def ensure(self, **what: object) -> PullRequest:
        self._perhaps("ensure", str(what["branch"]))
        return super().ensure(**what)  # type: ignore[arg-type]

    def of_branch(self, branch: str) -> Sequence[PullRequest]:
        self._perhaps("of_branch", branch)
        return super().of_branch(branch)

    def _perhaps(self, method: str, branch: str) -> None:
        if method == self.method and branch.endswith(OTHER):
            raise MemoryError(SECRET)


@pytest.fixture
def loop(tmp_path: Path) -> Loop:
    loop = Loop(tmp_path)
    loop.add_other()
    loop.add(THIRD)
    for number in (1, 2):
        loop.register_both(number)
    return loop


def world(loop: Loop, registry: Registry | None = None, method: str = "") -> Runtime:
    forge = OddForge(git.Store(loop.repository), lambda: 2_000, AUTHOR)
    forge.method = method
    return Runtime(git.Direct(loop.repository), registry or loop.registry, forge, lambda: 2_000)


def assert_others_go_on(outcomes: Sequence[Outcome], cause: str = "unforeseen error") -> None:
    last = {outcome.release: outcome for outcome in outcomes}
    assert {name: last[name].what for name in (KEY, OTHER, THIRD)} == {
        KEY: "proposed",
        OTHER: "failed",
        THIRD: "proposed",
    }
    odd = last[OTHER]
    assert (odd.refused, odd.cause) == (True, cause)
    assert SECRET not in str(outcomes)


@pytest.mark.parametrize("method", ["versions", "fresh", "evaluation", "url"])
def test_a_model_of_which_the_registry_tells_nonsense(loop: Loop, method: str) -> None:
    here = world(loop, OddRegistry(loop.registry, method))
    assert_others_go_on(list(cycle(here)))
    assert {o.what for o in cycle(world(loop)) if o.release == OTHER} == {"proposed"}


@pytest.mark.parametrize("method", ["ensure", "of_branch"])
def test_a_call_of_the_forge(loop: Loop, method: str) -> None:
    assert_others_go_on(list(cycle(world(loop, method=method))))
    assert {o.what for o in cycle(world(loop)) if o.release == OTHER} == {"proposed"}


PLACES = [
    "sluice.reconciler.promotions.registry_view.want_of",
    "sluice.core.promotion.decide.propose",
    "sluice.reconciler.promotions.snapshot.read_circumstances",
    "sluice.reconciler.presentation.stamped",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_decision(loop: Loop, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    fail_for(monkeypatch, place, OTHER)
    assert_others_go_on(list(cycle(world(loop))))


@pytest.mark.parametrize("place", PLACES)
def test_findings_in_a_decision(loop: Loop, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    found = Finding(Place("environments/x.yaml", 3), "REF001", "there is no such thing")
    fail_for(monkeypatch, place, OTHER, FindingsError([found] * 5))
    outcomes = list(cycle(world(loop)))
    assert_others_go_on(outcomes, "broken specs")
    assert "environments/x.yaml:3:1: there is no such thing" in str(outcomes)


def test_a_base_that_breaks_meanwhile_ends_the_cycle(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, PLACES[1], OTHER, BrokenBaseError([]))
    with pytest.raises(BrokenBaseError):
        list(cycle(world(loop)))


def test_a_version_that_cannot_be_rendered_is_not_refused(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(cycle(world(loop)))
    before = loop.refs()
    whole, version = Renderer.release, "3"

    def odd(self: Renderer, release: Release) -> list[Manifest]:
        if str(release.key) == OTHER and release.spec.model.version == version:
            raise RecursionError(SECRET)
        return whole(self, release)

    monkeypatch.setattr(Renderer, "release", odd)
    loop.register_both(3)
    last = {o.release: o.what for o in cycle(world(loop))}
    assert (last[KEY], last[OTHER], last[THIRD]) == ("updated", "failed", "updated")
    own = f"refs/heads/sluice/{OTHER}"
    assert loop.refs()[own] == before[own]
    assert len(list(loop.forge.list("open"))) == 3


def fail_for(
    monkeypatch: pytest.MonkeyPatch, place: str, name: str, error: Exception | None = None
) -> None:
    """Let a function fail whenever one of its arguments is about a release."""
    module, _, function = place.rpartition(".")
    whole = getattr(__import__(module, fromlist=[function]), function)

    def odd(*given: object, **more: object) -> object:
        if any(is_about(each, name) for each in (*given, *more.values())):
            raise error or AssertionError(SECRET)
        return whole(*given, **more)

    monkeypatch.setattr(place, odd)


def is_about(value: object, name: str) -> bool:
    release = getattr(value, "release", value)
    team = "/".join(name.split("/")[1:])
    return str(getattr(release, "key", "")) == name or (isinstance(value, str) and team in value)


def test_a_shared_pull_request_goes_on_and_is_not_closed_for_one_that_cannot_be_judged(
    loop: Loop,
) -> None:
    loop.group("environment")
    list(cycle(world(loop)))
    (pull,) = loop.forge.list("open")
    loop.register_both(3)
    for method in ("versions", "evaluation"):
        last = {o.release: o.what for o in cycle(world(loop, OddRegistry(loop.registry, method)))}
        assert last[OTHER] == "failed"
        assert {last[KEY], last[THIRD]} <= {"updated", "unchanged"}
        assert [each.number for each in loop.forge.list("open")] == [pull.number]


class AllOdd(OddRegistry):
    """One that fails for every model, as nobody foresaw."""

    def _perhaps(self, method: str, *names: str) -> None:
        del names
        if method == self._method:
            raise RecursionError(SECRET)


def test_a_registry_that_is_odd_for_all_closes_nothing(loop: Loop) -> None:
    list(cycle(world(loop)))
    before = loop.refs()
    made = Daemon(world(loop, AllOdd(loop.registry, "versions")), Diary(), 3600, threading.Event())
    made.once()
    assert made.trouble == "unforeseen error"
    assert loop.refs() == before


def test_the_daemon_counts_each_time_and_tells_the_trace_once(
    loop: Loop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.core.unforeseen._told", set())
    odd = world(loop, OddRegistry(loop.registry, "evaluation"))
    made = Daemon(odd, Diary(), 3600, threading.Event())
    cycles = iter((1, 2))

    def rest(_wait: float) -> None:
        made.patience.forgive()
        if next(cycles) == 2:
            made.asked_to_stop()

    monkeypatch.setattr(made, "rest", rest)
    assert made.run(None, {}) == 0
    said = capsys.readouterr()
    assert said.err.count("an error that Sluice did not foresee") == 1
    assert "test_one_of_three.py" in said.err
    assert SECRET not in said.err + said.out
    counted = made.telemetry.registry.get_sample_value
    place = {"place": "a promotion"}
    assert (counted("sluice_unforeseen_errors_total", place) or 0) >= 2
    assert made.trouble == ""


def test_one_cycle_tells_it_by_its_exit_code(
    loop: Loop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_for(monkeypatch, "sluice.reconciler.presentation.owners", OTHER)
    monkeypatch.setattr("sluice.core.unforeseen._told", set())
    assert reconcile._cycle(world(loop), "text") == 0  # the embedded forge asks nobody
    fail_for(monkeypatch, "sluice.core.promotion.upkeep._why_not", OTHER)
    assert reconcile._cycle(world(loop), "text") == 1  # as above
    said = capsys.readouterr()
    assert "a pull request: AssertionError at " in said.out
    assert "test_one_of_three.py" in said.err


def test_what_a_watch_saw_and_could_not_read_is_not_forgotten() -> None:
    made = ModelVersion("m", "1", "s3://m/1", 1, 1)
    state = {"m": (100_000, "one")}
    failing: list[bool] = []

    class Source(OddRegistry):
        def __init__(self) -> None:
            pass

        def versions(
            self, names: Collection[str], aliased: Collection[str] | None = None
        ) -> Mapping[str, Sequence[ModelVersion]]:
            del aliased
            if failing:
                raise RecursionError
            return {name: [made] for name in names}

        def changes(self, since: int) -> Mapping[str, tuple[int, object]]:
            del since
            return state

        def aliases(self, names: Collection[str]) -> Mapping[str, Mapping[str, str]]:
            del names
            return {"m": {}}

    watch = Watch(Source(), lambda: 0.0)
    watch.versions({"m"})
    made = ModelVersion("m", "2", "s3://m/2", 2, 2)
    state["m"] = (200_000, "two")
    failing.append(True)
    with pytest.raises(RecursionError):
        watch.versions({"m"})
    failing.clear()
    assert [v.version for v in watch.versions({"m"})["m"]] == ["2"]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Three releases that roll out."""
    stage = Stage(tmp_path)
    stage.begin()
    release, rollout = stage.loop.file(SPEC), stage.loop.file(ROLLOUT)
    changes: dict[str, bytes | None] = {}
    for key in (OTHER, THIRD):
        _, team, name = key.split("/")
        own = release.replace("name: chat", f"name: {name}", 1).replace("max: 4", "max: 1")
        own = own.replace("path: /v1", f"path: /{name}").replace("team: platform", f"team: {team}")
        changes[f"environments/{key}/release.yaml"] = own.encode()
        moved = rollout.replace("name: chat", f"name: {name}", 1).replace("max: 4", "max: 1")
        moved = moved.replace("path: /v1", f"path: /{name}")
        changes[f"environments/{key}/rollout.yaml"] = moved.encode()
    commit_now(stage, changes)
    rendered = read_workspace(stage.loop.repository, MAIN).render()
    commit_now(stage, {path: manifest.content() for path, manifest in rendered.items()})
    stage.now += 600
    return stage


def commit_now(stage: Stage, changes: Mapping[str, bytes | None]) -> None:
    """Commit at the time of the stage: what is counted begins with the commit."""
    repository = stage.loop.repository
    head = git.resolve(repository, MAIN)
    tree = git.write_tree(repository, head, changes)
    commit = git.commit(repository, tree, [head], "two more", PERSON, time=stage.now)
    git.update_ref(repository, MAIN, commit, head)


def ticked(stage: Stage, observers: Observers | None = None) -> dict[str, Outcome]:
    return {o.release: o for o in tick.move_each(stage.scene, observers or stage.observers)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "place",
    [
        "sluice.reconciler.rollouts.tick.read_case",
        "sluice.reconciler.rollouts.tick.read_sync",
        "sluice.reconciler.rollouts.tick.observe",
        "sluice.reconciler.rollouts.tick.observe_following",
        "sluice.reconciler.rollouts.tick.apply",
        "sluice.reconciler.rollouts.counting.subject_of",
    ],
)
def test_a_rollout_of_three(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    expected = ticked(stage.copy(tmp_path / "undisturbed"))
    fail_for(monkeypatch, place, OTHER)
    told = ticked(stage)
    for name in (KEY, THIRD):
        now, then = told[name], expected[name]
        assert (now.what, now.reasons) == (then.what, then.reasons)
    assert stage.at(f"environments/{THIRD}/rollout.yaml", MAIN)
    assert any("paused" in subject for subject in stage.subjects())  # the third one was moved
    odd = [outcome for name, outcome in told.items() if name in (OTHER, "rollouts")]
    assert "AssertionError" in str(odd)
    assert SECRET not in str(told)


def raising(*_given: object, **_more: object) -> None:
    raise RecursionError(SECRET)


def spoil(loop: Loop, part: str) -> None:
    """Write one line of a release as it should not be."""
    path, key = f"environments/{OTHER}/release.yaml", part.partition(":")[0]
    loop.commit({path: re.sub(rf"(?m)^    {key}:.*", f"    {part}", loop.file(path)).encode()})
    assert part in loop.file(path)


@pytest.mark.parametrize("part", ["name: [1]", "source: {}", "architecture: 5", "version: {a: 1}"])
def test_one_faulty_release_of_three_is_told_and_the_others_are_shown(
    loop: Loop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    part: str,
) -> None:
    spoil(loop, part)
    top = tmp_path / "work"
    run_git(tmp_path, "clone", "--quiet", str(loop.bare), str(top))
    monkeypatch.chdir(top)
    for verb in ("status", "board", "plan"):
        assert main([verb]) == 1
        said = capsys.readouterr()
        assert OTHER.split("/")[-1] in said.out + said.err
        if verb != "plan":  # which compares what is whole
            assert all(key.split("/")[-1] in said.out for key in (KEY, THIRD))


def test_one_is_taken_back_and_quarantined_while_another_one_is_faulty(
    loop: Loop, capsys: pytest.CaptureFixture[str]
) -> None:
    loop.cycle()
    for pull in loop.pulls():
        loop.merge(pull.number)
    spoil(loop, "source: {}")
    assert main(["rollback", KEY, "--repository", str(loop.bare)]) == 0
    assert "version 1 returns" in capsys.readouterr().out
    release = loop.file(f"environments/{KEY}/release.yaml")
    assert 'version: "1"' in release
    assert "quarantine" in release


@pytest.mark.slow
@pytest.mark.parametrize("part", ["Prometheus", "Argo CD", "forge", "combined", "left over"])
def test_a_remote_that_is_odd_is_one_that_does_not_answer(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def asked() -> Iterator[tuple[object, str, Callable[..., None]]]:
        yield stage.metrics, "ask", raising
        yield stage.cluster, "applications", raising
        yield LocalForge, "list", raising
        yield counting, "combined", raising
        yield tick, "_swept", raising

    names = ["Prometheus", "Argo CD", "forge", "combined", "left over"]
    monkeypatch.setattr(*list(asked())[names.index(part)])
    told = ticked(stage)
    assert {KEY, OTHER, THIRD} <= told.keys()
    assert "RecursionError" in str(told["rollouts"])
    assert SECRET not in str(told)
