"""Checking a thousand Deployments, against the pure-Python validator in the same run."""

import copy
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jsonschema

from benchmarks.bench_render import ROOT, repository
from sluice import files
from sluice.core.cel.engine import declarations_of, engine_for
from sluice.core.kubernetes.closure import schema_for
from sluice.core.kubernetes.defaults import normalise
from sluice.core.kubernetes.rules import semantic_problems
from sluice.core.policy.admission import World, admit
from sluice.core.policy.evaluate import evaluate
from sluice.core.policy.layer import check_types, read_policies
from sluice.core.policy.plan import compile_policy
from sluice.workspace.semantic_texts import read_semantic_rules
from sluice.workspace.toolkit import make_toolkit
from sluice.workspace.workspace import Workspace, open_workspace

VERSION = "1.34"
DEPLOYMENT = "manifests/production/platform/chat/deployment-v2.yaml"
FEW = 50
"""Objects for the slow validator, whose time is scaled up."""


def deployments(count: int) -> list[dict[str, Any]]:
    """The reference Deployment under many names."""
    reference = open_workspace(ROOT).render()[DEPLOYMENT].data
    return [_named(reference, f"chat-{number}") for number in range(count)]


def _named(reference: Mapping[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(dict(reference))
    found["metadata"]["name"] = name
    labels = {"sluice.dev/release": name}
    found["spec"]["selector"]["matchLabels"] = labels
    found["spec"]["template"]["metadata"]["labels"] |= labels
    return found


def seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def run(count: int = 1000) -> dict[str, float]:
    """Seconds for each layer over all objects, and for the other validator."""
    objects = deployments(count)
    kubernetes = make_toolkit().kubernetes
    list(kubernetes.problems(objects[0], VERSION))  # compiles the schema
    schema = schema_for(kubernetes.data, VERSION, "apps/v1", "Deployment")
    slow = jsonschema.Draft202012Validator(schema or {})
    pairs = [(f"{number}.yaml", data) for number, data in enumerate(objects)]
    rules = read_semantic_rules()
    return {
        "schema": seconds(lambda: [list(kubernetes.problems(o, VERSION)) for o in objects]),
        "semantic rules": seconds(lambda: list(semantic_problems(pairs, VERSION, rules))),
        "policies of the repository": seconds(lambda: _policies(objects)),
        "policies compiled": seconds(_compile_anew),
        "policies compiled, and typed for each kind": seconds(_type_anew),
        "schema, pure Python": seconds(lambda: [slow.is_valid(o) for o in objects[:FEW]])
        * (count / FEW),
        "one changed release of 10,000, whole process": _one_of_many(10_000),
    }


def _policies(objects: list[dict[str, Any]]) -> None:
    """As `sluice check` asks them, compiling included."""
    policies = read_policies(open_workspace(ROOT).files)
    plans = [compile_policy(policy, (1, 34)) for policy in policies.policies]
    labels = {"app.kubernetes.io/managed-by": "sluice"}
    namespace = objects[0]["metadata"]["namespace"]
    metadata = {"name": namespace, "labels": labels}
    world = World(policies.params, {namespace: {"kind": "Namespace", "metadata": metadata}})
    for data in objects:
        asked = admit(normalise(data, (1, 34)), world=world, stored=True)
        for plan in plans:
            evaluate(plan, policies.bindings, asked, world)


def _compile_anew() -> None:
    """Every policy of the repository, by an engine that has seen none of them."""
    declarations_of.cache_clear()
    engine_for.cache_clear()
    for policy in read_policies(open_workspace(ROOT).files).policies:
        compile_policy(policy, (1, 34))


def _type_anew() -> None:
    """As `sluice check` does for one version of Kubernetes, by an engine that has seen none."""
    declarations_of.cache_clear()
    engine_for.cache_clear()
    policies = read_policies(open_workspace(ROOT).files)
    list(check_types(policies, VERSION, make_toolkit().kubernetes.data, lambda _: None))


def _one_of_many(count: int) -> float:
    """`sluice check --base` after one release changed, as its own process."""
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        many = repository(count)
        rendered = {path: m.content() for path, m in Workspace(many).render().items()}
        files.write(top, {**many, **rendered})
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            who = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
            subprocess.run(["git", *who, *command], cwd=top, check=True)
        spec = top / "environments/production/team0/chat-0/release.yaml"
        spec.write_bytes(spec.read_bytes().replace(b"maxModelLen: 8192", b"maxModelLen: 8000"))
        subprocess.run([sys.executable, "-m", "sluice", "render"], cwd=top, check=True)
        command = [sys.executable, "-m", "sluice", "check", "--base", "HEAD"]
        return min(seconds(lambda: subprocess.run(command, cwd=top, check=True)) for _ in range(3))


def report(measured: dict[str, float]) -> list[str]:
    """The numbers, and how many times faster the schema layer is than the pure-Python one."""
    lines = [f"{name}: {value:.3f} s" for name, value in measured.items()]
    ratio = measured["schema, pure Python"] / measured["schema"]
    typing = measured["policies compiled, and typed for each kind"] / measured["policies compiled"]
    return [
        *lines,
        f"ratio: {ratio:.0f} times faster than the pure-Python validator",
        f"ratio: types for all kinds take {typing:.1f} times as long as compiling once",
    ]
