"""One request as policies see it: the object, what it replaces, and the circumstances."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sluice.core.cel.cost import extent
from sluice.core.cel.engine import Engine
from sluice.core.finding import UsageError
from sluice.core.kubernetes.cleaning import clean
from sluice.core.policy.resources import Resource, resource_of

Object = Mapping[str, Any]
Group = tuple[str | None, ...]

_NAME_LABEL = "kubernetes.io/metadata.name"
_OPTIONS = {"CREATE": "CreateOptions", "UPDATE": "UpdateOptions", "DELETE": "DeleteOptions"}
_NAMESPACE_METADATA = (
    "name",
    "generateName",
    "labels",
    "annotations",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "finalizers",
)


@dataclass(frozen=True)
class World:
    """What else is in the cluster: parameters of policies, and namespaces by name."""

    params: tuple[Object, ...] = ()
    namespaces: Mapping[str, Object] = field(default_factory=dict)

    @cached_property
    def by_kind(self) -> Mapping[Group, tuple[Object, ...]]:
        """The parameters by API version and kind: each request asks for some."""
        return _grouped((_kind_of(one), one) for one in self.params)

    @cached_property
    def by_name(self) -> Mapping[Group, tuple[Object, ...]]:
        """The parameters by API version, kind and name."""
        return _grouped(
            ((*_kind_of(one), _text(metadata_of(one).get("name"))), one) for one in self.params
        )

    @cached_property
    def placed(self) -> frozenset[Group]:
        """The kinds of parameters of which any is in a namespace."""
        named = (one for one in self.params if metadata_of(one).get("namespace"))
        return frozenset(map(_kind_of, named))


def metadata_of(obj: Object) -> Mapping[str, Any]:
    """The metadata of an object, which may be anything."""
    metadata = obj.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _kind_of(obj: Object) -> Group:
    return _text(obj.get("apiVersion")), _text(obj.get("kind"))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _grouped(objects: Iterator[tuple[Group, Object]]) -> dict[Group, tuple[Object, ...]]:
    found: dict[Group, list[Object]] = {}
    for group, one in objects:
        found.setdefault(group, []).append(one)
    return {group: tuple(some) for group, some in found.items()}


@dataclass(frozen=True)
class Admission:
    """A request; `admit` makes it."""

    operation: str
    resource: Resource
    name: str
    namespace: str
    object: Object | None
    old: Object | None
    namespace_object: Object | None
    user: Object | None = None
    _activations: dict[tuple[int, int], Any] = field(default_factory=dict, repr=False)

    @cached_property
    def labels(self) -> tuple[Mapping[str, Any], ...]:
        """The labels of the object and of the one that it replaces."""
        return tuple(_labels(one) for one in (self.object, self.old) if one is not None)

    @property
    def namespace_labels(self) -> Mapping[str, Any]:
        """The labels that a namespace selector looks at."""
        if self.resource.kind == "Namespace":
            return _labels(self.object or self.old or {}) | {_NAME_LABEL: self.name}
        return _labels(self.namespace_object or {})

    @cached_property
    def _extents(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return extent(self.object), extent(self.old)

    @cached_property
    def size(self) -> int:
        """The most elements of any list or map in the request."""
        return max(1, *(elements for elements, _ in self._extents))

    @cached_property
    def text_size(self) -> int:
        """The characters of the longest text in the request."""
        return max(characters for _, characters in self._extents)

    @cached_property
    def request(self) -> dict[str, Any]:
        """The `request` variable."""
        resource = self.resource
        kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        plural = kind | {"resource": resource.plural}
        del plural["kind"]
        found = {
            "kind": kind,
            "resource": plural,
            "requestKind": kind,
            "requestResource": plural,
            "name": self.name,
            "namespace": self.namespace,
            "operation": self.operation,
            "userInfo": dict(self.user or {}),
            "dryRun": False,
            "options": self._options,
        }
        return {key: value for key, value in found.items() if value != ""}

    @property
    def _options(self) -> dict[str, str]:
        kind = _OPTIONS.get(self.operation, "ConnectOptions")
        return {"apiVersion": "meta.k8s.io/v1", "kind": kind}

    def data(self, params: Object | None) -> dict[str, Any]:
        """The variables of expressions."""
        return {
            "object": self.object,
            "oldObject": self.old,
            "request": self.request,
            "namespaceObject": self.namespace_object,
            "params": params,
        }

    def activation(self, engine: Engine, params: Object | None) -> Any:  # noqa: ANN401  # the engine's
        """The variables as the engine holds them, made once for all policies."""
        key = (id(engine), id(params))
        if key not in self._activations:
            self._activations[key] = engine.activation(self.data(params))
        return self._activations[key]


def admit(
    obj: Object | None,
    old: Object | None = None,
    *,
    operation: str = "",
    namespace: str = "",
    world: World | None = None,
    user: Object | None = None,
    stored: bool = False,
) -> Admission:
    """The request that would bring an object into a cluster.

    Args:
        obj: the object; None when it is deleted.
        old: what the cluster has of it.
        operation: CREATE, UPDATE or DELETE; when absent, what the two objects say.
        namespace: for namespaced objects that name none.
        world: the namespaces that are known; of others only the name is.
        user: `userInfo`; without it, expressions that ask for its fields fail.
        stored: whether the objects come from `normalise`, which leaves no nulls.

    Raises:
        UsageError: when there is neither an object nor an old one, or one is no sane object.
    """
    known = obj if obj is not None else old
    if known is None:
        raise UsageError("a request needs an object, or the old one that is deleted")
    operation, obj, old = _operation(operation, obj, old)
    resource = resource_of(known)
    name, where = _placed(known, resource, namespace)
    return Admission(
        operation=operation,
        resource=resource,
        name=name,
        namespace=name if resource.kind == "Namespace" else where,
        object=obj if obj is None or stored else clean(obj),
        old=old if old is None or stored else clean(old),
        namespace_object=_namespace(where, world or World()) if where else None,
        user=user,
    )


def _operation(
    operation: str, obj: Object | None, old: Object | None
) -> tuple[str, Object | None, Object | None]:
    """The operation, with the objects that a cluster has for it."""
    if not operation:
        operation = "DELETE" if obj is None else "CREATE" if old is None else "UPDATE"
    if operation == "DELETE":
        return operation, None, obj if old is None else old
    return operation, obj, None if operation == "CREATE" else old


def _placed(obj: Object, resource: Resource, namespace: str) -> tuple[str, str]:
    """The name of an object, and the namespace that it is in or comes into."""
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    where = str(metadata.get("namespace") or namespace or "default") if resource.namespaced else ""
    return str(metadata.get("name", "")), where


def _labels(obj: Object) -> dict[str, Any]:
    metadata = obj.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    return dict(labels) if isinstance(labels, Mapping) else {}


def _namespace(name: str, world: World) -> Object:
    """The fields of a namespace that policies may see."""
    obj = clean(world.namespaces.get(name) or {})
    given = obj.get("metadata")
    metadata = {
        key: given[key]
        for key in _NAMESPACE_METADATA
        if isinstance(given, Mapping) and key in given
    }
    metadata |= {"name": name, "labels": _labels(obj) | {_NAME_LABEL: name}}
    status = obj.get("status", {"phase": "Active"})
    return {"metadata": metadata, "spec": obj.get("spec", {}), "status": status}
