"""How releases were rendered before their routes had an Application of their own.

Everything of a release is in one Application, in waves: workloads, then Services and scalers, then
routes; what is pruned goes last.
"""

from collections.abc import Mapping
from typing import Any

import yaml

from support.argocd.sync import WAVE
from support.story import Tree

WAVES = {"Deployment": 0, "LeaderWorkerSet": 0, "ServiceAccount": 0}
ROUTES = ("HTTPRoute", "VirtualService", "DestinationRule", "Ingress")


def as_one_application(tree: Tree) -> dict[str, bytes]:
    """A tree with the routes of each release put back beside its workloads."""
    moved: dict[str, bytes] = {}
    for path, content in tree.items():
        if path.endswith(".routes.yaml"):
            continue
        if path.startswith("manifests/"):
            moved[path.replace("/routes/", "/")] = _waved(yaml.safe_load(content))
        else:
            moved[path] = content
    return moved


def _waved(data: dict[str, Any]) -> bytes:
    kind, metadata = data["kind"], data["metadata"]
    if kind == "Application":
        policy: Mapping[str, Any] = data["spec"].get("syncPolicy", {})
        options = [o for o in policy.get("syncOptions", ()) if not o.startswith("PruneLast")]
        data["spec"]["syncPolicy"] = {**policy, "syncOptions": ["PruneLast=true", *options]}
    elif kind not in ("AppProject", "Namespace"):
        wave = 2 if kind in ROUTES else WAVES.get(kind, 1)
        metadata["annotations"] = {**metadata.get("annotations", {}), WAVE: str(wave)}
    return yaml.safe_dump(data, sort_keys=False).encode()
