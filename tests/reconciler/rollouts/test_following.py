"""The reconciler notices when the cluster does not follow, says so, and asks Argo CD to look."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from sluice import cli, git
from sluice.cluster.connection import ForbiddenError
from sluice.core.cluster import Application, Operation
from sluice.core.finding import UsageError
from sluice.core.model import RouteKind
from sluice.core.observation.following import Following, Hindrance
from sluice.core.promotion.message import marker, read_marker, stamped
from sluice.core.promotion.outcome import Outcome
from sluice.core.specs.rollout_plan import FULL
from sluice.core.workload.alerts import following as alerts
from sluice.reconciler.daemon.telemetry import Telemetry
from sluice.reconciler.promotions.cycle import cycle
from sluice.reconciler.rollouts.observers import Observers
from sluice.reconciler.rollouts.tick import move_each
from sluice.reconciler.runtime import Runtime
from sluice.workspace.identity import AUTHOR as ROBOT
from support import trees
from support.git_fixtures import MAIN, run_git
from support.loop import KEY
from support.stage import Stage

ROUTES = "argocd/production.chat.routes"
BOTH = [ROUTES, "argocd/production.chat"]
NAME = "production/chat"


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name in ("SLUICE_ARGOCD", "SLUICE_ROUTES", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    ready = Stage(tmp_path)
    ready.begin()
    run_git(ready.loop.bare, "config", "user.name", "Grace")
    run_git(ready.loop.bare, "config", "user.email", "grace@example.com")
    return ready


@dataclass
class Live:
    """Routes in a cluster that give the candidate some weight."""

    weight: int
    error: UsageError | None = None
    third: int = 0

    def routes(self, kind: RouteKind, namespace: str) -> Mapping[str, Mapping[str, Any]]:
        assert (kind.kind, namespace) == ("HTTPRoute", "ai-inference")
        if self.error:
            raise self.error
        shares = {"chat-v1": FULL - self.weight - self.third, "chat-v2": self.weight}
        shares |= {"chat-v0": self.third} if self.third else {}
        backends = [{"name": name, "weight": weight} for name, weight in shares.items()]
        metadata = {"name": "chat", "namespace": namespace}
        spec = {"rules": [{"backendRefs": backends}]}
        return {"chat": {"kind": "HTTPRoute", "metadata": metadata, "spec": spec}}


class Busy:
    """An Argo CD of which something is otherwise than on the stage."""

    def __init__(self, stage: Stage, **routes: Any) -> None:  # noqa: ANN401  # fields
        self._stage, self._routes = stage, routes
        self.ended: list[tuple[str, str]] = []
        self.refusal = ""

    def applications(self, namespace: str) -> Mapping[str, Application]:
        found = dict(self._stage.cluster.applications(namespace))
        name = "production.chat.routes"
        return {**found, name: replace(found[name], **self._routes)}

    def refresh(self, namespace: str, name: str) -> None:
        self._stage.cluster.refresh(namespace, name)

    def end(self, namespace: str, name: str, revision: str) -> None:
        if self.refusal:
            raise UsageError(self.refusal)
        self.ended.append((f"{namespace}/{name}", revision))


def look(stage: Stage, observers: Observers) -> Outcome:
    """What one tick says of the rollout."""
    return next(o for o in move_each(stage.scene, observers) if o.release == KEY)


def sluice(stage: Stage, *arguments: str) -> int:
    return cli.main([*arguments, "--repository", str(stage.loop.bare)])


def test_a_write_is_followed_by_the_request_to_look_at_it(stage: Stage) -> None:
    stage.run(30, until="STEP")
    assert stage.cluster.refreshed[-2:] == BOTH
    stage.cluster.refreshed.clear()
    stage.run(2)
    assert stage.cluster.refreshed == []
    stage.metrics.errors["2"] = 0.2
    stage.run(30, until="ROLLING_BACK")
    assert stage.cluster.refreshed == BOTH
    assert "Argo CD was asked to look at once" in stage.log[-1]


def test_what_argo_cd_has_not_seen_is_asked_for_again(stage: Stage) -> None:
    """A request may get lost while Argo CD is busy with an operation."""
    stage.run(30, until="STEP")
    stage.cluster.lag = 600
    stage.cluster.refreshed.clear()
    stage.run(3)
    assert stage.cluster.refreshed == BOTH * 3
    assert "it sees a commit within 3m, or 6m at the latest" in stage.log[-1]


def test_a_right_that_is_missing_is_a_word_and_no_error(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(2)
    stage.cluster.refusal = "cannot ask for a refresh: the cluster answers 403 Forbidden"
    stage.metrics.errors["2"] = 0.2
    stage.run(30, until="ROLLING_BACK")
    assert stage.state() == ("ROLLING_BACK", 0)
    assert "was not asked to look at once (cannot ask for a refresh: the cluster" in stage.log[-1]
    stage.run(20, until="STABLE")
    assert stage.version() == "1"


def test_a_dry_run_asks_for_nothing(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.cluster.refreshed.clear()
    stage.cluster.lag = 10**6
    list(move_each(replace(stage.scene, dry_run=True), stage.observers))
    assert stage.cluster.refreshed == []


@pytest.mark.parametrize("verb", ["rollback", "abort"])
def test_a_person_who_goes_back_is_told_how_long_it_may_take(
    stage: Stage, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.run(30, until="STEP")
    words = ["rollback"] if verb == "rollback" else ["rollout", "abort"]
    assert sluice(stage, *words, NAME) == 0
    told = capsys.readouterr().out
    assert "look at once (set SLUICE_ARGOCD, to kubernetes:CONTEXT for instance)" in told
    assert "it sees a commit within 3m, or 6m at the latest" in told


@pytest.mark.parametrize("address", ["nonsense", "file:/nonexistent/apps.json"])
def test_a_rollback_is_no_error_because_of_a_setting(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    address: str,
) -> None:
    stage.run(30, until="STEP")
    monkeypatch.setenv("SLUICE_ARGOCD", address)
    assert sluice(stage, "rollback", NAME) == 0
    assert "Argo CD was not asked to look at once" in capsys.readouterr().out
    assert stage.state() == ("ROLLING_BACK", 0)


def test_the_live_route_is_compared_with_git(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(1)
    good = look(stage, Observers(stage.cluster, stage.metrics.ask, routes={"": Live(10)}))
    assert good.following == Following(10, 10, "route", good.following.since)  # type: ignore[union-attr]
    bad = look(stage, Observers(stage.cluster, stage.metrics.ask, routes={"": Live(50)}))
    assert "Git says 10 %, the cluster gives 50 %" in bad.reasons
    assert "waits" in bad.reasons[0]


def test_requests_that_go_to_neither_version_are_told_and_let_nothing_go_on(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(1)
    astray = Observers(stage.cluster, stage.metrics.ask, routes={"": Live(10, third=40)})
    seen = look(stage, astray)
    assert seen.following is not None
    assert [each.kind for each in seen.following.hindrances] == ["astray"]
    said = "the route chat gives requests to chat-v0, which is neither version"
    assert said in seen.reasons
    assert seen.reasons[0] == f"waits: {said}"


def test_a_rollback_that_the_route_does_not_follow_goes_no_further(stage: Stage) -> None:
    stage.run(30, until="STEP")
    assert sluice(stage, "rollback", NAME) == 0
    stage.cluster.lag = -(10**8)  # the person's clock is the real one
    stage.cluster.follow(stage.now)
    eyes = Observers(stage.cluster, stage.metrics.ask, routes={"production": Live(10)})
    assert "Git says 0 %, the cluster gives 10 %" in look(stage, eyes).reasons
    assert stage.state() == ("ROLLING_BACK", 0)
    look(stage, Observers(stage.cluster, stage.metrics.ask, routes={"production": Live(0)}))
    assert stage.state() == ("ROLLED_BACK", 0)


def test_where_routes_are_not_read_the_applied_commit_tells_the_weight(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(1)
    before = stage.cluster.revision
    assert sluice(stage, "rollback", NAME) == 0
    waiting = Operation("Running", "waiting for healthy state of apps/Deployment/chat-v2", before)
    stuck = Busy(stage, revision=git.resolve(stage.loop.repository, MAIN), synced=False,
                 operation=waiting)  # fmt: skip
    seen = look(stage, Observers(stuck, stage.metrics.ask))
    assert seen.following is not None
    assert (seen.following.committed, seen.following.live) == (0, 10)
    assert seen.following.source == "application"
    assert [each.kind for each in seen.following.hindrances][:1] == ["hangs"]
    assert "Git says 0 %, the cluster gives 10 %" in seen.reasons
    assert any("waiting for healthy state" in reason for reason in seen.reasons)
    assert stage.state() == ("ROLLING_BACK", 0)


def test_a_changed_route_is_told_while_other_releases_are_committed(stage: Stage) -> None:
    """Argo CD compares with the newest commit, and applies none that changes nothing here."""
    stage.run(30, until="STEP")
    stage.run(2)
    applied = Operation("Succeeded", "successfully synced", stage.cluster.revision, stage.now - 60)
    other = stage.loop.commit({"environments/other.txt": b"of somebody else"})
    changed = Busy(stage, revision=other, synced=False, heals=False, operation=applied,
                   differing=("HTTPRoute/chat",))  # fmt: skip
    said = "HTTPRoute/chat was changed in the cluster, and self-heal is off"
    assert said in look(stage, Observers(changed, stage.metrics.ask)).reasons
    route = next(path for path in git.list_tree(stage.loop.repository, MAIN) if "/routes/" in path)
    newer = stage.loop.commit({route: b"kind: HTTPRoute"})
    waiting = Busy(stage, revision=newer, synced=False, heals=False, operation=applied)
    reasons = look(stage, Observers(waiting, stage.metrics.ask)).reasons
    assert any("is a sync window of project" in reason for reason in reasons)


def stuck_for(stage: Stage, seconds: int) -> Busy:
    """An Argo CD that is busy with the commit before a rollback."""
    before = stage.cluster.revision
    assert sluice(stage, "rollback", NAME) == 0
    operation = Operation("Running", "waiting for healthy state", before, stage.now - seconds)
    head = git.resolve(stage.loop.repository, MAIN)
    return Busy(stage, revision=head, synced=False, operation=operation)


@pytest.mark.parametrize(("ends", "seconds"), [(True, 300), (True, 60), (False, 300)])
def test_a_sync_that_hangs_is_ended_only_where_that_is_switched_on(
    stage: Stage, *, ends: bool, seconds: int
) -> None:
    stage.run(30, until="STEP")
    stage.run(1)
    before = stage.cluster.revision
    busy = stuck_for(stage, seconds)
    dry = replace(stage.scene, dry_run=True)
    list(move_each(dry, Observers(busy, stage.metrics.ask, ends=ends)))
    assert busy.ended == []
    seen = look(stage, Observers(busy, stage.metrics.ask, ends=ends))
    expected = [(ROUTES, before)] if ends and seconds > 120 else []
    assert busy.ended == expected
    told = f"ended the sync of production.chat.routes that hung at revision {before[:10]}"
    assert (told in seen.reasons) is bool(expected)
    busy.refusal = "the cluster answers 403 Forbidden"
    seen = look(stage, Observers(busy, stage.metrics.ask, ends=ends))
    refused = f"a sync that hangs could not be ended: {busy.refusal}"
    assert (refused in seen.reasons) is bool(expected)


def test_a_right_to_read_routes_that_is_missing_leaves_the_other_way(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.run(1)
    blind = Live(99, ForbiddenError("cannot list httproutes in ai-inference: 403"))
    eyes = Observers(stage.cluster, stage.metrics.ask, routes={"": blind})
    outcomes = list(move_each(stage.scene, eyes))
    (seen,) = [o.following for o in outcomes if o.following]
    assert (seen.live, seen.source) == (10, "application")
    assert [o.what for o in outcomes if o.what == "not observed"] == []
    assert eyes.gaps == ["the routes of production are not read: " + str(blind.error)]


def test_an_argo_cd_that_does_not_answer_is_no_good_news(stage: Stage) -> None:
    stage.run(30, until="STEP")
    stage.cluster.down = True
    seen = look(stage, stage.observers)
    assert seen.following is not None
    assert seen.following.live is None
    assert seen.following.hindrances == (
        Hindrance("unknown", "Argo CD is not seen: the cluster does not answer"),
    )


def test_status_and_its_text_tell_what_the_cluster_gives(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stage.run(30, until="STEP")
    head = git.resolve(stage.loop.repository, MAIN)
    items = [_item("production.chat", head), _item("production.chat.routes", head)]
    (tmp_path / "apps.json").write_text(json.dumps({"items": items}))
    live = list(Live(50).routes(trees.route_kind("gateway"), "ai-inference").values())
    (tmp_path / "routes.json").write_text(json.dumps({"items": live}))
    monkeypatch.setenv("SLUICE_ARGOCD", f"file:{tmp_path / 'apps.json'}")
    monkeypatch.setenv("SLUICE_ROUTES", f"production=file:{tmp_path / 'routes.json'}")
    assert sluice(stage, "rollout", "status") == 0
    told = capsys.readouterr().out
    assert "  the cluster gives it 50 %\n" in told
    assert "note: Git says 10 %, the cluster gives 50 %" in told
    assert sluice(stage, "rollout", "status", "--format", "json") == 0
    (row,) = json.loads(capsys.readouterr().out)["rollouts"]
    assert (row["following"]["git"], row["following"]["live"]) == (10, 50)
    assert sluice(stage, "status") == 0
    assert "Git says 10 %, the cluster gives 50 %" in capsys.readouterr().out
    monkeypatch.setenv("SLUICE_ROUTES", f"file:{tmp_path / 'none.json'}")
    assert sluice(stage, "status", "--format", "json") == 0
    unread = json.loads(capsys.readouterr().out)
    assert "cannot read" in unread["unknown"]["routes"]
    (row,) = [each for each in unread["releases"] if each["release"] == KEY]
    assert (row["following"]["live"], row["following"]["source"]) == (10, "application")


def _item(name: str, revision: str) -> dict[str, Any]:
    """An application that follows, as Argo CD has it."""
    folder = "/routes" if name.endswith(".routes") else ""
    return {
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "source": {
                "repoURL": "https://git.example.com/platform/models.git",
                "targetRevision": "refs/heads/main",
                "path": f"manifests/production/platform/chat{folder}",
            },
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
        "status": {
            "sync": {"status": "Synced", "revision": revision},
            "health": {"status": "Healthy"},
        },
    }


def test_the_metrics_name_the_release_and_what_is_in_its_way() -> None:
    telemetry = Telemetry()
    stuck = Following(0, 10, "route", 540, (Hindrance("hangs", "a sync hangs"),))
    telemetry.following({KEY: stuck})
    text = generate_latest(telemetry.registry).decode()
    assert f'sluice_rollout_weight_percent{{of="cluster",release="{KEY}"}} 10.0' in text
    assert f'sluice_rollout_weight_percent{{of="git",release="{KEY}"}} 0.0' in text
    differs = f'sluice_rollout_weight_differs_seconds{{cluster="10",git="0",release="{KEY}"}} 540.0'
    assert differs in text
    assert f'sluice_rollout_hindered{{kind="hangs",release="{KEY}"}} 1.0' in text
    telemetry.following({KEY: Following(0, 0, "route", 600)})
    text = generate_latest(telemetry.registry).decode()
    assert "sluice_rollout_weight_differs_seconds{" not in text
    assert "sluice_rollout_hindered{" not in text


def test_the_alerts_ask_for_what_the_metrics_have() -> None:
    """Every metric and label of the rules is one that the daemon has."""
    telemetry = Telemetry()
    telemetry.following({KEY: Following(0, 10, "route", 1, (Hindrance("hangs", ""),))})
    telemetry.asks({KEY: "rescue"})
    text = generate_latest(telemetry.registry).decode()
    differs, hindered, rescue, decide = alerts(KEY, 300)
    assert (
        differs["said"] == "Git says {{ $labels.git }} %, the cluster gives {{ $labels.cluster }} %"
    )
    for rule in (differs, hindered):
        metric, _, rest = rule["expression"].partition(") (")[2].partition("{")
        assert f"{metric}{{" in text
        assert rest.startswith(f'release="{KEY}"}})')
    telemetry.asks({KEY: "decide"})
    text += generate_latest(telemetry.registry).decode()
    for rule in (rescue, decide):
        series = rule["expression"].removeprefix("max(").removesuffix(") > 0")
        assert f"{series} 1.0" in text


def test_a_steps_words_are_mended_by_what_was_merged(stage: Stage) -> None:
    """Somebody may merge between the push of a newer step and its words."""
    stage.run(30, until="STEP")
    forge = stage.forge(ROBOT)
    (pull,) = [each for each in forge.list() if each.branch.endswith(".rollout")]
    assert pull.state == "merged"
    others = stamped(marker("rollout:2:STEP:7:77:abc", ()), "0" * 40)
    forge.reword(pull.number, "another title", others, pull.head)
    world = Runtime(
        git.Direct(stage.loop.repository), stage.loop.registry, forge, lambda: stage.now
    )
    (said,) = [each for each in cycle(world) if each.what == "worded anew"]
    assert said.pull == pull.number
    after = forge.get(pull.number)
    assert after.title == pull.title
    told, before = read_marker(after.body), read_marker(pull.body)
    assert told is not None
    assert before is not None
    assert told[0].rpartition(":")[0] == before[0].rpartition(":")[0]
    assert "worded anew" not in {each.what for each in cycle(world)}
