"""A GitOps repository as `sluice init` writes it, with an environment for each way to route."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sluice.commands import init

MODEL = "qwen2.5-7b-instruct"
STABLE, CANDIDATE = "1", "2"


@dataclass(frozen=True, eq=False)
class Release:
    """A release of the repository, the only one of its environment.

    Attributes:
        environment: each has its provider of traffic and its namespace.
        traffic: of its environment.
        strategy: how it rolls out.
        scaling: of its spec.
        raised: the share, in percent, that its candidate gets before it breaks.
    """

    environment: str
    traffic: Mapping[str, Any]
    strategy: str = "canary"
    scaling: Mapping[str, Any] = field(default_factory=lambda: {"replicas": 1})
    raised: int = 10
    name: str = "chat"

    @property
    def key(self) -> str:
        """As files and commands call it."""
        return f"{self.environment}/platform/{self.name}"

    @property
    def namespace(self) -> str:
        return f"ai-{self.environment}"

    @property
    def provider(self) -> str:
        return str(self.traffic["provider"])


GATEWAY = {"provider": "gateway", "gateway": {"name": "public", "namespace": "gateways"}}
MESH = {"provider": "istio", "gateway": {"name": "public", "namespace": "istio-ingress"}}
INGRESS = {"provider": "nginx", "className": "nginx"}
# Nobody serves metrics here, and so an autoscaler does nothing and is Degraded by itself.
AUTOSCALED = {"min": 1, "max": 2, "target": {"runningRequests": 4}}
RELEASES = (
    Release("canary", GATEWAY),
    Release("scaled", GATEWAY, scaling=AUTOSCALED),
    Release("swapped", GATEWAY, strategy="blue-green", raised=100),
    Release("ingress", INGRESS),
    Release("mesh", MESH),
)


def write(folder: Path, url: str) -> None:
    """Write the repository, not rendered yet.

    Args:
        folder: where; it must not be there.
        url: where Argo CD reads it.
    """
    init.write(folder)
    begun = folder / "environments" / "production"
    environment = (begun / "environment.yaml").read_text()
    release = (begun / "platform" / "chat" / "release.yaml").read_text()
    shutil.rmtree(folder / "environments")
    for one in RELEASES:
        place = folder / "environments" / one.environment
        _write(place / "environment.yaml", environment, _environment(one, environment, url))
        _write(place / "platform" / one.name / "release.yaml", release, _release(one, release))


def _environment(release: Release, text: str, url: str) -> Any:  # noqa: ANN401  # YAML
    data = yaml.safe_load(text)
    data["metadata"]["name"] = release.environment
    spec = data["spec"]
    spec["namespace"] = release.namespace
    spec["traffic"] = {**release.traffic, "host": f"{release.environment}.example.com"}
    spec["argocd"]["repoURL"] = url
    spec["argocd"]["policies"] = release is RELEASES[0]
    return data


def _release(release: Release, text: str) -> Any:  # noqa: ANN401  # YAML
    data = yaml.safe_load(text)
    spec = data["spec"]
    spec["scaling"] = dict(release.scaling)
    spec["rollout"] = {"strategy": release.strategy}
    spec["lifecycle"] = {"drain": "30s"}  # so that what was taken back soon goes
    if release.strategy == "canary":
        spec["rollout"]["steps"] = [{"weight": release.raised, "soak": "1h"}]
    return data


def _write(path: Path, former: str, data: object) -> None:
    """Write data under the first line of the file that was there, which names its schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{former.splitlines()[0]}\n{yaml.safe_dump(data, sort_keys=False)}")
