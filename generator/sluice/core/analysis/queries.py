"""PromQL with its values bound: names are checked, values are escaped, neither is ever pasted.

A question asks for raw samples of one metric, `metric{label="value"}[seconds]`, because `increase`
extrapolates and would make fractions of requests. Questions of many rollouts about one metric are
asked as one query; each answer is then chosen from the result by its exact labels.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sluice.core.analysis.samples import INFINITE, Series

METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
LONGEST_QUERY = 16_000
"""Characters; servers and proxies take longer ones badly."""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}
_REGEX = re.compile(r"[\\.+*?()|\[\]{}^$]")


@dataclass(frozen=True, slots=True)
class Question:
    """The series of a metric whose labels have one of these values each.

    A value is matched whole. An empty value means that the label is not there.
    """

    metric: str
    labels: Mapping[str, tuple[str, ...]]

    def __post_init__(self) -> None:
        if not METRIC.fullmatch(self.metric):
            raise ValueError(f"{self.metric!r} is not the name of a metric")
        for name in self.labels:
            if not LABEL.fullmatch(name) or name.startswith("__"):
                raise ValueError(f"{name!r} is not the name of a label")

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series with these labels is one of those asked for."""
        named = labels.get("__name__", self.metric) == self.metric
        return named and all(labels.get(n, "") in values for n, values in self.labels.items())


def arm_labels(namespace: str, release: str, version: str) -> dict[str, tuple[str, ...]]:
    """What tells the series of one version apart: the pod labels that the PodMonitor copies."""
    return {
        "namespace": (namespace,),
        "sluice_dev_release": (release,),
        "sluice_dev_version": (version,),
    }


def buckets(metric: str, threshold: float, labels: Mapping[str, tuple[str, ...]]) -> Question:
    """The cumulative counts of a histogram at a threshold and in all."""
    bounds = (*spellings(threshold), INFINITE)
    return Question(f"{metric}_bucket", {**labels, "le": bounds})


def spellings(bound: float) -> tuple[str, ...]:
    """How clients write the bound of a bucket: `5` and `5.0` are the same one."""
    short = f"{bound:g}"
    found = {short, repr(float(bound)), f"{bound:.17g}"}
    if bound == int(bound):
        found.add(str(int(bound)))
    return tuple(sorted(found))


def promql(question: Question, window: int, offset: int = 0) -> str:
    """The query for all raw samples of the last `window` seconds.

    Args:
        question: which series.
        window: seconds.
        offset: how many seconds before the time of evaluation the window ends.
    """
    if window <= 0 or offset < 0:
        raise ValueError("a window has at least one second, and does not lie in the future")
    matchers = ",".join(_matcher(name, values) for name, values in question.labels.items())
    earlier = f" offset {offset}s" if offset else ""
    return f"{question.metric}{{{matchers}}}[{window}s]{earlier}"


def _matcher(name: str, values: Sequence[str]) -> str:
    if len(values) == 1:
        return f"{name}={quoted(values[0])}"
    return f"{name}=~{quoted('|'.join(_literal(value) for value in values))}"


def quoted(value: str) -> str:
    """A value as a PromQL string."""
    return '"' + re.sub(r'[\\"\n]', lambda found: _ESCAPES[found[0]], value) + '"'


def _literal(value: str) -> str:
    """A value as an RE2 expression that matches exactly it."""
    return _REGEX.sub(lambda found: "\\" + found[0], value)


def combined(questions: Iterable[Question]) -> list[Question]:
    """Fewer questions whose answers hold those of all of these; see `Question.matches`."""
    groups: dict[tuple[str, tuple[str, ...]], list[Question]] = {}
    for question in questions:
        groups.setdefault((question.metric, tuple(sorted(question.labels))), []).append(question)
    return [merged for group in groups.values() for merged in _packed(group)]


def _packed(group: Sequence[Question]) -> list[Question]:
    """As few as fit into queries of acceptable length."""
    packed: list[Question] = []
    for question in group:
        wider = _union(packed[-1], question) if packed else question
        if packed and len(promql(wider, 1)) <= LONGEST_QUERY:
            packed[-1] = wider
        else:
            packed.append(question)
    return packed


def _union(left: Question, right: Question) -> Question:
    labels = {
        name: tuple(dict.fromkeys((*left.labels[name], *right.labels[name])))
        for name in left.labels
    }
    return Question(left.metric, labels)


def chosen(question: Question, series: Iterable[Series]) -> list[Series]:
    """The answer to one question, from the answer to a combined one."""
    return [each for each in series if question.matches(each[0])]


def check_bound(threshold: float, bounds: Iterable[float]) -> str:
    """What is wrong with a threshold that must be the bound of a bucket; empty when nothing."""
    known = sorted(bound for bound in bounds if math.isfinite(bound))
    if not known:
        return "the histogram has no buckets"
    if any(math.isclose(threshold, bound, rel_tol=1e-9) for bound in known):
        return ""
    near = sorted(known, key=lambda bound: (abs(bound - threshold), bound))[:2]
    listed = " or ".join(f"{bound:g}" for bound in sorted(near))
    return f"{threshold:g} is not the bound of a bucket; {listed} is"


def bounds_of(series: Iterable[Series]) -> set[float]:
    """The bounds of the buckets that a metric has."""
    texts = {labels["le"] for labels, _ in series if "le" in labels}
    return {number for text in texts for number in [_number(text)] if number is not None}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
