"""What the doctor says of the policies in a cluster: whether they decide by what Git says now."""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from sluice.cluster import admission
from sluice.cluster.connection import ForbiddenError
from sluice.core.finding import UsageError
from sluice.insight.diagnosis import Diagnosis
from sluice.workspace.workspace import Workspace

ALLOWED = "sluice-allowed-accelerators"
"""The policy with parameters of its environment, and the ConfigMap that they are in."""
NEVER = "sluice.dev/of-nobody"
"""A device that no environment allows."""
_RESTART = (
    "restart the API server: one that saw the last policy with ConfigMaps as parameters go reads "
    "them no more (1.34, and 1.36 by its source)"
)
_WAIT = "let Argo CD sync the environment, then look again"

Data = Mapping[str, Any]


@dataclass(frozen=True)
class Tried:
    """What a cluster said of one environment.

    Attributes:
        rendered: the data of the ConfigMap in Git.
        live: that in the cluster; None when it is not there.
        own: why a workload as Git has it is refused; empty when it is not.
        other: the same of one that asks for a device that nobody allows.
    """

    rendered: Data
    live: Data | None
    own: str
    other: str


@dataclass(frozen=True)
class Eyes:
    """How a cluster is asked; tests have another one."""

    parameters: Callable[[str | None, str, str], Data | None] = admission.read_parameters
    refusal: Callable[[str | None, str, Data], str] = admission.try_workload


def diagnose_policies(workspace: Workspace, eyes: Eyes | None = None) -> Diagnosis:
    """Whether a workload of each environment is taken, and one is refused that should be."""
    what, seen = "policies", eyes or Eyes()
    wanted = dict(_list_environments(workspace))
    if not wanted:
        return Diagnosis(what, ok=True, said="no environment installs them")
    try:
        tried = {name: _try(seen, *pair) for name, pair in wanted.items()}
    except ForbiddenError as error:
        remedy = "optional: grant create on deployments.apps, and get on configmaps"
        return Diagnosis(what, ok=True, said=f"not looked at: {error}", remedy=remedy)
    except UsageError as error:
        return Diagnosis(what, ok=True, said=f"not looked at: {error}")
    for name, one in tried.items():
        said, remedy = judge(one)
        if said:
            return Diagnosis(what, ok=False, said=f"{name}: {said}", remedy=remedy)
    said = f"they decide as Git says in {', '.join(tried)}"
    return Diagnosis(what, ok=True, said=said)


def judge(tried: Tried) -> tuple[str, str]:
    """Return what is wrong, and what to do; empty when all is well.

    Where another policy refuses the workload anyway, nobody learns what this one would say.
    """
    if tried.live is None:
        return f"the ConfigMap {ALLOWED} is not in the cluster", _WAIT
    if dict(tried.live) != dict(tried.rendered):
        return f"the ConfigMap {ALLOWED} in the cluster is not that of Git", _WAIT
    if ALLOWED in tried.own:
        said = "refuses what its ConfigMap allows: the API server reads an older one"
        return f"the policy {ALLOWED} {said}", _RESTART
    if not tried.own and ALLOWED not in tried.other:
        said = "does not refuse a device that its ConfigMap does not allow"
        remedy = f"see that it is installed (kubectl get vap); if it is, {_RESTART}"
        return f"the policy {ALLOWED} {said}", remedy
    return "", ""


def _list_environments(workspace: Workspace) -> Iterator[tuple[str, tuple[Data, Data]]]:
    """The environments whose cluster gets policies: their parameters, and one of their workloads.

    Clusters are told apart by their address.
    """
    specs = workspace.specs.environments
    installed = {
        environment.spec.cluster.server
        for environment in specs.values()
        if environment.spec.argocd and environment.spec.argocd.policies
    }
    rendered = [manifest.data for manifest in workspace.render().values()]
    for name, environment in sorted(specs.items()):
        namespace = environment.spec.namespace
        own = [one for one in rendered if one["metadata"].get("namespace") == namespace]
        params = [one for one in own if one["metadata"]["name"] == ALLOWED]
        workloads = [one for one in own if one["kind"] == "Deployment"]
        if environment.spec.cluster.server in installed and params and workloads:
            yield name, (params[0], workloads[0])


def _try(eyes: Eyes, params: Data, workload: Data) -> Tried:
    own = json.loads(json.dumps(workload))
    own["metadata"]["name"] = "sluice-doctor"
    other = deepcopy(own)
    container = other["spec"]["template"]["spec"]["containers"][0]
    container["resources"].setdefault("limits", {})[NEVER] = "1"
    namespace = params["metadata"]["namespace"]
    return Tried(
        params["data"],
        eyes.parameters(None, namespace, ALLOWED),
        eyes.refusal(None, "deployments", own),
        eyes.refusal(None, "deployments", other),
    )
