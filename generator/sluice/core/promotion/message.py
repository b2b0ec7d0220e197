"""The words of a proposal: commit, title, and the marker by which Sluice knows its own."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from sluice.core.bounded import json_of
from sluice.core.forge import PullRequest
from sluice.core.gates.judge import GateResult
from sluice.core.layout import Key
from sluice.core.markdown import code
from sluice.core.model import Evaluation, Follow, ModelVersion
from sluice.core.outgoing import one_line
from sluice.core.plan.cost import Totals
from sluice.core.promotion import lineage

# Our part of a text begins with this line and ends with the marker; all around it is people's.
BEGIN = "<!-- sluice:begin -->"
_BEGIN = re.compile(rf"^{BEGIN}[ \t\r]*$", re.MULTILINE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
# What follows on its line is somebody's who appended to the text as the forge trims it.
_MARKER = re.compile(r"^<!-- sluice:v1 (\{.*?\}) -->", re.MULTILINE)
# In the marker: the forge may have been told to merge later.
_LEFT = "left"
# Forges make links of these, notify people, and close issues: `fixes #1` in a model's name. An
# issue's address does that as well, and `[skip ci]` keeps the checks from running.
_ACTIVE = re.compile(
    r"(?<!\w)@(?=\w)|[#!&$%~^](?=[\d\"])|(?<=\bGH)-(?=\d)"
    r"|(?<=https:)//(?=\S*/(?:issues|work_items|pulls?|merge_requests)/\d)"
    r"|(?<=http:)//(?=\S*/(?:issues|work_items|pulls?|merge_requests)/\d)"
    r"|\[(?=\s*(?:skip|no|ci|actions|azurepipelines)\b)|\*{3}(?=NO_CI)",
    re.IGNORECASE,
)
_PASSIVE = {"@": "＠", "#": "＃", "!": "！", "-": "‐"}  # noqa: RUF001  # alike on purpose
_PASSIVE |= {"&": "＆", "$": "＄", "%": "％", "~": "～", "^": "＾"}  # noqa: RUF001  # as above
_PASSIVE |= {"[": "［", "//": "／／", "***": "＊＊＊"}  # noqa: RUF001  # as above


@dataclass(frozen=True)
class Story:
    """All that a proposal tells.

    `plan` is Markdown; `memory` and `totals` are those before and after; `periods` are the
    windows and freezes in words; `paths` are the changed files with their digest in `checksum`.
    """

    key: Key
    model: str
    before: str
    version: ModelVersion
    follow: Follow
    gates: Sequence[GateResult]
    evaluation: Evaluation
    plan: str
    deployed: ModelVersion | None = None
    baseline: Evaluation | None = None
    notes: Sequence[str] = ()
    superseded: Sequence[str] = ()
    link: str = ""
    memory: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
    totals: tuple[Totals, Totals] = (Totals(), Totals())
    rollout: Mapping[str, Any] = field(default_factory=dict)
    periods: Sequence[str] = ()
    evidence: str = ""
    checksum: str = ""


def title(story: Story) -> str:
    """One line, the same for the commit and the pull request."""
    where = f"{story.key.environment}/{story.key.name}"
    before, after = line(story.before), line(story.version.version)
    return f"{where}: {line(story.model)} {before} -> {after}"


def commit_message(story: Story) -> str:
    """Subject, one sentence, and the trailers that make Git the audit log."""
    trailers = {
        "Model": story.model,
        "Model-Version": story.version.version,
        "Previous-Version": story.before,
        **lineage.trailers(story.version, story.evaluation),
        "Follows": str(story.follow),
        "Release": str(story.key),
        "Evidence": story.evidence,
        "Gates": f"{sum(g.passed for g in story.gates)} of {len(story.gates)} passed",
    }
    lines = [f"{key}: {line(value)}" for key, value in trailers.items() if value]
    said = line(f"The registry has version {story.version.version} in {story.follow}.")
    return f"{title(story)}\n\n{said}\n\n" + "\n".join(lines) + "\n"


def superseding(version: str, superseded: Sequence[str]) -> str:
    """What watchers of a pull request are told when another version has taken its place."""
    if not superseded:
        return ""
    return (
        f"This is about version {code(version)} now; it took the place of version "
        f"{code(superseded[-1])}. What was said of that one need not be true of this one."
    )


def marker(version: str, superseded: Sequence[str], registered: int | None = None) -> str:
    """What the next run reads: the version that this pull request proposes, and those before.

    `registered` is when it was: of a model that is deleted and created again, the versions have
    the numbers of others.
    """
    known = {} if registered is None else {"registered": registered}
    return framed({**known, "superseded": list(superseded), "version": version})


def framed(data: Mapping[str, Any]) -> str:
    """Data in a comment that no value in it can end."""
    spelled = json.dumps(data, sort_keys=True).replace("-", "\\u002d").replace(">", "\\u003e")
    return f"<!-- sluice:v1 {spelled} -->"


def read_marker(text: str) -> tuple[str, tuple[str, ...]] | None:
    """The version and the superseded ones of a body that Sluice wrote."""
    data = written_in(text)
    try:
        return str(data["version"]), tuple(str(v) for v in data["superseded"])
    except (KeyError, TypeError):
        return None


def concerns(text: str, version: ModelVersion) -> bool:
    """Whether a body that Sluice wrote proposes this very version."""
    said = read_marker(text)
    known = written_in(text).get("registered", version.created)
    return bool(said and said[0] == version.version and known == version.created)


def written_in(text: str) -> Mapping[str, Any]:
    """The data that our part of a text ends with; empty when there is none."""
    match = _marker(text)
    try:
        return dict(json_of(match[1])) if match else {}
    except (TypeError, ValueError):
        return {}


def is_alike(text: str, other: str) -> bool:
    """Whether two bodies that Sluice wrote propose the same versions."""
    named = ("version", "registered", "releases")
    ours, theirs = written_in(text), written_in(other)
    return [ours.get(name) for name in named] == [theirs.get(name) for name in named]


def is_emptied(text: str) -> bool:
    """Whether nothing of ours is left in a text, neither a marker nor that it was withdrawn."""
    return _marker(text) is None and "Withdrawn by sluice" not in text


def without_marker(text: str) -> str:
    """A body without that."""
    return _with_marker(text, "").rstrip()


def withdrawn(text: str) -> str:
    """The body with nothing in its marker, so that closing it is no person's rejection."""
    said = f"*Withdrawn by sluice.*\n\n{framed({})}"
    return _with_marker(text, said) if _marker(text) else f"{text}\n\n{BEGIN}\n{said}"


