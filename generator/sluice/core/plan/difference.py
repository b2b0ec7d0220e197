"""What a change does: objects created, updated and deleted, devices and cost before and after."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sluice.core import layout
from sluice.core.capacity.quota import exceeds, left_over
from sluice.core.catalog.entries import Catalog
from sluice.core.documents.manifest import Manifest
from sluice.core.layout import Key
from sluice.core.pipeline import Specs, standings
from sluice.core.plan.comparison import Field, compare
from sluice.core.plan.cost import Totals, totals_by_scope
from sluice.core.plan.rule_change import RuleChange

Action = Literal["create", "update", "delete"]


_WORKLOADS = ("Deployment", "LeaderWorkerSet")
_WAITS = (
    "updating it waits for devices: one replica more than now is to start first, and the releases "
    "together leave no room for it in the quota; set accelerators.spare to 0 or raise the quota"
)


@dataclass(frozen=True, slots=True)
class Change:
    """One object that changes."""

    action: Action
    path: str
    kind: str
    name: str
    namespace: str
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A release whose version changes; empty where it did not or does not exist."""

    release: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole difference between two trees of specs.

    `totals` are by environment, and by team and release (`env/team/release`) where they change;
    `notices` are what the update of a running workload means for its clients. `rules` are what
    changes of the policies, gates and limits themselves.
    """

    changes: tuple[Change, ...]
    moves: tuple[Move, ...]
    totals: Mapping[str, tuple[Totals, Totals]]
    notices: tuple[str, ...] = ()
    rules: tuple[RuleChange, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.rules)


def plan(
    before: Specs,
    after: Specs,
    rendered_before: Mapping[str, Manifest],
    rendered_after: Mapping[str, Manifest],
    catalog: Catalog,
    rules: Sequence[RuleChange] = (),
) -> Plan:
    """Compare two trees, each with its specs and what they render.

    Args:
        before: the specs of the first tree.
        after: those of the second.
        rendered_before: what Argo CD applies of the first.
        rendered_after: what it applies of the second.
        catalog: for devices and prices.
        rules: which rules differ.
    """
    changes = tuple(_changes(rendered_before, rendered_after))
    keys = sorted(after.differing(before))
    return Plan(
        changes,
        tuple(_moves(keys, before, after)),
        _compared(keys, before, after, catalog),
        (
            *_notices(keys, changes, rendered_after, after, catalog),
            *_renamings(keys, changes, rendered_after),
        ),
        tuple(rules),
    )


def _compared(
    keys: Collection[Key], before: Specs, after: Specs, catalog: Catalog
) -> dict[str, tuple[Totals, Totals]]:
    old, new = (totals_by_scope(specs, catalog, keys) for specs in (before, after))
    scopes = sorted(old.keys() | new.keys())
    pairs = {s: (old.get(s, Totals()), new.get(s, Totals())) for s in scopes}
    return {s: p for s, p in pairs.items() if "/" not in s or p[0] != p[1]}


def _notices(
    keys: Collection[Key],
    changes: Sequence[Change],
    rendered: Mapping[str, Manifest],
    specs: Specs,
    catalog: Catalog,
) -> Iterator[str]:
    """What it means that pods of a running workload are replaced, where it is not harmless."""
    owners = {layout.release_directory(key): key for key in keys if key in specs.releases}
    for change in changes:
        key = owners.get(change.path.rpartition("/")[0])
        if key and change.action == "update" and any(map(_replaces_pods, change.fields)):
            strategy = rendered[change.path].data["spec"].get("strategy", {})
            release = specs.releases[key]
            said = _meaning(strategy, release.spec.scaling.least)
            use = standings(specs, catalog)[key.environment].use
            left = left_over(release.environment, use)
            if not said and exceeds(left, release.spec, catalog):
                said = _WAITS
            if said:
                yield f"{key}: {said}"


def _renamings(
    keys: Collection[Key], changes: Sequence[Change], rendered: Mapping[str, Manifest]
) -> Iterator[str]:
    """Releases of which every running workload goes as another one comes, which is not ready yet.

    A change of `rollout.strategy` does that to the name; a rollout never does: one version stays.
    """
    for key in keys:
        folder = layout.release_directory(key)
        acts = {
            action: [
                change
                for change in changes
                if change.action == action
                and change.kind in _WORKLOADS
                and change.path.rpartition("/")[0] == folder
            ]
            for action in ("create", "delete")
        }
        remaining = [
            path
            for path, manifest in rendered.items()
            if path.rpartition("/")[0] == folder and manifest.data["kind"] in _WORKLOADS
        ]
        if acts["delete"] and acts["create"] and len(remaining) == len(acts["create"]):
            old, new = (acts[action][0].name for action in ("delete", "create"))
            yield f"{key}: this means downtime: {old} goes at once, and {new} is not ready yet"


def _replaces_pods(field: Field) -> bool:
    return field.pointer.startswith("spec.template.")


def _meaning(strategy: Mapping[str, Any], least: int) -> str:
    if strategy.get("type") == "Recreate":
        return "updating it means downtime: its strategy stops all replicas before new ones start"
    if strategy.get("rollingUpdate", {}).get("maxSurge") != 0:
        return ""
    why = "the quota has no room for one more"
    if least <= 1:
        return f"updating it means downtime: its only replica stops before a new one starts, {why}"
    return f"one replica fewer serves while it is updated: {why}"


def _changes(before: Mapping[str, Manifest], after: Mapping[str, Manifest]) -> Iterator[Change]:
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None and new is not None:
            yield _change("create", new)
        elif new is None and old is not None:
            yield _change("delete", old)
        elif old is not None and new is not None and old.data != new.data:
            yield _change("update", new, tuple(compare(old.data, new.data)))


def _change(action: Action, manifest: Manifest, fields: tuple[Field, ...] = ()) -> Change:
    metadata = manifest.data["metadata"]
    return Change(
        action,
        manifest.path,
        manifest.data["kind"],
        metadata["name"],
        metadata.get("namespace", ""),
        fields,
    )


def _moves(keys: Sequence[Key], before: Specs, after: Specs) -> Iterator[Move]:
    for key in keys:
        found = (before.releases.get(key), after.releases.get(key))
        old, new = (r.spec.model.version if r else "" for r in found)
        if old != new:
            yield Move(str(key), old, new)
