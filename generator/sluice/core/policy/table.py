"""Tables of cases beside a policy: what it must say to which object, and whether it does."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from sluice.core.documents.objects import Part
from sluice.core.finding import Finding, FindingsError, Place, UsageError
from sluice.core.kubernetes.defaults import normalise
from sluice.core.policy.admission import Admission, World, admit
from sluice.core.policy.evaluate import Decision, Result, evaluate
from sluice.core.policy.model import Binding
from sluice.core.policy.plan import Plan

Object = Mapping[str, Any]

RULE = "POL020"
"""A table that cannot be read."""

WORKLOADS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Pod": ("v1", ()),
    "PodTemplate": ("v1", ("template",)),
    "ReplicationController": ("v1", ("spec", "template")),
    "Deployment": ("apps/v1", ("spec", "template")),
    "StatefulSet": ("apps/v1", ("spec", "template")),
    "DaemonSet": ("apps/v1", ("spec", "template")),
    "ReplicaSet": ("apps/v1", ("spec", "template")),
    "Job": ("batch/v1", ("spec", "template")),
    "CronJob": ("batch/v1", ("spec", "jobTemplate", "spec", "template")),
    "LeaderWorkerSet": (
        "leaderworkerset.x-k8s.io/v1",
        ("spec", "leaderWorkerTemplate", "workerTemplate"),
    ),
    "Rollout": ("argoproj.io/v1alpha1", ("spec", "template")),
}
"""The kinds that a pod template can be put into: apiVersion, and where the template goes."""

_STRICTEST = (
    Decision.ERROR,
    Decision.DENY,
    Decision.WARN,
    Decision.AUDIT,
    Decision.ALLOW,
    Decision.SKIP,
)


@dataclass(frozen=True)
class Case:
    """One row: a request, and what the policy must say to it."""

    name: str
    place: Place
    request: Admission
    world: World
    decision: Decision
    messages: tuple[str, ...] = ()
    pointer: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a policy said to a case."""

    case: Case
    decision: Decision
    messages: tuple[str, ...] = ()
    pointers: tuple[str, ...] = field(default=())

    @property
    def as_said(self) -> bool:
        """Whether decision and messages are what the case expects."""
        wanted = self.case.messages
        said = all(any(text in message for message in self.messages) for text in wanted)
        return self.decision is self.case.decision and said

    @property
    def passed(self) -> bool:
        """Whether all is as the case expects, the place that is blamed as well."""
        pointer = self.case.pointer
        return self.as_said and (pointer is None or pointer in self.pointers)


def read_cases(
    part: Part, version: tuple[int, int], params: Sequence[Object], only: str = ""
) -> list[Case]:
    """The cases of a table.

    Args:
        part: the table; its schema holds.
        version: of Kubernetes, for the defaults of objects.
        params: parameters that stand beside the policy; a case or table with its own has only them.
        only: a part of the names of cases that are wanted.

    Raises:
        FindingsError: for a case that has no object, or sets what is not there.
    """
    reader = _Reader(part, version, tuple(params))
    rows = enumerate(part.data["cases"])
    return [one for index, row in rows for one in reader.cases(index, row) if only in one.name]


def run_case(
    plan: Plan, bindings: Sequence[Binding], case: Case, *, blamed: bool = True
) -> Outcome:
    """What a policy says to a case: the strictest answer of its bindings."""
    results = evaluate(plan, bindings, case.request, case.world, blamed=blamed)
    strictest = min((result.decision for result in results), key=_STRICTEST.index)
    said = [result for result in results if result.decision is strictest]
    return Outcome(case, strictest, _messages(said), _pointers(said) if blamed else ())


def _messages(results: Sequence[Result]) -> tuple[str, ...]:
    return tuple(message for result in results for message in result.messages)


def _pointers(results: Sequence[Result]) -> tuple[str, ...]:
    failures = (failure for result in results for failure in result.failures)
    return tuple("".join(f"/{step}" for step in failure.pointer) for failure in failures)


