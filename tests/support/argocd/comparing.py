"""What is wanted against what is there: the comparison of an Application (controller/state.go)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from support.argocd.applications import Resource
from support.argocd.objects import Cluster, Data, Key, key_of, merged
from support.argocd.sync import Pair


def pairs_of(
    name: str, spec: Mapping[str, Any], wanted: Sequence[Data], cluster: Cluster
) -> list[Pair]:
    """Every object that an Application wants or tracks (gitops-engine, sync.Reconcile).

    An object that is wanted is the Application's, whoever tracks it now.
    """
    destination, live = spec["destination"], cluster.objects
    targets = {key_of(d, destination["server"], destination["namespace"]): d for d in wanted}
    pairs = [Pair(key, data, live.get(key)) for key, data in targets.items()]
    tracked = [(key, has) for key, has in live.items() if has.owner == name]
    return [*pairs, *(Pair(key, None, has) for key, has in tracked if key not in targets)]


def compared(name: str, spec: Mapping[str, Any], pair: Pair) -> Resource:
    """Whether an object is as it is wanted: applying it again would change nothing."""
    if pair.target is None or pair.live is None:
        return Resource(pair.key, synced=False, prunes=pair.target is None)
    live, target, before = pair.live.data, pair.target, pair.live.applied
    for path in _ignored(spec, pair.key):
        live, target, before = (_without(data, path) for data in (live, target, before))
    same = merged(before, target, live) == live and pair.live.owner == name
    return Resource(pair.key, synced=same)


def respected(
    spec: Mapping[str, Any], options: Sequence[str], pairs: Sequence[Pair]
) -> Iterator[Pair]:
    """What is applied: with live values where differences are ignored and that is respected
    (controller/sync.go, normalizeTargetResources)."""
    respects = "RespectIgnoreDifferences=true" in options
    for pair in pairs:
        target = pair.target
        if respects and target is not None and pair.live is not None:
            for path in _ignored(spec, pair.key):
                target = _copied(pair.live.data, target, path)
        yield Pair(pair.key, target, pair.live)


def _ignored(spec: Mapping[str, Any], key: Key) -> Iterator[list[str]]:
    """The fields of an object that are not compared, each as the names that lead to it.

    Raises:
        NotImplementedError: for expressions, which this model does not evaluate.
    """
    for entry in spec.get("ignoreDifferences", ()):
        if entry.get("group", "") != key.group or entry["kind"] != key.kind:
            continue
        if "jqPathExpressions" in entry:
            raise NotImplementedError("this model does not evaluate jqPathExpressions")
        yield from (pointer.strip("/").split("/") for pointer in entry.get("jsonPointers", ()))


def _without(data: Data, path: Sequence[str]) -> dict[str, Any]:
    """Data without the field at a path."""
    first, *rest = path
    kept = {name: value for name, value in data.items() if name != first or rest}
    if rest and isinstance(kept.get(first), Mapping):
        kept[first] = _without(kept[first], rest)
    return kept


def _copied(live: Data, target: Data, path: Sequence[str]) -> Data:
    """Data with what a live object has at a path, or without it where that one has nothing."""
    first, *rest = path
    if first not in live:
        return _without(target, path)
    if not rest:
        return {**target, first: live[first]}
    if not isinstance(live[first], Mapping):
        return target
    return {**target, first: _copied(live[first], target.get(first, {}), rest)}
