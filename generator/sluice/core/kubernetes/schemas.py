"""Rendered objects against the strict schema of the target cluster's version, offline."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

import jsonschema_rs

from sluice.core.documents.manifest import Manifest
from sluice.core.documents.source import Pointer
from sluice.core.finding import Finding, Place, Rendered, dotted
from sluice.core.kubernetes.closure import schema_for


class KubernetesSchemas:
    """Compiled schemas, each built when an object of its kind is first checked.

    Args:
        read: gives the merged data of schemas/kubernetes.
    """

    def __init__(self, read: Callable[[], Mapping[str, Any]]) -> None:
        self._read = read
        self._validators: dict[tuple[str, str, str], jsonschema_rs.Validator | None] = {}

    @cached_property
    def data(self) -> Mapping[str, Any]:
        """The merged data of all kinds and versions."""
        return self._read()

    def findings(self, manifest: Manifest, version: str) -> Iterator[Finding]:
        """What a cluster of this version would refuse about the shape of a rendered object."""
        data, place = manifest.data, Place(manifest.source)
        validator = self._validator(version, data["apiVersion"], data["kind"])
        if validator is None:
            message = f"Kubernetes {version} has no {data['apiVersion']} {data['kind']}"
            remedy = "remove what asks for it, or raise cluster.kubernetesVersion"
            where = Rendered(manifest.path, ("apiVersion",))
            yield Finding(place, "K8S002", message, remedy, rendered=where)
        elif not validator.is_valid(data):
            for error in validator.iter_errors(data):
                where = Rendered(manifest.path, tuple(error.instance_path))
                message = f"{dotted(where.pointer) or 'the object'}: {error.message}"
                remedy = "see the API reference of the kind"
                yield Finding(place, "K8S001", message, remedy, rendered=where)

    def problems(self, data: Mapping[str, Any], version: str) -> Iterator[tuple[Pointer, str]]:
        """What is wrong with the shape of any object; a kind that is not known has no shape."""
        named = [data.get(key) for key in ("apiVersion", "kind")]
        if all(isinstance(name, str) for name in named):
            validator = self._validator(version, str(named[0]), str(named[1]))
            for error in validator.iter_errors(data) if validator else ():
                yield tuple(error.instance_path), error.message

    def _validator(self, version: str, api: str, kind: str) -> jsonschema_rs.Validator | None:
        key = (version, api, kind)
        if key not in self._validators:
            schema = schema_for(self.data, version, api, kind)
            compiled = None if schema is None else jsonschema_rs.validator_for(schema)
            self._validators[key] = compiled
        return self._validators[key]
