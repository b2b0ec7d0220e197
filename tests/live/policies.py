"""Policies in force on a real API server."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from live.cluster import Cluster
from live.processes import wait_for

Object = Mapping[str, Any]

POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
MARKER = "sluice-live-marker"
KEEPER = "sluice-live-keeper"
"""Policies that stay: a server of 1.34 that has seen the last policy with ConfigMaps for parameters
go reads ConfigMaps never again, and the next such policy decides by those of that day."""
IN_FORCE = "the marker is in force"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
_NUMBERS = count()


@contextlib.contextmanager
def in_force(cluster: Cluster, objects: Sequence[Object]) -> Iterator[None]:
    """Install policies and bindings, and return once the server asks them with their parameters.

    A further policy for each kind of parameters, made after them, tells when: the server reads
    policies in order, and the objects of a kind all at once.
    """
    kinds = {json.dumps(o["spec"]["paramKind"]) for o in objects if "paramKind" in o["spec"]}
    # Names of their own: one that was deleted a moment ago may still be asked, and tells nothing.
    markers = [_marker(f"{MARKER}-{next(_NUMBERS)}", kind) for kind in ["null", *sorted(kinds)]]
    made = [*objects, *(one for marker in markers for one in marker)]
    for kind in kinds:
        cluster.apply(*_marker(f"{KEEPER}-{json.loads(kind)['kind'].lower()}", kind))
    try:
        cluster.apply(*made)
        for policy, *_ in markers:
            wait_for(partial(_is_asked, cluster, policy), "the policies are in force")
        yield
    finally:
        names = yaml.safe_dump_all(made)
        cluster.kubectl("delete", "--ignore-not-found", "--filename=-", stdin=names)


def _marker(name: str, written: str) -> list[Object]:
    """Return a policy that refuses one lease, its binding, and its parameter if it has one."""
    kind = json.loads(written)
    rule = {
        "apiGroups": ["coordination.k8s.io"],
        "apiVersions": ["v1"],
        "operations": ["CREATE"],
        "resources": ["leases"],
        "resourceNames": [name],
    }
    metadata = {"name": name, "namespace": "default"}
    reference = {**metadata, "parameterNotFoundAction": "Allow"}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "false", "message": IN_FORCE}],
            **({"paramKind": kind} if kind else {}),
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            **({"paramRef": reference} if kind else {}),
        },
    }
    return [policy, binding, *([{**kind, "metadata": metadata}] if kind else [])]


def _is_asked(cluster: Cluster, policy: Object) -> bool:
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": policy["metadata"]["name"], "namespace": "default"},
    }
    return IN_FORCE in cluster.ask("POST", LEASES, lease, dryRun="All").text


def read_policies(folder: Path) -> list[Any]:
    """Return the policies and bindings of a folder."""
    return [one for path in sorted(folder.glob("*.yaml")) for one in read_policy_file(path)]


def read_policy_file(path: Path) -> list[Any]:
    """Return the policies and bindings of a file."""
    documents = yaml.safe_load_all(path.read_bytes())
    return [one for one in documents if one and one["kind"].startswith("ValidatingAdmission")]
