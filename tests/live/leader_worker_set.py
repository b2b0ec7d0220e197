"""Writes a stand-in for the definition of LeaderWorkerSet, which no registry serves as a module.

It has the fields of the published v1 types; unknown ones are refused. The schema of a pod is that
of KEDA's ScaledJob, whose file is the argument.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

NAME = "leaderworkersets.leaderworkerset.x-k8s.io"


def write(keda: Path) -> str:
    """Return the definition as YAML, with the schema of pods from the definitions of KEDA."""
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": NAME, "annotations": {"stand-in": "not the published definition"}},
        "spec": {
            "group": "leaderworkerset.x-k8s.io",
            "scope": "Namespaced",
            "names": {
                "kind": "LeaderWorkerSet",
                "listKind": "LeaderWorkerSetList",
                "plural": "leaderworkersets",
                "singular": "leaderworkerset",
                "shortNames": ["lws"],
            },
            "versions": [_version(_pod_schema(keda))],
        },
    }
    return yaml.safe_dump(definition, sort_keys=False)


def _pod_schema(keda: Path) -> Mapping[str, Any]:
    definitions = yaml.load_all(keda.read_bytes(), yaml.CSafeLoader)
    jobs = next(d for d in definitions if d and d["spec"]["names"]["kind"] == "ScaledJob")
    schema = jobs["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    job = schema["properties"]["spec"]["properties"]["jobTargetRef"]["properties"]
    pod: Mapping[str, Any] = job["template"]["properties"]["spec"]
    return pod


def _version(pod: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.hpaPodSelector",
            },
        },
        "schema": {
            "openAPIV3Schema": _object(
                spec=_spec(pod),
                status={"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            )
        },
    }


def _spec(pod: Mapping[str, Any]) -> dict[str, Any]:
    update = _object(
        partition=_whole(0),
        maxUnavailable={"x-kubernetes-int-or-string": True, "default": 1},
        maxSurge={"x-kubernetes-int-or-string": True, "default": 0},
    )
    spec = _object(
        replicas=_whole(1),
        startupPolicy=_one_of("LeaderCreated", "LeaderReady"),
        networkConfig=_object(subdomainPolicy={"type": "string"}),
        rolloutStrategy=_object(type=_one_of("RollingUpdate"), rollingUpdateConfiguration=update),
        leaderWorkerTemplate=_group(pod),
    )
    return {**spec, "required": ["leaderWorkerTemplate"]}


def _group(pod: Mapping[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    texts = {"type": "object", "additionalProperties": text}
    metadata = _object(name=text, namespace=text, labels=texts, annotations=texts)
    template = _object(metadata=metadata, spec=pod)
    claim = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    group = _object(
        size=_whole(1),
        restartPolicy=_one_of("RecreateGroupOnPodRestart", "RecreateGroupAfterStart", "None"),
        subGroupPolicy=_object(subGroupPolicyType=text, subGroupSize=_whole(None)),
        volumeClaimTemplates={"type": "array", "items": claim},
        persistentVolumeClaimRetentionPolicy=_object(whenDeleted=text, whenScaled=text),
        workerTemplate=template,
        leaderTemplate=template,
    )
    return {**group, "required": ["workerTemplate"]}


def _object(**properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def _whole(default: int | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer", "format": "int32"}
    return schema if default is None else {**schema, "default": default}


def _one_of(*words: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words), "default": words[0]}


if __name__ == "__main__":
    sys.stdout.write(write(Path(sys.argv[1])))