def merged_by_hand(text: str, commit: str) -> str:
    """The body with the commit that merged it in its marker, for a forge that calls it closed."""
    return _with_marker(text, framed({**_not_left(text), "merged": commit}))


def is_rejection(pull: PullRequest, version: ModelVersion) -> bool:
    """Whether the closing of a pull request says no to this very version."""
    if pull.state != "closed" or "merged" in written_in(pull.body):
        return False
    return concerns(pull.body, version)


def stamped(body: str, commit: str, *, left: bool = False) -> str:
    """A body of ours as it goes to the forge: delimited, and tied to the commit that it is about.

    Nothing in it can be taken for one of the delimiters. `left` says that the forge may be told to
    merge later.
    """
    data = {**written_in(body), **({_LEFT: True} if left else {})}
    plain = without_marker(body).replace("<!-- sluice:", "<! -- sluice:")
    return f"{BEGIN}\n{plain}\n\n{framed({**data, 'commit': commit})}\n"


def says_left(text: str) -> bool:
    """Whether a body of ours says that its merge was left to the forge."""
    return bool(written_in(text).get(_LEFT))


def given_back(text: str) -> str:
    """Our part of a body, saying that no more."""
    match = _marker(text)
    said = _BEGIN.split(text[: match.start()])[-1].strip() if match else ""
    return f"{BEGIN}\n{said}\n\n{framed(_not_left(text))}"


def is_about(text: str, commit: str) -> bool:
    """Whether a body of ours was written for this commit; one that names none is believed."""
    return bool(written_in(text).get("commit", commit) == commit)


def _not_left(text: str) -> dict[str, Any]:
    return {name: value for name, value in written_in(text).items() if name != _LEFT}


def _with_marker(text: str, marker: str) -> str:
    """The text with something else in the place of its marker."""
    match = _marker(text)
    return text[: match.start()] + marker + text[match.end() :] if match else text


def _marker(text: str) -> re.Match[str] | None:
    """The first marker after the beginning of our part; in a text without one the last.

    Of several parts that people have copied it is the last whole one outside of code.
    """
    begins = [found.start() for found in _BEGIN.finditer(text)]
    if len(begins) > 1:
        begins = [at for at in begins if at in _outside_of_code(text)] or begins
    for start, limit in reversed([*pairwise([*begins, len(text)])]):
        found = _MARKER.search(text, start, limit)
        if found:
            return found
    markers = list(_MARKER.finditer(text))
    return markers[-1] if markers and not begins else None


def _outside_of_code(text: str) -> set[int]:
    """Where lines begin that are in no code block."""
    starts, at, fence = set(), 0, ""
    for each in text.splitlines(keepends=True):
        found = _FENCE.match(each)
        if found and not fence:
            fence = found[1]
        elif found and found[1].startswith(fence) and not each[found.end() :].strip():
            fence = ""
        elif not fence:
            starts.add(at)
        at += len(each)
    return starts


def line(text: str) -> str:
    """A text on one line that no forge acts on, for titles and trailers."""
    return _ACTIVE.sub(lambda found: _PASSIVE[found[0]], one_line(text))
