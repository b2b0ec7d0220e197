"""A version that a person took back by reverting its promotion: what Git's history says of it."""

from collections.abc import Iterable
from dataclasses import dataclass

from sluice.core.layout import Key
from sluice.core.promotion.message import line


@dataclass(frozen=True, slots=True)
class FormerSpec:
    """What release.yaml said after a commit; `ours` when a proposal or a rollout wrote it."""

    commit: str
    version: str
    quarantine: tuple[str, ...] = ()
    ours: bool = False


def taken_back(history: Iterable[FormerSpec], version: str) -> FormerSpec | None:
    """The commit by which a person took a version back, if that is the last word on it.

    Once the version was in quarantine after that, a person has lifted it, and it may come again.

    Args:
        history: newest first.
        version: one that is not deployed.
    """
    rows = iter(history)
    newer = next(rows, None)
    for older in rows:
        if newer is None or version in newer.quarantine:
            return None
        if older.version != newer.version:
            if older.version != version or newer.ours:
                return None
            return newer if _before(rows, older) == newer.version else None
        newer = older
    return None


def was_there(history: Iterable[FormerSpec], version: str) -> bool:
    """Whether a release ever had a version, deployed or in quarantine, as its history has it."""
    return any(version == said.version or version in said.quarantine for said in history)


def _before(rows: Iterable[FormerSpec], since: FormerSpec) -> str:
    """The version that served before this one."""
    return next((row.version for row in rows if row.version != since.version), "")


def quarantine_message(key: Key, version: str, deployed: str, how: str) -> str:
    """The commit that keeps a version from being proposed again; `how` a person took it back."""
    where = f"{key.environment}/{key.name}"
    lines = [
        f"{where}: version {line(version)} goes into quarantine",
        "",
        f"A person {line(how)}.",
        "Until it is removed from spec.model.quarantine it is not proposed again.",
        "",
        f"Release: {key}",
        f"Model-Version: {line(deployed)}",
        f"Quarantine: {line(version)}",
        "",
    ]
    return "\n".join(lines)