@dataclass(frozen=True)
class _Reader:
    part: Part
    version: tuple[int, int]
    params: tuple[Object, ...]

    def cases(self, index: int, row: Object) -> Iterator[Case]:
        kinds = row.get("kinds", [""])
        for kind in WORKLOADS if kinds == "all" else kinds:
            name = f"{row['name']} ({kind})" if kind else row["name"]
            yield self._case(index, row, name, kind)

    def _case(self, index: int, row: Object, name: str, kind: str) -> Case:
        world = self._world(row)
        at = ("cases", index)
        new, old = self._object(row, "object", at, kind), self._object(row, "old", at, kind)
        try:
            request = admit(
                normalise(new, self.version) if new is not None else None,
                normalise(old, self.version) if old is not None else None,
                operation=row.get("operation", ""),
                namespace=next(iter(world.namespaces), ""),
                world=world,
                user=row.get("userInfo"),
                stored=True,
            )
        except UsageError as error:
            raise self._wrong(at, str(error)) from None
        return Case(
            name,
            self.part.place(at),
            request,
            world,
            Decision(row["expect"]),
            _texts(row.get("message", ())),
            row.get("pointer"),
        )

    def _world(self, row: Object) -> World:
        table = self.part.data
        params = row.get("params", table.get("params"))
        namespace = row.get("namespace", table.get("namespace", {}))
        metadata = {"name": "default", **namespace.get("metadata", {})}
        known = {metadata["name"]: {**namespace, "metadata": metadata}}
        return World(self.params if params is None else tuple(params), known)

    def _object(self, row: Object, key: str, at: tuple[str | int, ...], kind: str) -> Object | None:
        given = row.get(key)
        if given is None:
            return None
        found = self.part.data.get("bases", {}).get(given) if isinstance(given, str) else given
        if found is None:
            raise self._wrong((*at, key), f"there is no base {given!r}")
        changed = deepcopy(dict(found))
        for pointer, value in row.get("set" if key == "object" else "setOld", {}).items():
            try:
                changed = _changed(changed, _steps(pointer), value)
            except (LookupError, TypeError, ValueError):
                raise self._wrong((*at, "set", pointer), f"{pointer} leads nowhere") from None
        return _wrapped(changed, kind) if kind else changed

    def _wrong(self, pointer: tuple[str | int, ...], message: str) -> FindingsError:
        return FindingsError([Finding(self.part.place(pointer), RULE, message, "correct the case")])


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _steps(pointer: str) -> list[str]:
    if not pointer.startswith("/"):
        raise ValueError(pointer)
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/")]


def _changed(data: Any, steps: Sequence[str], value: object) -> Any:  # noqa: ANN401  # YAML
    """The data with a value at a path, whose mappings are made where they are missing."""
    step, rest = steps[0], steps[1:]
    if isinstance(data, list):
        index = len(data) if step == "-" else int(step)
        found = [*data, {}] if index == len(data) else list(data)
        found[index] = _changed(found[index], rest, value) if rest else value
        return [item for item in found if item is not None]
    mapping = dict(data or {})
    mapping[step] = _changed(mapping.get(step), rest, value) if rest else value
    return {key: item for key, item in mapping.items() if item is not None}


def _wrapped(template: Object, kind: str) -> Object:
    """A workload of a kind with this pod template."""
    version, path = WORKLOADS[kind]
    head = {"apiVersion": version, "kind": kind}
    if not path:
        metadata = {"name": "case", **template.get("metadata", {})}
        return {**head, **template, "metadata": metadata}
    labels = template.get("metadata", {}).get("labels", {})
    whole: dict[str, Any] = {**head, "metadata": {"name": "case", "labels": labels}}
    node = whole
    for step in path[:-1]:
        node = node.setdefault(step, {})
    node[path[-1]] = template
    return whole
