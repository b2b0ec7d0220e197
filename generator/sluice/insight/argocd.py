"""What the doctor says of Argo CD: whether it can be read, and whether it will follow Git."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from sluice.cluster.applications import read_application
from sluice.cluster.argocd import KubernetesCluster
from sluice.cluster.rights import is_allowed
from sluice.core.cluster import Application
from sluice.core.finding import UsageError
from sluice.core.forge import Forge
from sluice.core.observation.following import DELAY, place, same_source
from sluice.forges.answers import RefusedError
from sluice.insight.diagnosis import Diagnosis
from sluice.reconciler.rollouts.observers import UNSET, Observers
from sluice.workspace.workspace import Workspace

APPLICATIONS = "applications.argoproj.io"
WEBHOOK = "/api/webhook"
_SHOWN = 5
_PERSIST = 'optional: set controller.resource.health.persist: "true" in argocd-cmd-params-cm'


def diagnose_argocd(workspace: Workspace, eyes: Observers) -> Diagnosis:
    """Whether each application of the repository is there, and does what is rendered of it."""
    wanted = dict(_list_rendered(workspace))
    if not wanted:
        return Diagnosis("argocd", ok=True, said="no environment has argocd")
    if eyes.cluster is None:
        return Diagnosis("argocd", ok=True, said=f"not asked: {UNSET}")
    faults = [
        fault
        for (namespace, name), one in sorted(wanted.items())
        for fault in _find_faults(name, one, eyes.application(namespace, name))
    ]
    if eyes.problems:
        remedy = f"see that SLUICE_ARGOCD leads to it, and grant list on {APPLICATIONS}"
        return Diagnosis("argocd", ok=False, said=eyes.problems[0], remedy=remedy)
    if faults:
        more = f", and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        remedy = "apply manifests/_bootstrap, and let Argo CD sync it by itself"
        said = f"{'; '.join(faults[:_SHOWN])}{more}"
        return Diagnosis("argocd", ok=False, said=said, remedy=remedy)
    said = f"it has all {len(wanted)} applications, and they follow this repository"
    found = [eyes.application(*name) for name in wanted]
    if any(each is not None and not each.tells_health for each in found):
        said += ", but it does not tell how single objects are, and so which version is unwell"
        return Diagnosis("argocd", ok=True, said=said, remedy=_PERSIST)
    return Diagnosis("argocd", ok=True, said=said)


def _list_rendered(workspace: Workspace) -> Iterator[tuple[tuple[str, str], Application]]:
    """The applications that this repository renders, as Argo CD would have them."""
    for manifest in workspace.render().values():
        if manifest.data["kind"] == "Application":
            name, application = read_application(manifest.data)
            yield (manifest.data["metadata"]["namespace"], name), application


def _find_faults(name: str, wanted: Application, found: Application | None) -> Iterator[str]:
    """What is otherwise in the cluster than what is rendered, so that Git is not followed."""
    if found is None:
        yield f"Argo CD has no application {name}"
        return
    if wanted.source and found.source and not same_source(found.source, wanted.source):
        yield f"{name} follows {place(found.source)}"
    if wanted.automated and not found.automated:
        yield f"automated sync of {name} is off"
    elif wanted.heals and not found.heals:
        yield f"self-heal of {name} is off"
    for kind, message in found.conditions:
        if kind.endswith("Error"):
            yield f"{name}: {' '.join(message.split())[:200]}"


def diagnose_routes(workspace: Workspace, eyes: Observers) -> Diagnosis:
    """Whether the routes themselves can be read; that is optional."""
    seen: dict[str, bool] = {}
    for name, environment in sorted(workspace.specs.environments.items()):
        provider = environment.provider
        if provider is not None:
            objects = eyes.live_routes(environment, provider.route)
            seen[name] = objects is not None
    why = dict.fromkeys([*eyes.gaps, *eyes.problems])
    unread = [name for name, known in seen.items() if not known]
    if not unread:
        listed = ", ".join(seen) or "no environment"
        return Diagnosis("routes", ok=True, said=f"the live weights are read of {listed}")
    said = f"the live weights of {', '.join(unread)} are told from what Argo CD applied"
    reason = "; ".join(why) or "SLUICE_ROUTES is not set"
    return Diagnosis("routes", not eyes.problems, f"{said}: {reason}")


def diagnose_refresh(workspace: Workspace, eyes: Observers) -> Diagnosis:
    """Whether Argo CD may be asked to look at once; that is optional."""
    specs = [each.spec for each in workspace.specs.environments.values()]
    namespaces = sorted({spec.argocd.namespace for spec in specs if spec.argocd})
    if not isinstance(eyes.cluster, KubernetesCluster) or not namespaces:
        return Diagnosis("refresh", ok=True, said="not looked at: Argo CD is not asked")
    context = eyes.cluster.context
    refused = [each for each in namespaces if not is_allowed(context, "patch", APPLICATIONS, each)]
    if not refused:
        return Diagnosis("refresh", ok=True, said="Argo CD may be asked to look at Git at once")
    said = f"Argo CD may not be asked to look at once in {', '.join(refused)}"
    remedy = f"optional: grant patch on {APPLICATIONS}"
    return Diagnosis("refresh", ok=True, said=f"{said}: {DELAY}", remedy=remedy)


def diagnose_webhook(forge: Forge) -> Diagnosis:
    """Whether the forge tells an Argo CD of pushes, where it says so."""
    what = "argocd webhook"
    try:
        hooks = forge.hooks()
    except RefusedError as error:
        said = f"not known: the forge shows its webhooks to others only (it answers {error.status})"
        return Diagnosis(what, ok=True, said=said)
    except UsageError as error:
        said = f"not known, since the forge does not show its webhooks: {error}"
        return Diagnosis(what, ok=True, said=said)
    if hooks is None:
        said = "this forge has none: Argo CD finds commits by looking"
        return Diagnosis(what, ok=True, said=said)
    found = [hook for hook in hooks if _path_of(hook.address).endswith(WEBHOOK)]
    hosts = ", ".join(sorted({urlsplit(hook.address).hostname or "?" for hook in found}))
    if not found:
        said = f"the repository itself has none that leads to {WEBHOOK}: Argo CD polls, and {DELAY}"
        remedy = f"optional: let the forge tell https://ARGOCD{WEBHOOK} of pushes"
        return Diagnosis(what, ok=True, said=said, remedy=remedy)
    if not any(hook.tells_pushes for hook in found):
        remedy = "switch it on, for pushes, and look at its last deliveries"
        said = f"the one to {hosts} is off or does not tell of pushes"
        return Diagnosis(what, ok=False, said=said, remedy=remedy)
    return Diagnosis(what, ok=True, said=f"the forge tells {hosts} of each push")


def _path_of(address: str) -> str:
    try:
        return urlsplit(address).path.rstrip("/")
    except ValueError:
        return ""
