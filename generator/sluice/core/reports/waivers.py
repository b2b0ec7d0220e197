"""Waivers: findings that somebody answers for until a date."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sluice.core import layout
from sluice.core.documents.objects import Part, read_all
from sluice.core.finding import Finding, FindingsError, Place, Severity, in_order
from sluice.core.specs.schema import Schemas

PATH = f"{layout.POLICIES}/{layout.WAIVERS}"

_UNREADABLE, _EXPIRED, _UNUSED, _FIRM = "WAV001", "WAV002", "WAV003", "WAV004"
_JUDGED = ("K8S", "SEM", "SEC", "DEP", "POL010")


@dataclass(frozen=True)
class Waiver:
    """One entry; an empty part of the scope restricts nothing."""

    place: Place
    rule: str
    owner: str
    reason: str
    expires: date
    path: str = ""
    release: str = ""
    object: str = ""

    def covers(self, finding: Finding, objects: Mapping[str, str]) -> bool:
        """Whether rule and scope fit; `objects` names rendered objects by their path."""
        rendered = finding.rendered.file if finding.rendered else ""
        return (
            finding.rule in (self.rule, f"{self.rule}/{finding.rule.partition('/')[2]}")
            and (
                not self.path
                or any(_below(one, self.path) for one in (finding.place.file, rendered))
            )
            and (not self.release or _of_release(finding, rendered, self.release))
            and (not self.object or objects.get(rendered) == self.object)
        )

    @property
    def justification(self) -> str:
        """What stands beside a finding that is waived."""
        return f"until {self.expires.isoformat()}, {self.owner}: {self.reason}"


def read_waivers(files: Mapping[str, bytes], schemas: Schemas) -> list[Waiver]:
    """The waivers of a tree; none when there is no such file.

    Raises:
        FindingsError: when the file cannot be read.
    """
    if PATH not in files:
        return []
    parts = read_all(PATH, files[PATH])
    findings = [finding for part in parts for finding in schemas.findings(part, "Waivers")]
    if findings:
        raise FindingsError(findings)
    return [_waiver(part, index, findings) for part in parts for index in _entries(part)]


def waive(
    findings: Iterable[Finding],
    waivers: Sequence[Waiver],
    objects: Mapping[str, str],
    today: date,
    *,
    complete: bool,
) -> list[Finding]:
    """The findings, those that are waived marked so, and what is wrong with the waivers.

    Args:
        findings: of any layer; errors that stop the rendering cannot be waived.
        waivers: of the repository.
        objects: `Kind/name` of rendered objects, by the path of their file.
        today: in UTC.
        complete: whether everything was looked at, so that a waiver without a finding is of no use.
    """
    living = [waiver for waiver in waivers if waiver.expires >= today]
    used: set[Place] = set()
    firm: set[Place] = set()
    marked: list[Finding] = []
    for finding in findings:
        covering = [waiver for waiver in waivers if waiver.covers(finding, objects)]
        used |= {waiver.place for waiver in covering}
        valid = [waiver for waiver in covering if waiver in living]
        if valid and _waivable(finding):
            marked.append(replace(finding, waived=valid[0].justification))
        else:
            marked.append(finding)
            firm |= {waiver.place for waiver in valid}
    marked += [_expired(waiver) for waiver in waivers if waiver.expires < today]
    marked += [_firm(waiver) for waiver in living if waiver.place in firm]
    if complete:
        marked += [_unused(waiver) for waiver in living if waiver.place not in used]
    return in_order(marked)


def _waivable(finding: Finding) -> bool:
    return finding.severity is not Severity.ERROR or finding.rule.startswith(_JUDGED)


def _entries(part: Part) -> range:
    return range(len(part.data["waivers"]))


def _waiver(part: Part, index: int, findings: list[Finding]) -> Waiver:
    at = ("waivers", index)
    entry = part.data["waivers"][index]
    try:
        expires = date.fromisoformat(entry["expires"])
    except ValueError as error:
        where = part.place((*at, "expires"))
        remedy = "write the last day as year-month-day"
        found = Finding(where, _UNREADABLE, f"{entry['expires']!r} is no date: {error}", remedy)
        raise FindingsError([*findings, found]) from None
    scope = {key: entry.get(key, "").rstrip("/") for key in ("path", "release", "object")}
    texts = {key: entry[key] for key in ("rule", "owner", "reason")}
    return Waiver(place=part.place(at), expires=expires, **texts, **scope)


def _below(file: str, path: str) -> bool:
    return file == path or file.startswith(f"{path}/")


def _of_release(finding: Finding, rendered: str, release: str) -> bool:
    folders = (f"{layout.ENVIRONMENTS}/{release}", f"{layout.MANIFESTS}/{release}")
    return any(
        _below(file, folder) for file in (finding.place.file, rendered) for folder in folders
    )


def _expired(waiver: Waiver) -> Finding:
    said = f"the waiver of {waiver.rule} by {waiver.owner} expired on {waiver.expires.isoformat()}"
    remedy = "mend what it was for and remove it, or have it approved again with a later date"
    return Finding(waiver.place, _EXPIRED, said, remedy)


def _unused(waiver: Waiver) -> Finding:
    said = f"the waiver of {waiver.rule} by {waiver.owner} covers no finding"
    return Finding(waiver.place, _UNUSED, said, "remove it, or mend its scope", Severity.WARNING)


def _firm(waiver: Waiver) -> Finding:
    said = f"{waiver.rule} cannot be waived: nothing is rendered of a spec with such an error"
    return Finding(waiver.place, _FIRM, said, "mend the spec and remove the waiver")
