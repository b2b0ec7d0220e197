"""The policies of a repository on everything that its specs render, as findings."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.core import layout
from sluice.core.cel.versions import Version
from sluice.core.documents.limits import SPEC
from sluice.core.documents.manifest import Manifest
from sluice.core.documents.objects import Part, read_all
from sluice.core.finding import Finding, FindingsError, Place, Rendered, dotted
from sluice.core.kubernetes.defaults import normalise
from sluice.core.kubernetes.rules.problem import version_of
from sluice.core.kubernetes.verdict import Manifests, of_cluster
from sluice.core.policy.admission import World, admit
from sluice.core.policy.evaluate import SEVERITIES, Result, evaluate
from sluice.core.policy.model import Binding, Policy
from sluice.core.policy.plan import Plan, compile_policy
from sluice.core.policy.reading import is_binding, is_policy, read_binding, read_policy
from sluice.core.policy.resources import resource_of
from sluice.core.policy.typecheck import KindTypes, type_warnings
from sluice.core.specs.resolve import Environment

Kinds = Collection[tuple[str, str]]
DECIDED = "POL010"
"""What a policy says to an object; the policy's name follows behind a slash."""


Begin = Callable[[int], None]
"""Told the number of a policy, counted from 0, before something is done with it."""


def _nobody_asks(index: int) -> None:
    del index


@dataclass(frozen=True)
class Policies:
    """What stands in policies/: policies, bindings, and objects that serve as parameters."""

    policies: tuple[Policy, ...]
    bindings: tuple[Binding, ...]
    params: tuple[Mapping[str, Any], ...]
    _plans: dict[tuple[int, Version], Plan] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def plan(self, policy: Policy, version: Version) -> Plan:
        """One of these policies compiled for a version of Kubernetes, once for all environments."""
        key = (id(policy), version)
        if key not in self._plans:
            self._plans[key] = compile_policy(policy, version)
        return self._plans[key]


def read_policies(files: Mapping[str, bytes]) -> Policies:
    """Read the policy files of a tree.

    Raises:
        FindingsError: with all that is wrong with them.
    """
    policies, findings = read_sound_policies(files)
    if findings:
        raise FindingsError(findings)
    return policies


def read_sound_policies(files: Mapping[str, bytes]) -> tuple[Policies, list[Finding]]:
    """Those policies of a tree that can be read, and all that is wrong with the others."""
    findings: list[Finding] = []
    policies: list[Policy] = []
    bindings: list[Binding] = []
    params: list[Part] = []
    for part in _parts(files, findings):
        wrong: list[Finding] = []
        if is_policy(part.data):
            policy = read_policy(part, wrong)
            policies += [] if wrong else [policy]
        elif is_binding(part.data):
            binding = read_binding(part, wrong)
            bindings += [] if wrong else [binding]
        else:
            params.append(part)
        findings += wrong
    if not findings:  # a policy that cannot be read may be the one that takes an object
        findings += _strangers(files, params, _param_kinds(policies))
    found = Policies(tuple(policies), tuple(bindings), tuple(part.data for part in params))
    return found, findings


def check_types(
    policies: Policies, version: str, schemas: Mapping[str, Any], begin: Begin
) -> Iterator[Finding]:
    """Warnings about fields that built-in kinds do not have, as the cluster's own check gives."""
    types = KindTypes(schemas)
    for index, policy in enumerate(policies.policies):
        begin(index)
        yield from type_warnings(policies.plan(policy, version_of(version)), types)


