"""What Argo CD makes of the spec of an Application or an AppProject.

Its controller reads objects into typed records and writes them back, so that whatever a record does
not keep is lost: unknown fields, and zero values of fields with `omitempty`. It writes at least
whenever it starts an automated sync (util/argo/argo.go, SetAppOperation: an update of the whole
object), and when NormalizeApplicationSpec changes something (controller/appcontroller.go,
normalizeApplication). What is rendered must survive both, or the Application that has it in Git
differs from the live one for ever, and heals itself without end.

Types: pkg/apis/application/v1alpha1/types.go at 3.5.7, and what was otherwise since 3.0.
"""

from collections.abc import Mapping
from typing import Any, Literal

Version = Literal["3.0", "3.1", "3.2", "3.3", "3.4", "3.5"]
VERSIONS: tuple[Version, ...] = ("3.0", "3.1", "3.2", "3.3", "3.4", "3.5")
NEWEST: Version = "3.5"

KEEP = "kept as it is: a pointer, or a field without omitempty"
OMIT = "dropped when it is zero: omitempty"
Rule = Any
"""KEEP, OMIT, a mapping (a pointer to a record: kept, even empty), or a list of one mapping
(a list of records with omitempty)."""

DESTINATION: Rule = {"server": OMIT, "namespace": OMIT, "name": OMIT}
SOURCE: Rule = {
    "repoURL": KEEP,
    "path": OMIT,
    "targetRevision": OMIT,
    "directory": {"recurse": OMIT, "jsonnet": OMIT, "exclude": OMIT, "include": OMIT},
    "chart": OMIT,
    "ref": OMIT,
    "name": OMIT,
    "tagPrefix": OMIT,
}
RETRY: Rule = {
    "limit": OMIT,
    "backoff": {"duration": OMIT, "factor": KEEP, "maxDuration": OMIT},
    "refresh": OMIT,
}
AUTOMATED: Rule = {"prune": KEEP, "selfHeal": KEEP, "allowEmpty": KEEP, "enabled": KEEP}
SYNC_POLICY: Rule = {
    "automated": AUTOMATED,
    "syncOptions": OMIT,
    "retry": RETRY,
    "managedNamespaceMetadata": {"labels": OMIT, "annotations": OMIT},
}
APPLICATION: Rule = {
    "source": SOURCE,
    "destination": DESTINATION,
    "project": KEEP,
    "syncPolicy": SYNC_POLICY,
    "ignoreDifferences": [
        {
            "group": OMIT,
            "kind": KEEP,
            "name": OMIT,
            "namespace": OMIT,
            "jsonPointers": OMIT,
            "jqPathExpressions": OMIT,
            "managedFieldsManagers": OMIT,
        }
    ],
    "info": [{"name": KEEP, "value": KEEP}],
    "revisionHistoryLimit": KEEP,
}
APP_PROJECT: Rule = {
    "sourceRepos": OMIT,
    "destinations": [DESTINATION],
    "description": OMIT,
    "clusterResourceWhitelist": [{"group": KEEP, "kind": KEEP, "name": OMIT}],
    "clusterResourceBlacklist": [{"group": KEEP, "kind": KEEP, "name": OMIT}],
    "namespaceResourceWhitelist": [{"group": KEEP, "kind": KEEP}],
    "namespaceResourceBlacklist": [{"group": KEEP, "kind": KEEP}],
    "sourceNamespaces": OMIT,
    "permitOnlyProjectScopedClusters": OMIT,
    "syncWindows": [
        {
            "kind": OMIT,
            "schedule": OMIT,
            "duration": OMIT,
            "applications": OMIT,
            "namespaces": OMIT,
            "clusters": OMIT,
            "manualSync": OMIT,
            "timeZone": OMIT,
        }
    ],
}


def normalised(kind: str, spec: Mapping[str, Any], version: Version = NEWEST) -> dict[str, Any]:
    """The spec of an Application or an AppProject after Argo CD has written it back.

    Args:
        kind: which of the two.
        spec: the spec that was applied.
        version: of Argo CD.
    """
    if kind == "AppProject":  # nothing but the round trip: only finalizers are written back
        kept: dict[str, Any] = _kept(spec, APP_PROJECT)
        return kept
    return _normalise_application(_kept(spec, _rules(version)))


def _rules(version: Version) -> Rule:
    """What an Application keeps in a version."""
    automated, retry = dict(AUTOMATED), dict(RETRY)
    if version < "3.4":  # plain booleans with omitempty until 3.3
        automated |= {"prune": OMIT, "selfHeal": OMIT, "allowEmpty": OMIT}
    if version < "3.2":  # syncPolicy.retry.refresh came with 3.2 (argo-cd#11494)
        del retry["refresh"]
    if version < "3.1":  # syncPolicy.automated.enabled came with 3.1
        del automated["enabled"]
    return {**APPLICATION, "syncPolicy": {**SYNC_POLICY, "automated": automated, "retry": retry}}


def _normalise_application(spec: dict[str, Any]) -> dict[str, Any]:
    """NormalizeApplicationSpec and NormalizeSource (util/argo/argo.go)."""
    spec["project"] = spec.get("project") or "default"
    policy = spec.get("syncPolicy")
    if policy is not None and not policy:  # SyncPolicy.IsZero
        del spec["syncPolicy"]
    source = spec.get("source", {})
    if "directory" in source and not source["directory"]:  # neither recurse, jsonnet nor a filter
        del source["directory"]
    return spec


def _kept(value: Any, rule: Rule) -> Any:  # noqa: ANN401  # any part of a spec
    """What a typed record keeps of a value."""
    if isinstance(rule, list):
        return [_kept(item, rule[0]) for item in value]
    if not isinstance(rule, dict):
        return value
    kept = {name: _kept(item, rule[name]) for name, item in value.items() if name in rule}
    return {name: item for name, item in kept.items() if not _is_dropped(item, rule[name])}


def _is_dropped(value: Any, rule: Rule) -> bool:  # noqa: ANN401  # any part of a spec
    return not value if rule is OMIT or isinstance(rule, list) else value is None
