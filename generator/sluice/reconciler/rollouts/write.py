"""The one write of a rollout: a commit on the base branch, or a pull request that proposes it."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from sluice import git
from sluice.core import layout, pipeline
from sluice.core.analysis.counts import Counts
from sluice.core.analysis.judgement_file import written
from sluice.core.finding import UsageError, failed
from sluice.core.forge import PullRequest
from sluice.core.observation.state_history import History
from sluice.core.promotion import rollout_message
from sluice.core.promotion.branches import BASE, branch_for, ref_of
from sluice.core.promotion.message import is_about, read_marker, withdrawn
from sluice.core.promotion.notice import Notice, objections, of_release
from sluice.core.promotion.outcome import Outcome
from sluice.core.promotion.rollout_change import Changes, after, rendered, spec_changes
from sluice.core.rollout import file as rollout_file
from sluice.core.rollout.model import Rollout, Write
from sluice.core.specs.resolve import Release
from sluice.forges.answers import HeadMovedError
from sluice.reconciler.ownership import is_persons, is_reconcilers, left_alone
from sluice.reconciler.presentation import ask_for_review, show, show_signals
from sluice.reconciler.rollouts.scene import Base, Scene
from sluice.workspace.identity import MAIN

_BACK = ("lower", "restore")


@dataclass(frozen=True)
class Case:
    """A rollout at a commit: the release, where it stands, its history and what was counted."""

    base: Base
    release: Release
    rollout: Rollout
    history: History
    stable: Mapping[str, Any]
    counts: Counts | None = None

    @property
    def branch(self) -> str:
        """The branch of its living pull request; no release has a dot in its name."""
        return branch_for(self.release.key)


@dataclass(frozen=True)
class _Commit:
    """What is to be committed, and the words."""

    changes: Changes
    message: str
    evidence: str


def apply(scene: Scene, case: Case, write: Write, pulls: Sequence[PullRequest]) -> Outcome:
    """Bring Git to a write, looking before each effect.

    Raises:
        RefMovedError: when somebody was first; look again.
    """
    if scene.dry_run:
        return _preview(scene, case, write, pulls)
    if _is_pushed(scene, case, write):
        return push(scene, case, write, pulls)
    return propose(scene, case, write, pulls)


def _is_pushed(scene: Scene, case: Case, write: Write) -> bool:
    """Whether a write goes straight to main; a person's word is enough where no review is asked."""
    return write.lane == "push" or (bool(scene.actor) and _is_automatic(case.release))


def _preview(scene: Scene, case: Case, write: Write, pulls: Sequence[PullRequest]) -> Outcome:
    """What a write would come to."""
    said = rollout_message.title(case.release.key, case.rollout, write)
    if _is_pushed(scene, case, write):
        made = _prepare(scene, case, write)
        return _outcome(case, f"would push: {said}", write.reason, *sorted(made.changes))
    open_ = next((pull for pull in pulls if pull.state == "open"), None)
    _prepare(scene, case, write, check=True)
    return _outcome(case, f"would propose: {said}", write.reason, pull=open_)


def push(scene: Scene, case: Case, write: Write, pulls: Sequence[PullRequest]) -> Outcome:
    """Commit straight to the base branch, and close what was proposed before."""
    made = _prepare(scene, case, write)
    said = rollout_message.title(case.release.key, case.rollout, write)
    commit = _make_commit(scene, case, made)
    try:
        scene.pen.move(MAIN, commit, case.base.commit)
    except git.PushRefusedError as error:
        return _propose_instead(scene, case, write, pulls, str(error))
    withdraw(scene, case, pulls, "the rollout went another way", ours=False)
    return _outcome(case, said, write.reason)


def _propose_instead(
    scene: Scene, case: Case, write: Write, pulls: Sequence[PullRequest], refused: str
) -> Outcome:
    """The pull request of a write where nobody may push to the base branch.

    A person merges it at once if the forge allows it; the reconciler in its next tick.
    """
    said: tuple[str, ...] = (f"{refused}: it takes a merge",)
    refusal = find_refusal(scene, case, write, pulls)
    if refusal is not None and not scene.actor:
        said = (*said, f"pull request #{refusal.number} was closed")
        return _outcome(case, f"waits: {write.reason}", *said)
    done = propose(scene, case, write, pulls, urgent=True)
    if scene.actor and done.pull:
        pull = scene.forge.get(done.pull)
        title = rollout_message.title(case.release.key, case.rollout, write)
        notice = _make_notice(case, write, title, "", asks=True)
        done = _merge(scene, case, pull, notice, write.reason)
    return replace(done, reasons=(*done.reasons, *said))