def check_policies(
    policies: Policies,
    environment: Environment,
    rendered: Manifests,
    before: Manifests,
    begin: Begin = _nobody_asks,
) -> Iterator[Finding]:
    """What the policies say to the manifests of one environment.

    Args:
        policies: of the repository.
        environment: whose cluster would be asked.
        rendered: what its specs render.
        before: what they rendered at the base revision; what is gone there is deleted.
        begin: told which of the policies is looked at from now on.

    Raises:
        FindingsError: when a policy does not compile for the environment's version.
    """
    version = version_of(environment.spec.cluster.kubernetes_version)
    plans: list[Plan] = []
    for index, policy in enumerate(policies.policies):
        begin(index)
        plans.append(policies.plan(policy, version))
    ours, theirs = of_cluster(environment, rendered), of_cluster(environment, before)
    namespaces = {
        manifest.data["metadata"]["name"]: manifest.data
        for manifest in ours.values()
        if manifest.data["kind"] == "Namespace"
    }
    world = World((*policies.params, *_rendered_params(policies, ours)), namespaces)
    for new, old in _pairs(ours, theirs):
        asked = admit(
            normalise(new.data, version) if new else None,
            normalise(old.data, version) if old else None,
            world=world,
            stored=True,
        )
        shown = new or old
        for index, plan in enumerate(plans if shown else ()):
            begin(index)
            for result in evaluate(plan, policies.bindings, asked, world):
                yield from _findings(result, shown, plan)


def _pairs(ours: Manifests, theirs: Manifests) -> Iterator[tuple[Manifest | None, Manifest | None]]:
    """Each object with what it replaces, wherever its file lay, then what is gone."""
    before = {_identity(one): one for one in theirs.values()}
    for path in sorted(ours):
        yield ours[path], before.pop(_identity(ours[path]), None)
    for old in before.values():
        yield None, old


def _identity(manifest: Manifest) -> tuple[str, str, str, str]:
    """What identifies an object in a cluster, whatever the version of its API."""
    resource, metadata = resource_of(manifest.data), manifest.data["metadata"]
    return resource.group, resource.kind, metadata.get("namespace", ""), metadata["name"]


def _rendered_params(policies: Policies, rendered: Manifests) -> Iterator[Mapping[str, Any]]:
    """What the specs render of the kinds that policies have as parameters."""
    kinds = _param_kinds(policies.policies)
    for manifest in rendered.values():
        if (manifest.data["apiVersion"], manifest.data["kind"]) in kinds:
            yield manifest.data


def _param_kinds(policies: Iterable[Policy]) -> Kinds:
    kinds = (policy.param_kind for policy in policies)
    return {(kind.api_version, kind.kind) for kind in kinds if kind}


def _parts(files: Mapping[str, bytes], findings: list[Finding]) -> Iterator[Part]:
    """The objects of those files that can be read; what is wrong with the others is collected."""
    for path in sorted(filter(layout.is_policy, files)):
        try:
            yield from read_all(path, files[path], SPEC.size)
        except FindingsError as error:
            findings += error.findings


def _strangers(
    files: Mapping[str, bytes], objects: Iterable[Part], kinds: Kinds
) -> Iterator[Finding]:
    """What Argo CD would apply from policies/, though it is no policy and none is given it."""
    for path in sorted(filter(layout.is_unread_policy, files)):
        message = "Argo CD would apply this file, and nothing here reads it"
        yield Finding(Place(path), "POL006", message, "name it .yaml, or move it elsewhere")
    for part in objects:
        own = (part.data.get("apiVersion"), part.data.get("kind"))
        if not any(own == taken for taken in kinds):  # in lists, since a stranger may hold anything
            what = f"a {kind}" if (kind := part.data.get("kind")) else "what has no kind"
            message = f"{what} is no policy, and no policy takes it"
            remedy = (
                "policies/ holds policies, bindings and objects of a paramKind; move it elsewhere"
            )
            yield Finding(part.place(), "POL006", message, remedy)


def _findings(result: Result, manifest: Manifest | None, plan: Plan) -> Iterator[Finding]:
    severity = SEVERITIES.get(result.decision)
    if severity is None or manifest is None:
        return
    for failure in result.failures:
        where = f"{dotted(failure.pointer)}: " if failure.pointer else ""
        message = f"{where}{failure.message}"
        remedy = f"policy {plan.policy.name} at {failure.place}"
        rendered = Rendered(manifest.path, failure.pointer)
        rule = f"{DECIDED}/{plan.policy.name}"
        yield Finding(Place(manifest.source), rule, message, remedy, severity, rendered)
