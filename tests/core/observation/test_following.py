"""What stands between a commit and the cluster, for everything that Argo CD says or leaves out."""

from dataclasses import replace

import pytest

from sluice.core.cluster import Application, Operation, Source
from sluice.core.observation.following import (
    SLOWEST,
    Following,
    Hindrance,
    Wanted,
    following_data,
    hindrances,
    same_source,
    stuck_at,
)

OLD, NEW = "0ld0000000000", "e3w0000000000"
COMMITTED, NOW = 1000, 1100
SOURCE = Source(
    "https://git.example.com/models.git", "refs/heads/main", "manifests/a/b/chat/routes"
)
NAME = "production.chat.routes"
WANTED = Wanted(NAME, SOURCE, lambda revision: revision == NEW, COMMITTED, NOW)
DONE = Operation("Succeeded", "successfully synced (all tasks run)", NEW, 1040, 1041)
BEFORE = replace(DONE, revision=OLD, started=500, finished=501)
FOLLOWS = Application(
    NEW,
    synced=True,
    health="Healthy",
    deployed=((OLD, 501), (NEW, 1041)),
    operation=DONE,
    source=SOURCE,
    project="production",
    looked=1090,
)
BEHIND = replace(FOLLOWS, revision=OLD, operation=BEFORE, deployed=((OLD, 501),))
SEEN = replace(BEHIND, revision=NEW, synced=False, differing=("HTTPRoute/chat",))
DENIED = (
    'Deployment/chat-v8: deployments.apps "chat-v8" is forbidden: ValidatingAdmissionPolicy '
    "'sluice-replicas-within-quota' denied request: 9 replicas, and the quota has 8"
)


def kinds(application: Application | None, wanted: Wanted = WANTED) -> list[str]:
    return [each.kind for each in hindrances(application, wanted)]


def only(application: Application | None, wanted: Wanted = WANTED) -> Hindrance:
    (found,) = hindrances(application, wanted)
    return found


def test_what_follows_has_nothing_in_its_way() -> None:
    assert kinds(FOLLOWS) == []


@pytest.mark.parametrize("health", ["Degraded", "Progressing", "Missing", ""])
def test_health_stands_in_no_weights_way(health: str) -> None:
    assert kinds(replace(FOLLOWS, health=health)) == []


def test_an_application_that_is_not_there() -> None:
    assert only(None) == Hindrance("absent", f"Argo CD has no application {NAME}")


def test_an_application_that_was_never_compared() -> None:
    fresh = Application("", synced=False, health="", source=SOURCE)
    assert only(fresh) == Hindrance("unread", f"Argo CD has not compared {NAME} with Git yet")


def test_an_application_that_is_being_deleted() -> None:
    assert only(replace(FOLLOWS, deleting=True)).kind == "deleted"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (replace(SOURCE, path="manifests/a"), "manifests/a at refs/heads/main of"),
        (replace(SOURCE, revision="v1"), "at v1 of"),
        (replace(SOURCE, repository="https://u:secret@other.example"), "of https://…@other"),
        (Source("", "", ""), "several sources, or none"),
    ],
)
def test_an_application_that_follows_something_else(source: Source, said: str) -> None:
    found = only(replace(FOLLOWS, source=source))
    assert found.kind == "elsewhere"
    assert said in found.said
    assert "secret" not in found.said


def test_spellings_of_one_source_are_alike() -> None:
    other = Source("https://Git.example.com/models/", "main", "/manifests/a/b/chat/routes/")
    assert same_source(other, SOURCE)


def test_a_commit_that_argo_cd_has_not_seen_is_told_with_how_long_that_may_take() -> None:
    found = only(BEHIND)
    assert found == Hindrance(
        "behind",
        f"Argo CD still compares {NAME} with {OLD[:10]}: "
        "it sees a commit within 3m, or 6m at the latest",
    )
    asked = only(replace(BEHIND, refreshing=True))
    assert asked.said.endswith("or 6m at the latest; it was asked to look at once")


def test_a_commit_that_nobody_knows_here() -> None:
    """A clone that is older than what Argo CD has applied must not say that Argo CD is behind."""
    found = only(BEHIND, replace(WANTED, knows=lambda revision: revision != OLD))
    assert found.kind == "elsewhere"
    assert found.said.endswith(f"{OLD[:10]}, a commit that is not known here")


def test_a_commit_that_argo_cd_should_have_seen_long_ago() -> None:
    late = replace(WANTED, now=COMMITTED + SLOWEST + 240)
    found = only(replace(BEHIND, refreshing=True), late)
    assert found.kind == "behind"
    assert f"with {OLD[:10]}, 10m after the commit, and looked 8m30s ago" in found.said
    assert "it was asked to look again and does not" in found.said
    assert only(replace(BEHIND, looked=None), late).said.endswith("10m after the commit")


