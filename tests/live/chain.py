"""The whole chain: what is pushed to a real forge is applied by a real Argo CD."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from live.argocd import NAMESPACE
from live.cluster import MERGE, Cluster
from live.estate import CANDIDATE, MODEL, Estate, Release
from live.gitea import BOT, OWNER, Gitea
from live.processes import running, wait_for
from support.git_fixtures import CLEAN, run_git

APPLICATIONS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
SLUICE = str(Path(sys.executable).parent / "sluice")
PACE = 2
"""Seconds between two looks of the daemon."""
LATER = 405
"""What Gitea answers while it does not know yet whether a pull request can be merged."""


@dataclass
class Chain:
    """A repository on the forge, its clone, and the cluster that follows it."""

    folder: Path
    cluster: Cluster
    gitea: Gitea
    estate: Estate
    url: str = ""
    clone: Path = field(init=False)

    def __post_init__(self) -> None:
        self.clone = self.folder / "clone"

    @property
    def environ(self) -> Mapping[str, str]:
        return {
            **os.environ,
            **CLEAN,
            "HOME": str(self.folder),
            "KUBECONFIG": str(self.cluster.kubeconfig),
            "SLUICE_ARGOCD": "kubernetes",
            "SLUICE_FORGE": self.gitea.address(self.estate.name),
            "SLUICE_FORGE_TOKEN": self.gitea.bot,
            "SLUICE_STATE": str(self.folder / "state"),
            "MLFLOW_TRACKING_URI": f"file:{self.folder / 'registry.json'}",
        }

    def sluice(self, *arguments: str) -> str:
        """Run a command as a person does, in the clone; return what it prints.

        Raises:
            AssertionError: when it fails.
        """
        done = subprocess.run(
            [SLUICE, *arguments],
            cwd=self.clone,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"sluice {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        with (self.folder / "said").open("a") as log:
            log.write(f"{said}\n")
        assert done.returncode == 0, said
        return done.stdout

    def publish(self) -> None:
        """Write the repository, and push it to the forge."""
        self.url = self.gitea.create(self.estate.name)
        self.estate.write(self.clone, self.url)
        run_git(self.clone, "init", "--quiet", "--initial-branch=main")
        self.sluice("render")
        self.sluice("check")
        run_git(self.clone, "add", "--all")
        run_git(self.clone, "commit", "--quiet", "--message=Model releases")
        self.push("--force")

    def pull(self) -> None:
        """Bring the clone to where main is."""
        run_git(self.clone, "pull", "--quiet", "--ff-only", self._remote, "main")

    def commit(self, message: str) -> None:
        """Commit what is in the clone, and push it, as a person does."""
        run_git(self.clone, "add", "--all")
        run_git(self.clone, "commit", "--quiet", f"--message={message}")
        self.push()

    def push(self, *options: str) -> None:
        run_git(self.clone, "push", "--quiet", *options, self._remote, "main")

    def promote(self, version: str) -> None:
        """Move the stage of the registry to a version."""
        versions = [
            {
                "version": number,
                "source": f"pvc://model-pvc/{MODEL}-awq/{number}",
                "stage": "Production" if str(number) == version else "Archived",
                "created": 1_000 * number,
                "runId": f"run-{number}",
                "metrics": {"mmlu/acc": 0.7},
            }
            for number in range(1, int(version) + 1)
        ]
        data = {"models": {MODEL: {"versions": versions}}}
        (self.folder / "registry.json").write_text(json.dumps(data))

    def reconcile(self) -> str:
        """Let the reconciler look once."""
        return self.sluice("reconcile", "--once")

    @contextlib.contextmanager
    def reconciling(self) -> Iterator[None]:
        """Let the reconciler run as a daemon until the end of the block."""
        command = [SLUICE, "reconcile", f"--interval={PACE}", f"--root={self.clone}"]
        with running(self.folder, "reconcile", command, self.environ):
            yield

    def pulls(self) -> list[Mapping[str, Any]]:
        """Return the open pull requests, as the forge tells of them."""
        pulls: list[Mapping[str, Any]] = self.gitea.ask(
            "GET", f"/repos/{OWNER}/{self.estate.name}/pulls?state=open&limit=50"
        )
        return pulls

    def merge(self, number: int) -> None:
        """Merge a pull request, as a person does: again, while the forge still looks at it."""
        path = f"/repos/{OWNER}/{self.estate.name}/pulls/{number}/merge"
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answers.append(self.gitea.send("POST", path, Do="merge"))
            return answers[-1].status_code != LATER

        wait_for(is_answered, f"pull request {number} can be merged")
        assert answers[-1].is_success, answers[-1].text

    def file(self, path: str, revision: str = "") -> str:
        """Return a file as main has it, or an earlier revision; empty when it is not there."""
        if not revision:
            run_git(self.clone, "fetch", "--quiet", self._remote, "main")
        at = revision or "FETCH_HEAD"
        there = run_git(self.clone, "ls-tree", at, path)
        return run_git(self.clone, "show", f"{at}:{path}") if there else ""

    def rollout(self, release: Release) -> Mapping[str, Any]:
        """Return what main says of a rollout, empty when there is none."""
        text = self.file(f"environments/{release.key}/rollout.yaml")
        spec: Mapping[str, Any] = yaml.safe_load(text)["spec"] if text else {}
        return spec

    def version(self, release: Release) -> str:
        """Return the version that main says is the newest one."""
        text = self.file(f"environments/{release.key}/release.yaml")
        return str(yaml.safe_load(text)["spec"]["model"]["version"])

    @property
    def _remote(self) -> str:
        return self.url.replace("://", f"://{BOT}:{self.gitea.bot}@")

    def prepare_cluster(self) -> None:
        """Make what a platform team has made before: namespaces with the volume of the models."""
        for name in (release.namespace for release in self.estate.releases):
            self.cluster.apply(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}},
                {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "metadata": {"name": "model-pvc", "namespace": name},
                    "spec": {
                        "accessModes": ["ReadOnlyMany"],
                        "storageClassName": "",
                        "resources": {"requests": {"storage": "1Ti"}},
                    },
                },
            )

    def bootstrap(self) -> None:
        """Do what the README says is done once per cluster."""
        self.cluster.kubectl("apply", f"--filename={self.clone / 'manifests' / '_bootstrap'}")

    def clear(self) -> None:
        """Take everything out of the cluster, once no Argo CD follows the repository any more."""
        for one in self.applications():
            path = f"{APPLICATIONS}/{one['metadata']['name']}"
            self.cluster.ask("PATCH", path, {"metadata": {"finalizers": None}}, kind=MERGE)
            self.cluster.ask("DELETE", path)
        names = [release.namespace for release in self.estate.releases]
        self.cluster.kubectl("delete", "namespace", *names, "--wait=false", "--ignore-not-found")

    def applications(self) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = self.cluster.ask("GET", APPLICATIONS).json()["items"]
        return items

    def health(self, release: Release) -> str:
        """Return what Argo CD says of the health of a release's workloads."""
        name = f"{release.environment}.{release.name}"
        (one,) = [item for item in self.applications() if item["metadata"]["name"] == name]
        return str(one.get("status", {}).get("health", {}).get("status"))

    def report(self, release: Release | None = None) -> str:
        """Return in lines, for failures, what Argo CD says, and what Git and a route do."""
        lines = [_line(one) for one in self.applications()]
        if release is not None:
            lines.append(
                f"the route gives {self.share(release)} %, Git says {self.rollout(release)}"
            )
        return "\n".join(lines)

    def share(self, release: Release) -> int | None:
        """Return the share of the candidate, in percent, that the live route gives.

        None when there is no route yet.
        """
        return _SHARES[release.provider](self.cluster, release)

    def break_candidate(self, release: Release) -> None:
        """Make the pods of the candidate unready, as a probe that fails does."""
        selector = f"sluice.dev/release={release.name},sluice.dev/version={CANDIDATE}"
        pods = self.cluster.list("pods", release.namespace, selector)
        assert pods, f"no pods of version {CANDIDATE} of {release.key}"
        unready = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        for pod in pods:
            self.cluster.kubectl(
                *("patch", "pod", pod["metadata"]["name"], f"--namespace={release.namespace}"),
                *("--subresource=status", "--type=strategic", f"--patch={json.dumps(unready)}"),
            )

    def ready_replicas(self, release: Release, version: str) -> int:
        """Return how many pods of a version are ready."""
        name = f"{release.name}-v{version}"
        found = self.cluster.get("deployment", name, release.namespace)
        return int(found.get("status", {}).get("readyReplicas", 0))


