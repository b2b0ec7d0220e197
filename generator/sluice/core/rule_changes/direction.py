"""Whether a value that changes lets more pass than before; in doubt it does."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sluice.core.plan.comparison import Field


def _counts_fewer(old: Mapping[str, list[str]] | None, new: Mapping[str, list[str]] | None) -> bool:
    """Whether no writer of a number counts who did not count before."""
    if old is None or new is None:
        return old is None
    return all(kind in new and set(new[kind]) <= set(old[kind]) for kind in old)


_TIGHTER: Mapping[str, Callable[[Any, Any], bool]] = {
    "min": lambda old, new: new is not None and (old is None or new >= old),
    "max": lambda old, new: new is not None and (old is None or new <= old),
    "maxRegression": lambda old, new: new is not None and (old is None or new <= old),
    "safety": lambda _, new: new is True,
    "afterRegistration": lambda _, new: new is True,
    "dataset": lambda old, _: old is None,
    "maxAge": lambda old, _: old is None,
    "measuredBy": _counts_fewer,
}
"""By field of a gate, whether the new value lets nothing pass that the old one did not."""


def lets_more(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Whether a changed gate may be met by what did not meet it before."""
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    return not all(
        key in _TIGHTER and _TIGHTER[key](before.get(key), after.get(key)) for key in changed
    )


_LOOSER: Mapping[str, Callable[[Any, Any], bool]] = {
    # Somebody else's promotions would be followed.
    "model.name": lambda old, new: old != new,
    "follows": lambda old, new: old != new,
    "model.quarantine": lambda old, new: not set(old or ()) <= set(new or ()),
    "model.digest": lambda old, new: old is not None and new is None,
    "weights.endpoint": lambda old, new: new is not None and old != new,
    "serving.trustRemoteCode": lambda old, new: bool(new) and not old,
}
"""By field of a release, whether the new value lets something pass that the old one did not."""


def loosens_release(
    before: Callable[[str], Any], after: Callable[[str], Any]
) -> Iterator[tuple[str, Any, Any]]:
    """The fields by which a release lets more pass than before, each with both values.

    Args:
        before: the value of a field of the first release, None where it has none.
        after: that of the second.
    """
    for field, judge in _LOOSER.items():
        old, new = before(field), after(field)
        if judge(old, new):
            yield field, old, new


def loosens_environment(field: Field) -> bool:
    """Whether a changed value of an environment lets more pass."""
    is_entry = field.pointer.endswith("[]")
    for pattern, judge in _JUDGES:
        if pattern.search(field.pointer):
            return judge(field.before, field.after, is_entry)
    return False


def _permits_more(old: object, new: object, is_entry: bool) -> bool:  # noqa: FBT001  # as all judges
    """A list of what is permitted gets longer; none at all permits everything."""
    if is_entry:
        return new is not None
    if isinstance(old, list) and isinstance(new, list):
        return any(entry not in old for entry in new)
    return old is not None


def _trusts_more(old: object, new: object, is_entry: bool) -> bool:  # noqa: FBT001  # as all judges
    """A list of exceptions gets longer; without one there are none."""
    if is_entry or not isinstance(new, list):
        return new is not None
    return not isinstance(old, list) or any(entry not in old for entry in new)


def _limits_less(old: object, new: object, is_entry: bool) -> bool:  # noqa: FBT001  # as all judges
    """A number that limits gets greater; none at all limits nothing."""
    del is_entry
    if not isinstance(new, int | float):
        return True
    return old is not None and not (isinstance(old, int | float) and new <= old)


def _forbids_less(old: object, new: object, is_entry: bool) -> bool:  # noqa: FBT001  # as all judges
    """A list of what is forbidden loses an entry."""
    del is_entry
    if isinstance(old, list) and isinstance(new, list):
        return any(entry not in new for entry in old)
    return old is not None


_JUDGES: tuple[tuple[re.Pattern[str], Callable[[object, object, bool], bool]], ...] = (
    (re.compile(r"\bunlisted\b|^spec\.argocd\.kinds\b"), _trusts_more),
    (re.compile(r"\b(allowed|claims)\b"), _permits_more),
    # Nobody can tell what another place, server or branch brings, or who promotes there.
    (re.compile(r"^spec\.(follows\b|cluster\.server$|namespace$)"), lambda *_: True),
    (re.compile(r"^spec\.argocd\.(repoURL|targetRevision|namespace)$"), lambda *_: True),
    (re.compile(r"^spec\.storage\.sources\..*endpoint$"), lambda _, new, __: new is not None),
    (re.compile(r"^spec\.images\.digests$"), lambda old, _, __: old == "required"),
    (re.compile(r"\btrustRemoteCode$"), lambda _, new, __: new is True),
    # Nobody may connect who is not listed; without any rules everybody may.
    (re.compile(r"\b(allowFrom|allowTo)\b"), lambda _, new, entry: not entry or new is not None),
    (re.compile(r"^spec\.network$"), lambda _, new, __: new is None),
    (re.compile(r"\b(quota|spare)\b"), _limits_less),
    (re.compile(r"^spec\.promotion\.review$"), lambda _, new, __: new == "automatic"),
    (re.compile(r"^spec\.promotion\.freezes"), _forbids_less),
    (re.compile(r"^spec\.promotion\.(windows|reviewers)"), lambda old, _, __: old is not None),
    (re.compile(r"\b(policies|selfHeal|prune)$"), lambda _, new, __: new is not True),
    (re.compile(r"pod-security"), lambda _, new, __: new != "restricted"),
)
"""How to tell by names in a pointer, wherever they stand: the first that fits judges."""