def test_an_operation_that_hangs_on_an_older_revision() -> None:
    """Argo CD 3.5 in the words that it has for a sync wave (argo-cd#11494, #17314)."""
    waiting = Operation(
        "Running", "waiting for healthy state of apps/Deployment/chat-v8", OLD, NOW - 75
    )
    for application in (BEHIND, SEEN):
        found = only(replace(application, operation=waiting))
        assert found == Hindrance(
            "hangs",
            f"a sync of {NAME} has been busy for 1m15s with revision {OLD[:10]}, "
            "which is older than the weight: "
            "waiting for healthy state of apps/Deployment/chat-v8",
        )
    assert kinds(replace(BEHIND, operation=replace(waiting, phase="Terminating"))) == ["hangs"]


def test_an_operation_at_the_right_revision_is_on_its_way() -> None:
    assert kinds(replace(SEEN, operation=Operation("Running", "", NEW, NOW))) == []
    assert kinds(replace(SEEN, operation=Operation("Running", "", "", NOW))) == []
    slow = Operation("Running", "one or more tasks are running", NEW, NOW - 600)
    assert only(replace(SEEN, operation=slow)) == Hindrance(
        "hangs", f"a sync of {NAME} has been under way for 10m: one or more tasks are running"
    )
    assert "for an unknown time" in only(replace(SEEN, operation=replace(slow, started=None))).said


@pytest.mark.parametrize(("revision", "older"), [(OLD, True), (NEW, False)])
def test_a_sync_that_fails_and_begins_again(revision: str, *, older: bool) -> None:
    """A running operation with a time of its end waits for its next attempt (argo-cd#17155)."""
    failing = Operation(
        "Running",
        "one or more objects failed to apply. Retrying attempt #2 at 8:15PM.",
        revision,
        NOW - 75,
        NOW - 5,
        failures=(DENIED,),
    )
    found = only(replace(SEEN, operation=failing))
    assert found.kind == "fails"
    assert found.said.endswith(f": {DENIED}")
    assert ("older than the weight" in found.said) is older


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_sync_that_the_cluster_refused_has_the_words_of_the_policy(phase: str) -> None:
    failed = Operation(phase, "one or more objects failed to apply", NEW, 1040, failures=(DENIED,))
    told = (("SyncError", f"Failed last sync attempt to [{NEW}]: one or more objects failed"),)
    found = only(replace(SEEN, operation=failed, conditions=told))
    assert found == Hindrance(
        "refused", f"{NAME} could not be applied at revision {NEW[:10]}: {DENIED}"
    )
    without = only(replace(SEEN, operation=replace(failed, failures=(), revision="")))
    assert without.said.endswith(
        "at revision an unknown revision: one or more objects failed to apply"
    )


def test_a_failure_of_an_older_revision_is_over_once_argo_cd_looks() -> None:
    failed = Operation("Failed", "denied", OLD, 500, 501)
    assert kinds(replace(BEHIND, synced=False, operation=failed)) == ["behind"]


def test_a_sync_that_argo_cd_will_not_begin() -> None:
    said = "Skipping sync attempt to [e3w]: auto-sync will wipe out all resources"
    found = list(hindrances(replace(SEEN, conditions=(("SyncError", said),)), WANTED))
    assert found[0] == Hindrance("refused", f"Argo CD does not sync {NAME}: {said}")


@pytest.mark.parametrize("kind", ["ComparisonError", "InvalidSpecError", "UnknownError"])
def test_an_application_that_cannot_be_compared(kind: str) -> None:
    said = "rpc error: code = Unknown desc = failed to list refs:\nhttps://me:pw@git: no route"
    broken = replace(BEHIND, synced=False, conditions=((kind, said),))
    found = next(iter(hindrances(broken, WANTED)))
    assert found.kind == "broken"
    assert found.said.startswith(f"Argo CD cannot compare {NAME} with Git: rpc error")
    assert "\n" not in found.said
    assert "pw" not in found.said


def test_warnings_stand_in_nobodys_way() -> None:
    assert kinds(replace(FOLLOWS, conditions=(("OrphanedResourceWarning", "2 orphaned"),))) == []


def test_a_sync_that_waits_for_its_window() -> None:
    blocked = Operation("Running", "Sync operation blocked by sync window", NEW, NOW - 5)
    assert only(replace(SEEN, operation=blocked)) == Hindrance(
        "window", f"a sync of {NAME} waits until a sync window opens"
    )


def test_a_closed_window_shows_by_nothing_but_that_nothing_happens() -> None:
    """Argo CD tells nobody that it did not begin a sync."""
    found = only(SEEN)
    assert found.kind == "window"
    assert found.said.endswith("is a sync window of project production closed?")