def _line(item: Mapping[str, Any]) -> str:
    status = item.get("status", {})
    operation = status.get("operationState", {})
    conditions = [f"{c['type']}: {c['message']}" for c in status.get("conditions", ())]
    words = [
        item["metadata"]["name"],
        status.get("sync", {}).get("status", "?"),
        status.get("health", {}).get("status", "?"),
        operation.get("phase", "no operation"),
        operation.get("message", ""),
        *conditions,
    ]
    return " | ".join(word for word in words if word)


def _of_backends(cluster: Cluster, release: Release) -> int | None:
    """Of the Gateway API: by the names of the Services, which are those of the versions."""
    route = cluster.get("httproute", release.name, release.namespace)
    if not route:
        return None
    references = [r for rule in route["spec"]["rules"] for r in rule["backendRefs"]]
    return _candidates({r["name"]: r.get("weight", 1) for r in references})


def _of_annotations(cluster: Cluster, release: Release) -> int | None:
    """Of nginx: by the annotation of the second Ingress, while the main one names another."""
    main = cluster.get("ingress", release.name, release.namespace)
    if not main:
        return None
    paths = [path for rule in main["spec"]["rules"] for path in rule["http"]["paths"]]
    if all(path["backend"]["service"]["name"].endswith(f"-v{CANDIDATE}") for path in paths):
        return 100
    canary = cluster.get("ingress", f"{release.name}-canary", release.namespace)
    annotations = canary.get("metadata", {}).get("annotations", {})
    return int(annotations.get("nginx.ingress.kubernetes.io/canary-weight", 0))


def _of_destinations(cluster: Cluster, release: Release) -> int | None:
    """Of a mesh: by the hosts, or the subsets of one, that a VirtualService names."""
    route = cluster.get("virtualservice", release.name, release.namespace)
    if not route:
        return None
    ways = [way for http in route["spec"]["http"] for way in http["route"]]
    names = [f"{w['destination']['host']}-{w['destination'].get('subset', '')}" for w in ways]
    weights = [way.get("weight", 100) for way in ways]
    return _candidates(dict(zip(names, weights, strict=True)))


def _candidates(weights: Mapping[str, int]) -> int:
    whole = sum(weights.values())
    parts = [weight for name, weight in weights.items() if f"-v{CANDIDATE}" in name]
    return round(100 * sum(parts) / whole) if whole else 0


_SHARES = {
    "gateway": _of_backends,
    "nginx": _of_annotations,
    "istio": _of_destinations,
}