def propose(
    scene: Scene,
    case: Case,
    write: Write,
    pulls: Sequence[PullRequest],
    *,
    urgent: bool = False,
) -> Outcome:
    """Bring the one pull request of this rollout to a write; merge it where that is allowed.

    What is urgent waits for no check and no word of the environment.
    """
    made = _prepare(scene, case, write, check=not urgent)
    said = rollout_message.title(case.release.key, case.rollout, write)
    open_ = next((pull for pull in pulls if pull.state == "open"), None)
    head = git.tip(scene.repository, ref_of(case.branch))
    if scene.actor and is_persons(scene.repository, head):
        raise left_alone(case.branch)
    if not scene.actor and not is_reconcilers(scene.repository, head):
        return _outcome(case, "left alone", "somebody committed to its branch", pull=open_)
    if open_ is not None and open_.base != BASE and not (scene.actor or urgent):
        said = f"it goes into {open_.base} now: change that back to {BASE}, or close it"
        return _outcome(case, "left alone", said, pull=open_)
    if not (head and _is_proposed(scene, case, head, made)):
        head = _push_branch(scene, case, made, head)
    merges = (urgent or _is_automatic(case.release)) and not write.approval
    body = rollout_message.body(case.rollout, write, case.history.clock, case.counts, made.evidence)
    notice = _make_notice(case, write, said, body, asks=not merges)
    if (
        open_ is None
        or _read_marker(open_) != _make_marker(case, write)
        or not is_about(open_.body, head)
    ):
        open_, problems = show(scene, case.base.commit, notice, head)
        return _outcome(case, f"proposed: {said}", write.reason, *problems, pull=open_)
    # Killed before, it may not have been shown; its words grow with the evidence and stay.
    problems = show_signals(scene, case.base.commit, notice, open_, head)
    if not merges or open_.state != "open":
        return _outcome(case, f"proposed: {said}", write.reason, *problems, pull=open_)
    return _merge(scene, case, open_, notice, write.reason)


def _make_notice(case: Case, write: Write, title: str, body: str, *, asks: bool) -> Notice:
    """What people see of a write; one that lowers a weight is a way back."""
    goes_back = write.kind in _BACK or bool(write.quarantine) or case.rollout.returning
    kind, what = "rollback" if goes_back else "rollout", title.partition(": ")[2]
    return of_release(case.release, case.branch, title, body, kind, what, asks=asks)


def _merge(scene: Scene, case: Case, pull: PullRequest, notice: Notice, reason: str) -> Outcome:
    """Merge at the head that was proposed, unless somebody objects; a person may do so anyway."""
    said = notice.title
    found = () if scene.actor else objections(pull, scene.forge.objectors(pull.number))
    if found:
        return _outcome(case, f"proposed: {said}", reason, *found, pull=pull)
    head = git.tip(scene.repository, ref_of(case.branch)) or pull.head
    try:
        scene.pen.merge(pull.number, head)
    except UsageError as error:
        missed = ask_for_review(scene, case.base.commit, notice, pull)
        return _outcome(case, f"could not merge: {said}", str(error), *missed, pull=pull)
    return _outcome(case, f"merged: {said}", reason, pull=pull)


def _is_automatic(release: Release) -> bool:
    return release.environment.spec.promotion.is_automatic


def withdraw(
    scene: Scene, case: Case, pulls: Sequence[PullRequest], reason: str, *, ours: bool = True
) -> None:
    """Close the open pull request of a rollout in words that are no person's no.

    With `ours`, one that a person asked for or committed to is left alone.
    """
    head = git.tip(scene.repository, ref_of(case.branch))
    if ours and not is_reconcilers(scene.repository, head):
        return
    for pull in pulls:
        if pull.state == "open":
            with suppress(HeadMovedError):  # who moved it has more to say on it
                scene.pen.close_pull(pull.number, reason, withdrawn(pull.body), head or "")
    sweep(scene, case)


