"""The reconciler's whole judgement: from what the registry, Git and the forge say to proposals."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice.core import layout, pipeline
from sluice.core.catalog.entries import Catalog
from sluice.core.checks.secrets import leaked
from sluice.core.documents.edit import remove, set_text, set_texts
from sluice.core.documents.load import load
from sluice.core.finding import Finding, failed
from sluice.core.forge import PullRequest
from sluice.core.gates import windows
from sluice.core.gates.conditions import Circumstances, gates_of, judge_all, waits
from sluice.core.gates.judge import GateResult
from sluice.core.layout import Key
from sluice.core.model import Evaluation, Follow, ModelVersion
from sluice.core.pipeline import Specs, Toolkit
from sluice.core.plan import text as plan_text
from sluice.core.plan.cost import release_totals
from sluice.core.plan.difference import plan
from sluice.core.plan.inspect import memory
from sluice.core.promotion import rollout_change
from sluice.core.promotion.body import body
from sluice.core.promotion.branches import branch_of
from sluice.core.promotion.evidence import evidence, path_of
from sluice.core.promotion.lineage import source_of
from sluice.core.promotion.message import Story, commit_message, is_rejection, read_marker, title
from sluice.core.promotion.provenance import judge_provenance
from sluice.core.promotion.signals import Signal, labels, merges_later, signal
from sluice.core.promotion.wants import Want
from sluice.core.rollout.file import PROMOTING, rollout_of
from sluice.core.specs.records import read_release
from sluice.core.specs.resolve import Release, merge
from sluice.core.specs.rollout_records import Promotion
from sluice.core.unforeseen import raise_unforeseen
from sluice.core.workload.values import is_versioned


@dataclass(frozen=True, slots=True)
class Proposal:
    """What Git should say: one commit's files on one branch, and one pull request's words.

    `automatic` says that it may merge by itself now, `later` that a forge may also do so when its
    own checks have passed, and `waits` why it does not do so yet.
    `parts` are the commits, files and message of each; `keys` all releases that they change;
    `registered` is when the version was, in milliseconds since the epoch.
    """

    key: Key
    version: str
    branch: str
    changes: Mapping[str, bytes | None]
    title: str
    body: str
    automatic: bool
    signal: Signal
    registered: int = 0
    later: bool = False
    waits: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()
    parts: tuple[tuple[Mapping[str, bytes | None], str], ...] = ()
    reviewers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A version that is not proposed, with every reason.

    `unseen` says that the only reasons are numbers that the registry does not show.
    """

    key: Key
    version: str
    reasons: tuple[str, ...]
    unseen: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What was observed about one want beside the specs."""

    evaluation: Evaluation
    baseline: Evaluation | None
    pulls: Sequence[PullRequest] = ()
    link: str = ""
    about: Circumstances = field(default_factory=Circumstances)


def rejected(want: Want, pulls: Sequence[PullRequest]) -> PullRequest | None:
    """The pull request by whose closing a person rejected this version."""
    for pull in pulls:
        if is_rejection(pull, want.version):
            return pull
    return None


def _plugins(release: Release, tools: Toolkit) -> frozenset[str]:
    engine = tools.catalog.engine(release.spec.engine.name, release.spec.engine.version)
    return engine.plugins if engine else frozenset()


def propose(
    want: Want, facts: Facts, specs: Specs, files: Mapping[str, bytes], tools: Toolkit
) -> Proposal | Refusal:
    """Judge one want.

    Args:
        want: the version that the registry asks for.
        facts: its evaluation, that of the deployed version, and the branch's pull requests.
        specs: the specs of the base revision.
        files: the files that these specs were read from.
        tools: schemas, catalog, templates.
    """
    release, version = want.release, want.version
    about = facts.about
    gates = (
        *judge_all(release, version, facts.evaluation, facts.baseline, about),
        *judge_provenance(
            release, version, facts.evaluation, facts.baseline, _plugins(release, tools)
        ),
    )
    failed_gates = [gate for gate in gates if gate.failed]
    if failed_gates:
        unseen = all(gate.value is None and gate.kind == "measurement" for gate in failed_gates)
        reasons = tuple(gate.reason for gate in failed_gates)
        return Refusal(release.key, version.version, reasons, unseen)
    changes = _spec_changes(release, version, source_of(version, facts.evaluation))
    after, findings = _after(release, changes, specs, files, tools)
    raise_unforeseen(findings)
    if failed(findings):
        reasons = tuple(f"{finding.message} ({finding.help})" for finding in findings)
        return Refusal(release.key, version.version, reasons)
    old, before = pipeline.render(specs, tools, [release.key])
    new, refused = pipeline.render(after, tools, [release.key])
    raise_unforeseen([*before, *refused])
    if failed(refused):
        reasons = tuple(finding.message for finding in refused)
        return Refusal(release.key, version.version, reasons)
    rendered = {path: manifest.content() for path, manifest in new.items()}
    if found := list(leaked({**changes, **rendered}, _reviewed(release))):
        reasons = tuple(f"{finding.place}: {finding.message}; {finding.help}" for finding in found)
        return Refusal(release.key, version.version, reasons)
    gone = dict.fromkeys(old.keys() - new.keys())
    told = plan_text.as_markdown(plan(specs, after, old, new, tools.catalog))
    story = _story(want, facts, gates, told, path_of(release.key, version.version, files))
    story = _measured(story, release, after.releases[release.key], tools.catalog)
    held = (*filter(None, [want.doubt]), *waits(release, version, gates, about))
    return _proposal(story, {**changes, **rendered, **gone}, release, held)


def _reviewed(release: Release) -> str:
    """What people wrote or merged of a release: what looks like a credential there is none."""
    texts = (release.document.raw, release.environment.document.raw)
    return "\n".join(raw.decode(errors="replace") for raw in texts)


def _story(
    want: Want, facts: Facts, gates: tuple[GateResult, ...], told: str, frozen: str
) -> Story:
    release, version = want.release, want.version
    return Story(
        key=release.key,
        model=version.name,
        before=release.spec.model.version,
        version=version,
        follow=release.follows or Follow(),
        gates=gates,
        evaluation=facts.evaluation,
        deployed=want.deployed,
        baseline=facts.baseline,
        plan=told,
        notes=want.notes,
        superseded=_superseded(version.version, facts.pulls),
        link=facts.link,
        rollout=release.spec.written("rollout") or {},
        periods=tuple(windows.described(_promotion(release))),
        evidence=frozen,
    )


def _measured(story: Story, before: Release, after: Release, catalog: Catalog) -> Story:
    """The story with what the versions need of memory and devices."""
    return replace(
        story,
        memory=(memory(before.spec, catalog), memory(after.spec, catalog)),
        totals=(release_totals(before, catalog), release_totals(after, catalog)),
    )


def _proposal(
    story: Story, changes: dict[str, bytes | None], release: Release, held: tuple[str, ...]
) -> Proposal:
    version = story.version
    frozen = evidence(
        version, story.before, story.follow, story.evaluation, story.gates, story.baseline
    )
    changes[story.evidence] = frozen
    story = replace(story, checksum=_checksum(changes))
    automatic = _promotion(release).is_automatic and not held
    later = automatic and merges_later(_promotion(release), gates_of(release))
    return Proposal(
        key=story.key,
        version=version.version,
        registered=version.created,
        branch=branch_of(story.key),
        changes=changes,
        title=title(story),
        body=body(story),
        parts=((changes, commit_message(story)),),
        keys=(story.key,),
        automatic=automatic,
        later=later,
        waits=held,
        labels=labels(story.key, held, later=later),
        signal=signal(story.gates, held),
        superseded=tuple(story.superseded),
        reviewers=_promotion(release).reviewers,
    )


def _promotion(release: Release) -> Promotion:
    return release.environment.spec.promotion


def _checksum(changes: Mapping[str, bytes | None]) -> str:
    """One digest of all changed files, by their paths and contents."""
    total = hashlib.sha256()
    for path, content in sorted(changes.items()):
        each = hashlib.sha256(content).hexdigest() if content is not None else "deleted"
        total.update(f"{each}  {path}\n".encode())
    return f"sha256:{total.hexdigest()}"


def _spec_changes(release: Release, version: ModelVersion, source: str) -> dict[str, bytes | None]:
    """The two lines of the spec, and the beginning of a rollout where the strategy wants one."""
    model = ("spec", "model")
    lines = [((*model, "version"), version.version), ((*model, "source"), source)]
    raw, digest = set_texts(release.document.raw, lines), (*model, "digest")
    known = version.tags.get("digest", "")
    raw = set_text(raw, digest, known) if known else remove(raw, digest)
    changes: dict[str, bytes | None] = {layout.release_path(release.key): raw}
    if is_versioned(release.variants[0]):
        changes[layout.rollout_path(release.key)] = _rollout(release, raw)
    return changes


def _rollout(release: Release, raw: bytes) -> bytes:
    """A rollout that begins, from the release as it is to be and the version that serves."""
    spec = merge(release.environment.spec.defaults, load("release.yaml", raw).data["spec"])
    begun = rollout_of(read_release(spec), None).to("WARMING", "")
    stable = {k: v for k, v in release.document.data["spec"].items() if k not in PROMOTING}
    return rollout_change.text(release, begun, stable)


def _after(
    release: Release,
    changes: Mapping[str, bytes | None],
    specs: Specs,
    files: Mapping[str, bytes],
    tools: Toolkit,
) -> tuple[Specs, list[Finding]]:
    """The specs as they will be, with everything that is then wrong."""
    key = release.key
    near = {
        path: files[path]
        for path in (layout.environment_path(key.environment), layout.release_path(key))
    }
    read = pipeline.read(
        {**near, **{p: c for p, c in changes.items() if c is not None}},
        tools.schemas,
        tools.records,
    )
    after = specs.changed(read)
    return after, pipeline.check(after, tools, [key])


def _superseded(version: str, pulls: Sequence[PullRequest]) -> tuple[str, ...]:
    """The versions that the open pull request proposed before this one."""
    for pull in pulls:
        said = read_marker(pull.body)
        if pull.state == "open" and said:
            before, earlier = said
            chain = earlier if before == version else (*earlier, before)
            return tuple(v for v in chain if v != version)
    return ()
