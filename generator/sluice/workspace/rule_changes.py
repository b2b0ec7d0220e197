"""The rules of a repository and of a revision: whose change is told, and by which it is judged."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sluice import files, git
from sluice.core.documents.limits import SPEC
from sluice.core.documents.manifest import Manifest
from sluice.core.finding import Finding, FindingsError, Place, Severity, failed
from sluice.core.pipeline.source_map import located
from sluice.core.plan.rule_change import RuleChange
from sluice.core.plan.text import moved
from sluice.core.policy.layer import Begin, Policies, check_policies, read_policies
from sluice.core.policy.model import Policy
from sluice.core.promotion.codeowners import PLACES
from sluice.core.reports.waivers import PATH, read_waivers, waive
from sluice.core.rule_changes.comparison import CHECKERS, compare_rules, loosened, policy_objects
from sluice.workspace.policies_apart import judge_apart
from sluice.workspace.revisions import Revision
from sluice.workspace.waivers import today
from sluice.workspace.workspace import Workspace

Rendered = Mapping[str, Manifest]
Files = Mapping[str, bytes]
_BESIDE = (*PLACES, *CHECKERS)


def find_applied_policies(workspace: Workspace) -> dict[str, Manifest]:
    """The objects in policies/ where Argo CD applies them."""
    environments = workspace.specs.environments.values()
    if not any(one.spec.argocd and one.spec.argocd.policies for one in environments):
        return {}
    return {
        f"{path} {' '.join(key)}": Manifest(path, data, path)
        for key, (path, data) in policy_objects(workspace.files).items()
        if "name" in data.get("metadata", {})
    }


def select_ruling_files(
    revision: Revision, before: Workspace, top: Path, now: Workspace
) -> tuple[Files, Files]:
    """The files of a revision and of the work tree, each with those that decide who looks at it."""
    here = files.read(top, _BESIDE, SPEC.size).files
    there = git.read_tree(revision.repository, revision.name, revision.inside(_BESIDE), SPEC.size)
    then = {path.removeprefix(revision.prefix): raw for path, raw in there.files.items()}
    return {**before.files, **then}, {**now.files, **here}


def warn_of_rules(
    revision: Revision, before: Workspace, top: Path, now: Workspace
) -> Iterator[Finding]:
    """A warning for each rule that a change loosens."""
    files_before, files_now = select_ruling_files(revision, before, top, now)
    rules = compare_rules(before.specs, now.specs, files_before, files_now, now.tools.schemas)
    for change in loosened(rules):
        yield _warn(change)
    for path in revision.rewritten_evidence(top):
        message = "what a decision was based on is rewritten: evidence is only ever added"
        yield Finding(Place(path), "RUL003", message, "take the change back", Severity.WARNING)


def _warn(change: RuleChange) -> Finding:
    message = f"a rule may be looser than before: {moved(change)}"
    whose = ", ".join(change.owners) or "whoever owns it: CODEOWNERS names nobody"
    return Finding(
        Place(change.path), "RUL001", message, f"to be approved by {whose}", Severity.WARNING
    )


def check_by_base(
    now: Workspace, before: Workspace, rendered: Rendered, was: Rendered, findings: list[Finding]
) -> Iterator[Finding]:
    """What the rules of the base refuse of what a change brings, and its own rules let pass.

    Args:
        now: the work tree.
        before: the base.
        rendered: what the work tree renders.
        was: what the base renders of the same.
        findings: what was found by the rules of the work tree, marked where it is waived.
    """
    try:
        policies = read_policies(before.files)
        waivers = read_waivers(before.files, before.tools.schemas)
        refused, endings = _find_refused(now, policies, rendered, was)
    except FindingsError as error:
        message = f"the rules of the base do not work, so that only new ones judge: {error}"
        remedy = "mend the base first, or look at this change with care"
        yield Finding(Place(PATH), "RUL002", message, remedy, Severity.WARNING)
        return
    for ending in endings:
        message = f"a rule of the base does not work, so that only new ones judge: {ending.message}"
        remedy = "look at this change with care"
        yield replace(
            ending, rule="RUL002", message=message, help=remedy, severity=Severity.WARNING
        )
    brought = {
        path
        for path in rendered.keys() | was.keys()
        if path not in rendered or path not in was or rendered[path].data != was[path].data
    }
    own = [replace(finding, waived="") for finding in findings if finding.waived]
    judged = [f for f in (*refused, *own) if f.rendered and f.rendered.file in brought]
    objects = {path: _named(manifest) for path, manifest in {**was, **rendered}.items()}
    known = {_identity(finding) for finding in findings if failed([finding])}
    for finding in waive(judged, waivers, objects, today(), complete=False):
        # What is wrong with the base's waivers themselves is not about anything rendered.
        if finding.rendered and failed([finding]) and _identity(finding) not in known:
            said = f"{finding.message}: so say the rules before this change"
            remedy = "merge the change of the rule or the waiver first, and what needs it later"
            yield replace(finding, message=said, help=f"{remedy}; {finding.help}")


def _find_refused(
    now: Workspace, policies: Policies, rendered: Rendered, was: Rendered
) -> tuple[list[Finding], list[Finding]]:
    """What the base's policies say, with the namespaces as the base labels them.

    The second list is of those that ended the process in which they were judged.
    """
    if not policies.policies:
        return [], []
    # Bindings select by a namespace's labels, so that a change of those is one of the judge.
    judges = {path: one for path, one in was.items() if one.data["kind"] == "Namespace"}
    objects = {**rendered, **judges}

    def judge(some: Sequence[Policy], begin: Begin) -> list[Finding]:
        chosen = replace(policies, policies=tuple(some))
        found: list[Finding] = []
        for environment in now.specs.environments.values():
            found += check_policies(chosen, environment, objects, was, begin)
        return found

    found, endings = judge_apart(policies.policies, judge)
    return list(located(found, now.specs, rendered, now.tools.source_map)), endings


def _named(manifest: Manifest) -> str:
    return f"{manifest.data['kind']}/{manifest.data['metadata']['name']}"


def _identity(finding: Finding) -> tuple[object, ...]:
    return finding.rule, finding.message, finding.rendered