def sweep(scene: Scene, case: Case) -> None:
    """Delete the branch of a rollout that a merge or a withdrawal left behind."""
    ref = ref_of(case.branch)
    head = git.tip(scene.repository, ref)
    if head and not is_persons(scene.repository, head):
        scene.pen.move(ref, None, head)


def find_refusal(
    scene: Scene, case: Case, write: Write, pulls: Sequence[PullRequest]
) -> PullRequest | None:
    """The pull request by whose closing a person said no to exactly this write.

    One that was closed by deleting its branch says nothing.
    """
    wanted = _make_marker(case, write)
    for pull in pulls:
        if pull.state == "closed" and _read_marker(pull) == wanted:
            return None if scene.forge.lost_branch(pull.number) else pull
    return None


def _make_marker(case: Case, write: Write) -> str:
    return rollout_message.proposal_marker(case.rollout, write, case.history.clock)


def _read_marker(pull: PullRequest) -> str:
    said = read_marker(pull.body)
    return said[0] if said else ""


def _make_commit(scene: Scene, case: Case, made: _Commit) -> str:
    """A commit on top of the base, which no branch has yet."""
    return scene.pen.commit(case.base.commit, [(made.changes, made.message)])


def _push_branch(scene: Scene, case: Case, made: _Commit, head: str | None) -> str:
    commit = _make_commit(scene, case, made)
    scene.pen.move(ref_of(case.branch), commit, head)
    return commit


def _is_proposed(scene: Scene, case: Case, head: str, made: _Commit) -> bool:
    """Whether a branch says the same of the rollout, on a base with the same files.

    Evidence grows with every tick; for that alone reviews and checks do not start again.
    """
    parents = git.commit_of(scene.repository, head).parents
    if len(parents) != 1:
        return False
    wanted = {p: c for p, c in made.changes.items() if "/evidence/" not in p}
    there = git.read_tree(scene.repository, head, list(wanted)).files
    moved = set(git.changed_paths(scene.repository, parents[0], case.base.commit)) & set(wanted)
    told = {
        p for p in git.changed_paths(scene.repository, parents[0], head) if "/evidence/" not in p
    }
    return (
        not moved
        and told == set(wanted)
        and all(without_time(there.get(path)) == without_time(c) for path, c in wanted.items())
    )


def without_time(content: bytes | None) -> bytes | None:
    """A file without the time of a state, which is another one in each tick."""
    return content and re.sub(rb"(?m)^  since: .*\n", b"", content)


def _prepare(scene: Scene, case: Case, write: Write, *, check: bool = False) -> _Commit:
    """Every file that a write changes, manifests and evidence with it.

    Raises:
        UsageError: when what Git would then say cannot be read or rendered, or, with `check`, is
            not in order.
    """
    release, workspace = case.release, case.base.workspace
    changes = spec_changes(release, write, case.stable)
    specs, findings = after(release, changes, workspace.specs, workspace.files, workspace.tools)
    if check and not failed(findings):
        findings = [*findings, *pipeline.check_one(specs.releases[release.key], workspace.tools)]
    if not failed(findings):
        committed = case.base.manifests(release.key)
        more, findings = rendered(release, specs, committed, workspace.tools)
        changes |= more
    if failed(findings):
        raise UsageError(f"{release.key}: {findings[0].place}: {findings[0].message}")
    changes, path, digest = _add_evidence(case, write, changes)
    message = rollout_message.commit_message(release.key, case.rollout, write, digest, scene.actor)
    return _Commit(changes, message, path)


def _add_evidence(case: Case, write: Write, changes: Changes) -> tuple[Changes, str, str]:
    """The counts behind a write, its path, and its digest."""
    if write.evidence is None or case.counts is None:
        return changes, "", ""
    key = case.release.key
    name = rollout_file.evidence_name(
        case.rollout.to(case.rollout.state, "", step=case.counts.step)
    )
    path = layout.evidence_path(key, name)
    raw = written(case.counts, write.evidence, rollout_message.about(key, case.rollout))
    return {**changes, path: raw}, path, hashlib.sha256(raw).hexdigest()


def _outcome(case: Case, what: str, *reasons: str, pull: PullRequest | None = None) -> Outcome:
    number = pull.number if pull else 0
    return Outcome(str(case.release.key), what, case.rollout.candidate, number, reasons)
