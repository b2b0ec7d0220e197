"""A GitOps repository as `sluice init` writes it, with an environment for each way to route."""

import shutil
from collections.abc import Mapping, Sequence
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
        raised: the share, in percent, that its candidate gets first.
        rollout: more of its spec's `rollout`.
    """

    environment: str
    traffic: Mapping[str, Any]
    strategy: str = "canary"
    scaling: Mapping[str, Any] = field(default_factory=lambda: {"replicas": 1})
    raised: int = 10
    rollout: Mapping[str, Any] = field(default_factory=dict)
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
# Those that are hindered, each in its own way.
HINDERED = tuple(Release(name, GATEWAY) for name in ("closed", "paused", "refused"))
HEADER = {"match": {"header": {"name": "x-model-release", "value": "next"}}}
# Those that go on by what a Prometheus tells of them.
JUDGED = (
    Release("judged", GATEWAY),
    Release("judged-ingress", INGRESS),
    Release("judged-mesh", MESH),
    Release("switched", INGRESS, strategy="blue-green", raised=100),
    Release("switched-back", GATEWAY, strategy="blue-green", raised=100),
    Release("chosen", GATEWAY, strategy="ab", raised=0, rollout=HEADER),
    Release("chosen-mesh", MESH, strategy="ab", raised=0, rollout=HEADER),
)


@dataclass(frozen=True)
class Estate:
    """A repository.

    Attributes:
        name: on the forge.
        releases: what it serves.
        prometheus: the address of who counts requests; where nobody does, nothing goes on by
            itself.
    """

    name: str
    releases: Sequence[Release]
    prometheus: str = ""

    def write(self, folder: Path, url: str) -> None:
        """Write it, not rendered yet.

        Args:
            folder: where; it must not be there.
            url: where Argo CD reads it.
        """
        init.write(folder)
        begun = folder / "environments" / "production"
        environment = (begun / "environment.yaml").read_text()
        release = (begun / "platform" / "chat" / "release.yaml").read_text()
        shutil.rmtree(folder / "environments")
        for one in self.releases:
            place = folder / "environments" / one.environment
            _write(
                place / "environment.yaml", environment, self._environment(one, environment, url)
            )
            path = place / "platform" / one.name / "release.yaml"
            _write(path, release, self._release(one, release))

    def _environment(self, release: Release, text: str, url: str) -> Any:  # noqa: ANN401  # YAML
        data = yaml.safe_load(text)
        data["metadata"]["name"] = release.environment
        spec = data["spec"]
        spec["namespace"] = release.namespace
        spec["traffic"] = {**release.traffic, "host": f"{release.environment}.example.com"}
        spec["argocd"]["repoURL"] = url
        spec["argocd"]["policies"] = release is self.releases[0]
        if self.prometheus:
            spec["promotion"] = {"review": "automatic"}
            spec["sources"]["unlisted"] = list(spec["sources"]["allowed"])
            spec["monitoring"]["prometheus"] = {"address": self.prometheus, "delay": "3s"}
        return data

    def _release(self, release: Release, text: str) -> Any:  # noqa: ANN401  # YAML
        data = yaml.safe_load(text)
        spec = data["spec"]
        spec["scaling"] = dict(release.scaling)
        spec["rollout"] = {"strategy": release.strategy, **release.rollout}
        spec["lifecycle"] = {"drain": "30s"}  # so that what was taken back soon goes
        if release.strategy in ("canary", "ab"):
            soak = "5s" if self.prometheus else "1h"
            spec["rollout"]["steps"] = [{"weight": release.raised, "soak": soak}]
        if self.prometheus:
            spec["rollout"] |= {"rollbackWindow": "5s", "analysis": {"warmUp": "1s"}}
        return data


def _write(path: Path, former: str, data: object) -> None:
    """Write data under the first line of the file that was there, which names its schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{former.splitlines()[0]}\n{yaml.safe_dump(data, sort_keys=False)}")
