"""Which real servers are at hand, and how to get those that are missing."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD = "tests/live/build.sh"


def cache() -> Path:
    """Return the folder that build.sh builds into."""
    given = os.environ.get("SLUICE_LIVE_CACHE")
    if given:
        return Path(given).expanduser().resolve()
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(home) / "sluice-live"


def versions() -> dict[str, str]:
    """Return the version of each server, as versions.env has them."""
    lines = (HERE / "versions.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: version for name, _, version in pairs}


@dataclass(frozen=True)
class Part:
    """A server with what it needs.

    Attributes:
        name: as people call it, with its version.
        target: of build.sh, empty for what is only installed.
        files: what build.sh leaves in the cache.
        programs: what must be installed.
    """

    name: str
    target: str
    files: tuple[str, ...]
    programs: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Return what is missing, each with how to get it."""
        files = [file for file in self.files if not (cache() / file).exists()]
        lacking = [f"{', '.join(files)} in {cache()}: {BUILD} {self.target}"] if files else []
        return lacking + [
            f"{program}: {INSTALL[program]}"
            for program in self.programs
            if shutil.which(program) is None
        ]


def need(*parts: Part) -> None:
    """Skip what cannot run here, with what is missing and how to get it."""
    for part in parts:
        missing = part.missing()
        if missing:
            pytest.skip(f"{part.name} is not here. Missing: {'; '.join(missing)}")


def check_version(name: str, answered: str) -> None:
    """Refuse a server of another version than versions.env names.

    Args:
        name: of the server there.
        answered: what the server says of itself.
    """
    wanted = _VERSIONS[name]
    way = f"remove it from {cache()} and build it again"
    assert answered.lstrip("v") == wanted, f"{name} is {answered}, not {wanted}: {way}"


INSTALL = {
    "redis-server": "apt-get install redis-server",
    "git": "apt-get install git",
    "prometheus": "apt-get install prometheus",
}
_VERSIONS = versions()
DEFINITIONS = (
    "argocd",
    "argo-rollouts",
    "gateway-api",
    "inference",
    "istio",
    "keda",
    "leaderworkerset",
    "prometheus-operator",
)
KUBERNETES = Part(
    f"Kubernetes {_VERSIONS['KUBERNETES']}",
    "kubernetes definitions",
    (
        "etcd",
        "kube-apiserver",
        "kubectl",
        "kube-controller-manager",
        *(f"crds/{name}.yaml" for name in DEFINITIONS),
    ),
)
NODES = Part(
    f"kwok {_VERSIONS['KWOK']}, which plays the nodes",
    "kubernetes kwok",
    ("kube-scheduler", "kwok", "kwok-stages.yaml"),
)
ARGOCD = Part(
    f"Argo CD {_VERSIONS['ARGOCD']}",
    "argocd",
    ("argocd", "argocd-config", "git-verify-wrapper.sh"),
    ("redis-server", "git"),
)
GITEA = Part(f"Gitea {_VERSIONS['GITEA']}", "gitea", ("gitea",), ("git",))
PROMETHEUS = Part("Prometheus", "", (), ("prometheus",))
