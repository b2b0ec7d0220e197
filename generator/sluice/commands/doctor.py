"""`sluice doctor`: what is missing or misconfigured, and how to mend it."""

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from sluice import git
from sluice.cluster.version import read_server_version
from sluice.core.finding import FindingsError, UsageError, failed
from sluice.core.outgoing import lines_of
from sluice.core.reports.report import summary
from sluice.core.unforeseen import isolated
from sluice.insight.argocd import (
    diagnose_argocd,
    diagnose_refresh,
    diagnose_routes,
    diagnose_webhook,
)
from sluice.insight.diagnosis import Diagnosis
from sluice.insight.policies import diagnose_policies
from sluice.reconciler.rollouts.observers import open_observers
from sluice.registries import open_registry
from sluice.registries.hooks import Notifying
from sluice.workspace.connection import Connected, connect
from sluice.workspace.identity import AUTHOR, MAIN
from sluice.workspace.workspace import Workspace, find_root, open_workspace

# Of so many models the numbers are read, and so many names are listed.
_SHOWN = 5


def run(
    *,
    root: str | None,
    registry: str | None,
    repository: str | None,
    forge: str | None,
    state: str | None,
    form: str,
) -> int:
    """Look at everything; 1 when something is wrong."""

    def place() -> Connected:
        return connect(repository, forge, root, state, AUTHOR)

    def workspace() -> Workspace:
        return open_workspace(find_root(root))

    looks: list[tuple[str, Callable[[], Diagnosis]]] = [
        ("git", _diagnose_git),
        ("specs", lambda: _diagnose_specs(root)),
        ("hooks", lambda: _diagnose_hooks(root)),
        ("repository", lambda: _diagnose_repository(place())),
        ("signing", lambda: _diagnose_signing(place())),
        ("forge", lambda: _diagnose_forge(place())),
        ("registry", lambda: _diagnose_registry(registry, root)),
        ("webhooks", lambda: _diagnose_webhooks(registry)),
        ("cluster", lambda: _diagnose_cluster(root)),
        ("policies", lambda: diagnose_policies(workspace())),
        ("argocd", lambda: diagnose_argocd(workspace(), open_observers())),
        ("routes", lambda: diagnose_routes(workspace(), open_observers())),
        ("refresh", lambda: diagnose_refresh(workspace(), open_observers())),
        ("argocd webhook", lambda: diagnose_webhook(place().forge)),
    ]
    found = list(_look_at_each(looks))
    if form == "json":
        records = {"version": 1, "checks": [asdict(d) for d in found]}
        sys.stdout.write(json.dumps(records, indent=2) + "\n")
    else:
        for diagnosis in found:
            mark = "ok  " if diagnosis.ok else "FAIL"
            remedy = [f"     {diagnosis.remedy}"] if diagnosis.remedy else []
            sys.stdout.write(lines_of([f"{mark} {diagnosis.what}: {diagnosis.said}", *remedy]))
    return int(not all(diagnosis.ok for diagnosis in found))


def _look_at_each(looks: list[tuple[str, Callable[[], Diagnosis]]]) -> Iterator[Diagnosis]:
    """Everything in turn; what is in the way of several is told by the first of them."""
    told: dict[str, str] = {}
    for what, look in looks:
        try:
            with isolated("a look of doctor"):
                diagnosis = look()
            yield diagnosis
            continue
        except UsageError as error:
            failure = Diagnosis(what, ok=False, said=str(error))
        except FindingsError:
            said, remedy = "the specs are broken", "run sluice check"
            failure = Diagnosis(what, ok=False, said=said, remedy=remedy)
        first = told.setdefault(failure.said, what)
        if first != what:
            failure = Diagnosis(what, ok=True, said=f"not looked at: {first} says why")
        yield failure


def _diagnose_git() -> Diagnosis:
    found = shutil.which("git")
    if found:
        return Diagnosis("git", ok=True, said="the command is here")
    remedy = "install git: hooks need it, and sluice reconcile to pack what has become many files"
    return Diagnosis("git", ok=False, said="no git command", remedy=remedy)


def _diagnose_specs(root: str | None) -> Diagnosis:
    workspace = open_workspace(find_root(root))
    findings = workspace.check()
    said = f"{len(workspace.specs.releases)} releases, {summary(findings)}"
    return Diagnosis("specs", not failed(findings), said, "run sluice check" if findings else "")