def test_an_application_that_is_paused() -> None:
    found = only(replace(SEEN, automated=False, heals=False))
    assert found == Hindrance("paused", f"automated sync of {NAME} is off: somebody must sync it")
    assert kinds(replace(FOLLOWS, automated=False, heals=False)) == []


def test_an_application_that_somebody_synced_to_another_revision() -> None:
    by_hand = replace(BEFORE, automated=False, started=COMMITTED + 30)
    found = only(replace(SEEN, operation=by_hand, automated=False))
    assert found == Hindrance("by hand", f"somebody synced {NAME} to revision {OLD[:10]} by hand")


@pytest.mark.parametrize(("heals", "said"), [(True, "sets it right"), (False, "self-heal is off")])
def test_a_route_that_was_changed_in_the_cluster(*, heals: bool, said: str) -> None:
    changed = replace(SEEN, operation=DONE, heals=heals)
    found = only(changed)
    assert found.kind == "changed"
    assert found.said.startswith("HTTPRoute/chat was changed in the cluster")
    assert said in found.said


LATER = "1a7e400000000"
"""A commit for another release, which main has since."""
AMONG = replace(
    WANTED,
    contains=lambda revision: revision in (NEW, LATER),
    content={
        OLD: frozenset({("route.yaml", "a")}),
        NEW: frozenset({("route.yaml", "b")}),
        LATER: frozenset({("route.yaml", "b")}),
    }.get,
    wanted=frozenset({("route.yaml", "b")}),
)
UNCHANGED = replace(AMONG, wanted=frozenset({("route.yaml", "a")}))
"""Of a commit that changes the state and nothing of what is applied."""


@pytest.mark.parametrize("heals", [True, False])
def test_a_change_in_the_cluster_is_told_while_main_moves_for_others(*, heals: bool) -> None:
    """Argo CD compares with the newest commit, and does not apply one that changes nothing here."""
    changed = replace(SEEN, revision=LATER, operation=DONE, heals=heals)
    assert kinds(changed, AMONG) == ["changed"]
    assert kinds(changed) != ["changed"]  # where nobody knows what the commits changed
    later = {LATER: frozenset({("route.yaml", "c")})}.get
    assert kinds(changed, replace(AMONG, content=later)) == ["window"]


def test_what_was_refused_is_told_while_main_moves_for_others() -> None:
    """Argo CD does not try a second time what it failed to apply, whatever else is committed."""
    failed = Operation("Failed", "denied", OLD, 500, 501, failures=(DENIED,))
    refused = replace(SEEN, operation=failed)
    assert kinds(refused, UNCHANGED) == ["refused"]
    assert kinds(refused, AMONG) == ["window"]  # what changed would be tried


def test_a_sync_of_the_same_content_is_not_older_than_the_weight() -> None:
    running = Operation("Running", "waiting for healthy state", OLD, NOW - 600)
    busy = replace(SEEN, operation=running)
    assert "older than the weight" in only(busy, AMONG).said
    assert stuck_at(busy, AMONG) == OLD
    assert "older" not in only(busy, UNCHANGED).said
    assert stuck_at(busy, UNCHANGED) == ""
    failing = replace(running, finished=NOW - 5)
    assert "older" not in only(replace(SEEN, operation=failing), UNCHANGED).said


def test_who_synced_by_hand_before_the_commit_is_not_to_blame() -> None:
    """Where somebody always syncs by hand, the last time was right until there was a new commit."""
    before = replace(BEFORE, automated=False)
    assert kinds(replace(BEHIND, operation=before)) == ["behind"]
    assert kinds(replace(SEEN, operation=before)) == ["window"]
    assert kinds(replace(SEEN, operation=before, automated=False)) == ["paused"]


def test_a_long_message_is_cut() -> None:
    failed = Operation("Failed", f"denied: {'x' * 9000} no such overload", NEW)
    said = only(replace(SEEN, operation=failed)).said
    assert len(said) < 500
    assert ": denied: xxx" in said
    assert said.endswith("no such overload")


def test_what_git_says_against_what_the_cluster_gives() -> None:
    seen = Following(0, 10, "route", 540, (Hindrance("hangs", "a sync hangs"),))
    assert seen.differs
    assert seen.words() == ("Git says 0 %, the cluster gives 10 % for 9m", "a sync hangs")
    assert following_data(seen) == {
        "git": 0,
        "live": 10,
        "source": "route",
        "seconds": 540,
        "slowest": 360,
        "hindrances": [{"kind": "hangs", "said": "a sync hangs"}],
    }


@pytest.mark.parametrize("live", [None, 10])
def test_what_is_alike_or_not_known_does_not_differ(live: int | None) -> None:
    seen = Following(10, live, "", 540)
    assert not seen.differs
    assert seen.words() == ()
