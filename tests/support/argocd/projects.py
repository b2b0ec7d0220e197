"""What an AppProject lets its Applications do."""

from collections.abc import Mapping
from typing import Any

from support.argocd.objects import CLUSTER_SCOPED, Key

Rules = Mapping[str, Any]
"""The spec of a project; empty for the project that is always there and permits everything."""


def forbidden_source(name: str, rules: Rules, spec: Mapping[str, Any]) -> str:
    """Why an Application may not be what it says, or nothing (controller, refreshAppConditions)."""
    repository, destination = spec["source"]["repoURL"], spec["destination"]
    if not rules:
        return ""
    if repository not in rules["sourceRepos"]:
        return f"application repo {repository} is not permitted in project {name}"
    if (destination["server"], destination["namespace"]) not in _destinations(rules):
        return f"application destination {destination} is not permitted in project {name}"
    return ""


def forbidden_object(rules: Rules, key: Key) -> str:
    """Why an object may not be applied, or nothing (controller, validateSyncPermissions)."""
    if not rules:
        return ""
    inside = key.kind not in CLUSTER_SCOPED
    listed = rules.get(f"{'namespace' if inside else 'cluster'}ResourceWhitelist", ())
    if not any(_covers(entry, key) for entry in listed):
        return f"resource {key} is not permitted in project"
    if inside and (key.server, key.namespace) not in _destinations(rules):
        return f"namespace {key.namespace} is not permitted in project"
    return ""


def _destinations(rules: Rules) -> set[tuple[str, str]]:
    return {(entry["server"], entry["namespace"]) for entry in rules["destinations"]}


def _covers(entry: Mapping[str, str], key: Key) -> bool:
    return entry["group"] in ("*", key.group) and entry["kind"] in ("*", key.kind)