def _diagnose_hooks(root: str | None) -> Diagnosis:
    top = find_root(root)
    config = top / ".pre-commit-config.yaml"
    if not config.is_file() or "sluice" not in config.read_text(encoding="utf-8"):
        remedy = "see README, 'pre-commit'"
        return Diagnosis("hooks", ok=False, said="pre-commit does not run sluice", remedy=remedy)
    installed = Path(git.open_repository(top).path) / "hooks" / "pre-commit"
    if not installed.exists():
        said = "configured, but not installed in this clone"
        return Diagnosis("hooks", ok=False, said=said, remedy="run: pre-commit install")
    return Diagnosis("hooks", ok=True, said="configured and installed")


def _diagnose_repository(connected: Connected) -> Diagnosis:
    upstream = connected.upstream
    upstream.refresh()
    tip = git.tip(upstream.repository, MAIN)
    if tip is None:
        remedy = "push main to it"
        return Diagnosis("repository", ok=False, said="it has no branch main", remedy=remedy)
    return Diagnosis("repository", ok=True, said=f"main is at {tip[:10]}")


def _diagnose_signing(connected: Connected) -> Diagnosis:
    """Sign something, as the reconciler would sign its commits."""
    committer = git.choose_committer(AUTHOR)
    signer = git.find_signer(connected.upstream.repository, committer)
    if signer is None:
        return Diagnosis("signing", ok=True, said="commits are not signed: nothing asks for it")
    git.sign(signer, b"sluice doctor\n")
    said = f"{signer} signs what {committer.name} <{committer.email}> commits"
    return Diagnosis("signing", ok=True, said=said)


def _diagnose_forge(connected: Connected) -> Diagnosis:
    forge = connected.forge
    living = len(forge.list("open"))
    found = forge.rights()
    if not found:
        return Diagnosis("forge", ok=True, said=f"the embedded one, {living} open pull requests")
    if missing := [right for right in found if not right.ok]:
        said = "; ".join(right.said for right in missing)
        remedy = "; ".join(dict.fromkeys(right.remedy for right in missing))
        return Diagnosis("forge", ok=False, said=said, remedy=remedy)
    said = f"{forge.whoami()} sees {living} open pull requests of ours"
    return Diagnosis("forge", ok=True, said=said)


def _diagnose_cluster(root: str | None) -> Diagnosis:
    """Only what a kubeconfig leads to; without one there is nothing to compare."""
    try:
        found = read_server_version()
    except UsageError as error:
        return Diagnosis("cluster", ok=True, said=f"not compared: {error}")
    specs = open_workspace(find_root(root)).specs
    wanted = {name: e.spec.cluster.kubernetes_version for name, e in specs.environments.items()}
    if found in wanted.values() or not wanted:
        return Diagnosis("cluster", ok=True, said=f"it runs Kubernetes {found}")
    listed = ", ".join(f"{name} {version}" for name, version in sorted(wanted.items()))
    said = f"it runs Kubernetes {found}, the environments are written for {listed}"
    remedy = "set spec.cluster.kubernetesVersion, then sluice check"
    return Diagnosis("cluster", ok=False, said=said, remedy=remedy)


def _diagnose_registry(registry: str | None, root: str | None) -> Diagnosis:
    """Whether it answers, and lets us read what reconciling needs."""
    opened = open_registry(registry or "")
    said = opened.describe()
    specs = open_workspace(find_root(root)).specs
    following = [r for r in specs.releases.values() if r.follows]
    names = sorted({release.spec.model.name for release in following})
    found = opened.versions(names)
    if missing := [name for name in names if name not in found]:
        listed = ", ".join(map(repr, missing[:_SHOWN]))
        said = f"{said}; it shows {len(found)} of {len(names)} models, not {listed}"
        remedy = "grant READ on them, or correct spec.model.name"
        return Diagnosis("registry", ok=False, said=said, remedy=remedy)
    newest = [versions[0] for versions in found.values() if versions][:_SHOWN]
    if gaps := [gap for version in newest for gap in opened.evaluation(version).gaps]:
        remedy = "grant READ on the experiments; what is gone must be evaluated anew"
        return Diagnosis("registry", ok=False, said=f"{said}; {gaps[0]}", remedy=remedy)
    return Diagnosis("registry", ok=True, said=f"{said}, models that are read: {len(found)}")


def _diagnose_webhooks(registry: str | None) -> Diagnosis:
    opened = open_registry(registry or "")
    if not isinstance(opened, Notifying):
        return Diagnosis("webhooks", ok=True, said="this registry has none: it is read anew")
    found = opened.hooks()
    return Diagnosis("webhooks", found.ok, found.summary, found.remedy)
