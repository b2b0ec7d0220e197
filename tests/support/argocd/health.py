"""Which kinds have a health that Argo CD 3.5.7 knows, and how a test says what it is.

Sources: gitops-engine/pkg/health/health.go and the Lua of resource_customizations/, at v3.5.1.
"""

from collections.abc import Callable

from support.argocd.objects import Key, Live

CHECKED = frozenset(
    {
        # gitops-engine/pkg/health/health.go, GetHealthCheckFunc
        "DaemonSet",
        "Deployment",
        "HorizontalPodAutoscaler",  # Degraded without metrics: health_hpa.go, isDegraded
        "Ingress",  # Progressing until a controller writes an address: health_ingress.go
        "Job",
        "PersistentVolumeClaim",
        "Pod",
        "ReplicaSet",
        "Service",  # Healthy, unless it waits for a load balancer: health_service.go
        "StatefulSet",
        # resource_customizations/*/*/health.lua
        "Canary",
        "CronJob",
        "GRPCRoute",
        "Gateway",
        "HTTPRoute",  # Progressing until its controller says something of this generation
        "PodDisruptionBudget",
        "Rollout",
        "ScaledObject",
    }
)
"""An Application has none since 1.8 (docs/operator-manual/health.md), nor has a VirtualService, a
DestinationRule, a LeaderWorkerSet, an InferencePool, a ConfigMap or a PodMonitor."""

ORDER = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
"""From best to worst: gitops-engine/pkg/health/health.go, healthOrder."""

Doctor = Callable[[Key, Live], str]
"""What a test says of an object: one of ORDER, or nothing for Healthy."""


def health(key: Key, live: Live, doctor: Doctor) -> str | None:
    """The health of an object; None where Argo CD knows none (GetResourceHealth)."""
    if live.deleting is not None:
        return "Progressing"
    if key.kind not in CHECKED:
        return None
    return doctor(key, live) or "Healthy"


def worst(verdicts: list[str | None]) -> str:
    """The health of an Application with these objects (controller/health.go)."""
    known = [verdict for verdict in verdicts if verdict is not None]
    return max(known, key=ORDER.index, default="Healthy")
