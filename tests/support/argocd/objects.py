"""Objects as a cluster keeps them: by key, applied by a three-way merge, deleted after a while.

Objects are plain data. What a server adds (defaults, generations, managed fields) is left out:
nothing that Argo CD compares depends on it, since fields that nobody applied are not compared
(util/argo/diff, three-way diff with the last applied configuration; Argo CD 3.5.7).
"""

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

CLUSTER_SCOPED = frozenset(
    {
        "ClusterRole",
        "ClusterRoleBinding",
        "CustomResourceDefinition",
        "Namespace",
        "PriorityClass",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
)
IN_CLUSTER = "https://kubernetes.default.svc"
"""The cluster that Argo CD runs in, where its own objects are."""
Data = Mapping[str, Any]


class Key(NamedTuple):
    """What identifies an object; `namespace` is empty for what is in none."""

    server: str
    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}/{self.name}"


def key_of(data: Data, server: str, namespace: str) -> Key:
    """The key of an object in a cluster; one without a namespace is put into this one."""
    metadata, kind = data["metadata"], data["kind"]
    group = data["apiVersion"].rpartition("/")[0]
    inside = "" if kind in CLUSTER_SCOPED else metadata.get("namespace", namespace)
    return Key(server, group, kind, inside, metadata["name"])


@lru_cache(maxsize=4096)
def documents(content: bytes) -> tuple[Data, ...]:
    """The objects of a manifest. They are shared: nobody may change them."""
    return tuple(d for d in yaml.load_all(content, Loader=yaml.CSafeLoader) if d)


def merged(before: Data, wanted: Data, live: Data) -> dict[str, Any]:
    """What `kubectl apply` makes of a live object.

    Lists are replaced whole. For lists of built-in types a server merges items by name, which
    differs only where somebody else added one. What comes out shares its parts with what goes in.

    Args:
        before: what was applied last.
        wanted: what is applied now.
        live: what there is.
    """
    result = {name: value for name, value in live.items() if name in wanted or name not in before}
    for name, value in wanted.items():
        there, last = live.get(name), before.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            result[name] = merged(last if isinstance(last, Mapping) else {}, value, there)
        else:
            result[name] = value
    return result


@dataclass
class Live:
    """An object in a cluster.

    Args:
        data: the object.
        applied: what was applied last (kubectl's annotation).
        owner: the Application that tracks it (the annotation `argocd.argoproj.io/tracking-id`,
            the default since Argo CD 3.0); empty when none does.
        created: when it came, in seconds.
        deleting: since when it has been marked for deletion; None when it is not.
    """

    data: dict[str, Any]
    applied: Data
    owner: str
    created: int
    deleting: int | None = None


class Change(NamedTuple):
    """Something that happened to an object: `create`, `update`, `delete` (marked) or `gone`."""

    time: int
    verb: str
    key: Key


@dataclass(repr=False)
class Cluster:
    """All objects of all clusters.

    Args:
        refuse: an admission policy: why an object is refused, or nothing.
        lasting: for how many seconds an object is marked for deletion before it is gone.
        unserved: kinds that no server knows, since their definitions are not installed.
        watch: called after each change.
    """

    refuse: Callable[[Key, Data], str] = lambda key, data: ""  # noqa: ARG005  # by position
    lasting: Callable[[Key], int] = lambda key: 30 if key.kind == "Deployment" else 0
    unserved: frozenset[str] = frozenset()
    watch: Callable[["Cluster", Change], None] | None = None
    objects: dict[Key, Live] = field(default_factory=dict)
    log: list[Change] = field(default_factory=list)
    now: int = 0

    def apply(self, key: Key, wanted: Data, owner: str = "") -> str:
        """Create or update an object; an error in the server's words, or nothing."""
        error = self._refusal(key, wanted)
        if error:
            return error
        live = self.objects.get(key)
        if live is None:
            data = deepcopy(dict(wanted))
            self.objects[key] = Live(data, wanted, owner, self.now)
            self._changed("create", key)
            return ""
        data = deepcopy(merged(live.applied, wanted, live.data))
        changes = data != live.data or live.owner != owner
        live.data, live.applied, live.owner = data, wanted, owner
        if changes:
            self._changed("update", key)
        return ""

    def edit(self, key: Key, data: dict[str, Any]) -> None:
        """Put other data into an object, as a person or a controller does."""
        if self.objects[key].data != data:
            self.objects[key].data = data
            self._changed("update", key)

    def delete(self, key: Key) -> None:
        """Mark an object for deletion; what holds it back is not looked at here."""
        live = self.objects.get(key)
        if live is None or live.deleting is not None:
            return
        live.deleting = self.now
        self._changed("delete", key)
        if not self.lasting(key) and key.kind != "Application":
            self.remove(key)

    def remove(self, key: Key) -> None:
        """Remove an object that nothing holds back any more."""
        del self.objects[key]
        self._changed("gone", key)

    def expire(self) -> None:
        """Remove what has been marked for deletion for long enough.

        An Application goes when its finalizer is done, which is its controller's work.
        """
        for key, live in list(self.objects.items()):
            if live.deleting is None or key.kind == "Application":
                continue
            if self.now - live.deleting >= self.lasting(key):
                self.remove(key)

    def of_kind(self, kind: str) -> Iterator[tuple[Key, Live]]:
        """The objects of a kind, those that are being deleted too."""
        return ((key, live) for key, live in list(self.objects.items()) if key.kind == kind)

    def _refusal(self, key: Key, wanted: Data) -> str:
        """Why a server does not take an object: client-side dry runs do not see any of this."""
        namespace = Key(key.server, "", "Namespace", "", key.namespace)
        if key.namespace and key.namespace not in GIVEN and namespace not in self.objects:
            return f'namespaces "{key.namespace}" not found'
        return self.refuse(key, wanted)

    def _changed(self, verb: str, key: Key) -> None:
        change = Change(self.now, verb, key)
        self.log.append(change)
        if self.watch:
            self.watch(self, change)


GIVEN = frozenset({"argocd", "default", "kube-system"})
"""Namespaces that are there before anything is applied."""
