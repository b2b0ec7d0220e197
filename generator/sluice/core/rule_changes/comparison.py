"""What a change does to the rules themselves: policies, bindings, waivers, gates, limits."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from sluice.core import layout
from sluice.core.documents.objects import read_all
from sluice.core.finding import FindingsError
from sluice.core.pipeline import Specs
from sluice.core.plan.comparison import Field, compare
from sluice.core.plan.rule_change import RuleChange
from sluice.core.promotion.codeowners import PLACES, owners
from sluice.core.reports import waivers
from sluice.core.rule_changes.direction import lets_more, loosens_environment, loosens_release
from sluice.core.specs.records import lookup
from sluice.core.specs.schema import Schemas

Files = Mapping[str, bytes]
CHECKERS = (
    *(f"{folder}/workflows" for folder in (".github", ".gitea", ".forgejo")),
    ".github/sluice.txt",
    ".github/sluice-requirements.txt",
    ".gitlab-ci.yml",
    ".pre-commit-config.yaml",
    layout.CATALOG,
)
"""Files and folders, beside specs and policies, that say how a change is checked."""
_ABSENT: Mapping[str, Any] = {}


def compare_rules(
    before: Specs, after: Specs, files_before: Files, files_after: Files, schemas: Schemas
) -> tuple[RuleChange, ...]:
    """Every rule that differs between two trees, with those who own it in the first.

    Args:
        before: the specs of the first tree.
        after: those of the second.
        files_before: the files of the first, with its policies, its CODEOWNERS and its `CHECKERS`.
        files_after: those of the second.
        schemas: what a file of waivers looks like.
    """
    found = [
        *_policies(files_before, files_after),
        *_waivers(files_before, files_after, schemas),
        *_environments(before, after),
        *_came_and_went(before, after, files_before, files_after),
        *_releases(before, after),
        *_owners(files_before, files_after),
        *_checkers(files_before, files_after),
    ]
    text = next(
        (files_before[p].decode("utf-8", "replace") for p in PLACES if p in files_before), ""
    )
    return tuple(replace(change, owners=_owned_by(text, change.path)) for change in found)


def policy_objects(files: Files) -> dict[tuple[str, str, str], tuple[str, Mapping[str, Any]]]:
    """The objects in policies/ by kind, namespace and name, each with its file.

    A file that cannot be read has none; who checks it says so.
    """
    found: dict[tuple[str, str, str], tuple[str, Mapping[str, Any]]] = {}
    for path in sorted(filter(layout.is_policy, files)):
        try:
            parts = read_all(path, files[path])
        except FindingsError:
            continue
        for part in parts:
            metadata = part.data.get("metadata") or {}
            name = str(metadata.get("name", "")), str(metadata.get("namespace", ""))
            found[str(part.data.get("kind", "")), name[1], name[0]] = (path, part.data)
    return found


def _policies(before: Files, after: Files) -> Iterator[RuleChange]:
    old, new = policy_objects(before), policy_objects(after)
    for key in sorted(old.keys() | new.keys()):
        named = f"{key[0]} {key[2]}"
        if key not in new:
            yield RuleChange(old[key][0], named, "present", None, loosens=True)
        elif key not in old:
            yield RuleChange(new[key][0], named, None, "present", loosens=False)
        else:
            path, data = new[key]
            for field in compare(old[key][1], data):
                loosens = field.pointer.startswith(("spec", "data")) and not _only_adds(field)
                rule = f"{named}: {field.pointer}"
                yield RuleChange(path, rule, field.before, field.after, loosens)


def _only_adds(field: Field) -> bool:
    """Whether a policy says more of the same: one validation, or Deny, beside those before."""
    old, new = field.before, field.after
    if field.pointer == "spec.validations" and isinstance(old, list) and isinstance(new, list):
        return all(entry in new for entry in old)
    return field.pointer == "spec.validationActions[]" and (old, new) == (None, "Deny")


def _waivers(before: Files, after: Files, schemas: Schemas) -> Iterator[RuleChange]:
    old, new = _scoped(before, schemas), _scoped(after, schemas)
    for scope in sorted(old.keys() | new.keys()):
        was, now = old.get(scope), new.get(scope)
        if was != now:
            loosens = now is not None and (was is None or now > was)
            yield RuleChange(
                waivers.PATH, f"waiver of {' '.join(filter(None, scope))}", was, now, loosens
            )


def _scoped(files: Files, schemas: Schemas) -> dict[tuple[str, ...], str]:
    """Until when what is waived; nothing where the file cannot be read."""
    try:
        found = waivers.read_waivers(files, schemas)
    except FindingsError:
        return {}
    return {(w.rule, w.release, w.path, w.object): w.expires.isoformat() for w in found}


def _environments(before: Specs, after: Specs) -> Iterator[RuleChange]:
    for name in sorted(before.environments.keys() & after.environments.keys()):
        old, new = (specs.environments[name].document for specs in (before, after))
        for field in fields(_without_gates(old.data), _without_gates(new.data)):
            loosens = loosens_environment(field)
            yield RuleChange(new.path, field.pointer, field.before, field.after, loosens)
        gates = (
            lookup(specs.environments[name].spec.document, "promotion.gates", [])
            for specs in (before, after)
        )
        yield from _gate_changes(new.path, *gates)


def _without_gates(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """An environment but for its gates, which are compared one by one."""
    promotion = {k: v for k, v in data["spec"].get("promotion", _ABSENT).items() if k != "gates"}
    return {**data, "spec": {**data["spec"], "promotion": promotion}}


def fields(before: object, after: object) -> Iterator[Field]:
    """The smallest values that differ, also of what is there on one side only."""
    for field in compare(before, after):
        if isinstance(field.before, Mapping) or isinstance(field.after, Mapping):
            old, new = (side or _ABSENT for side in (field.before, field.after))
            if isinstance(old, Mapping) and isinstance(new, Mapping):
                inner = list(fields(old, new))
                yield from (replace(f, pointer=f"{field.pointer}.{f.pointer}") for f in inner)
                if inner:
                    continue
        yield field


def _came_and_went(
    before: Specs, after: Specs, files_before: Files, files_after: Files
) -> Iterator[RuleChange]:
    """Environments that are gone, with their rules, and those beside others that nobody knew.

    A new one reaches a cluster and a namespace of its choice. By their files, since specs may be
    those of a part of the tree.
    """
    for name, environment in sorted(before.environments.items()):
        path = environment.document.path
        if path not in files_after:
            yield RuleChange(path, f"environment {name}", "present", None, loosens=True)
    for name, environment in sorted(after.environments.items()):
        path = environment.document.path
        if before.environments and path not in files_before:
            place = f"{environment.spec.namespace} of {environment.spec.cluster.server}"
            yield RuleChange(path, f"environment {name}", None, place, loosens=True)


def _releases(before: Specs, after: Specs) -> Iterator[RuleChange]:
    for key in sorted(after.differing(before)):
        old, new = before.releases.get(key), after.releases.get(key)
        if old and new:
            path = layout.release_path(key)
            gates = (release.spec.written("gates") or [] for release in (old, new))
            yield from _gate_changes(path, *gates)
            for field, was, now in loosens_release(old.spec.written, new.spec.written):
                yield RuleChange(path, f"spec.{field}", was, now, loosens=True)


def _gate_changes(
    path: str, before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]
) -> Iterator[RuleChange]:
    old, new = _by_subject(before), _by_subject(after)
    for subject in sorted(old.keys() | new.keys()):
        was, now = old.get(subject), new.get(subject)
        if was != now:
            loosens = was is not None and (now is None or lets_more(was, now))
            yield RuleChange(path, f"gate {subject}", was, now, loosens)


def _by_subject(gates: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Gates by what they are about; several about the same are told apart by their number."""
    found: dict[str, Mapping[str, Any]] = {}
    for gate in gates:
        subject = str(gate.get("metric") or next(iter(gate), ""))
        while subject in found:
            subject += "'"
        found[subject] = gate
    return found


def _owners(before: Files, after: Files) -> Iterator[RuleChange]:
    # Forges look for it in several places: a new file may stand before the one that there was.
    loosens = any(path in before for path in PLACES)
    for path in PLACES:
        if before.get(path) != after.get(path):
            yield RuleChange(path, "who is asked to review", None, None, loosens)


def _checkers(before: Files, after: Files) -> Iterator[RuleChange]:
    for path in sorted(before.keys() | after.keys()):
        checks = any(path == place or path.startswith(f"{place}/") for place in CHECKERS)
        if checks and before.get(path) != after.get(path):
            yield RuleChange(path, "how changes are checked", None, None, loosens=True)


def _owned_by(text: str, path: str) -> tuple[str, ...]:
    named = owners(text, path)
    return tuple(f"@{name}" for name in (*named.users, *named.teams))


def loosened(changes: Collection[RuleChange]) -> list[RuleChange]:
    """Those by which more may pass."""
    return [change for change in changes if change.loosens]
