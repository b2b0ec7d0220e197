"""Counts and what was judged of them as JSON, the evidence that is committed for each step.

    {"format": 1,
     "release": "production/platform/chat", "candidate": "8", "stable": "7",
     "step": 0, "restarts": 0, "exhausted": false,
     "window": {"begin": 1795195680, "end": 1795195920},
     "parameters": {"alpha": 0.05, "beta": 0.05, "mixture": [1.5, 2, 3, 5, 10], "burstCap": 1,
                    "restartLimit": 2, "steps": 2, "batchSeconds": 60},
     "gates": [
       {"name": "errors", "query": "…", "tolerated": 1.0, "excluded": 2.0,
        "absolute": {"p0": 0.005, "p1": 0.02}, "minRequests": 50,
        "batches": [
          {"at": 1795195800, "step": 0,
           "candidate": [{"requests": 52, "bad": 1}, {"requests": 48, "bad": 0}],
           "stable": {"requests": 900, "bad": 4}, "load": 1.1, "cache": 0.95}]}],
     "answers": [{"at": 1795195800, "step": 0, "weight": 10, "candidate": 100, "stable": 900}],
     "judgement": {"verdict": "CONTINUE", "reason": "…",
                   "gates": {"errors": {"lnEBad": …, "eOk": …, "sprt": …, "verdict": …}}}}

Only `format` and `gates` are required, of a gate its name and batches, of a batch the candidate's
counts. An arm is one count, or one for each pod; without `stable` nobody served beside. A batch
without `at`, which is in seconds since the epoch, follows the one before it. Samples were asked for
from `begin` to `end` of the window. A gate with `required: false` can fail and need not pass;
`answers` are requests that both versions answered at a weight; `others` of a batch are what other
releases of the environment counted. `schemas/judgement.schema.json` has every field. `judgement` is
what was decided at the time; a replay that comes to something else is a finding.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.analysis.checked import misfits, parsed
from sluice.core.analysis.counts import (
    Absolute,
    Answered,
    Batch,
    Cell,
    Counts,
    Gate,
    GateCounts,
    Parameters,
)
from sluice.core.analysis.judgement import GateVerdict, Judgement
from sluice.core.documents.load import Document
from sluice.core.finding import Finding, FindingsError

FORMAT = 1
SCHEMA = "judgement.schema.json"
Pointer = tuple[str | int, ...]
_TOLERANCE = 1e-9


def read(path: str, raw: bytes, schema: Mapping[str, Any]) -> Document:
    """The JSON of an evidence file, checked.

    Raises:
        FindingsError: with everything that is wrong, each with its place.
    """
    data = parsed(path, raw)
    document = Document(path, raw.replace(b"\t", b" "), data)
    findings = misfits(document, schema, "JDG002") or list(_contradictions(document))
    if findings:
        raise FindingsError(findings)
    return document


def _contradictions(document: Document) -> Iterator[Finding]:
    """What a schema cannot say."""
    for pointer, message in gate_problems(document.data["gates"]):
        yield _wrong(document, ("gates", *pointer), message)
    for index, gate in enumerate(document.data["gates"]):
        at: Pointer = ("gates", index)
        times = _times(gate["batches"], 1)
        late = [i for i in range(1, len(times)) if times[i] <= times[i - 1]]
        for i in late:
            place = (*at, "batches", i, "at")
            yield _wrong(document, place, "a batch must begin after the one before it")
        for pointer, cell in _located(at, gate["batches"]):
            if cell["bad"] > cell["requests"]:
                message = f"{cell['bad']} of {cell['requests']} requests cannot be bad"
                yield _wrong(document, (*pointer, "bad"), message)


def gate_problems(gates: list[dict[str, Any]]) -> Iterator[tuple[Pointer, str]]:
    """What is wrong with gates beside their shape, as evidence and scenarios write them."""
    names: set[str] = set()
    for index, gate in enumerate(gates):
        absolute = gate.get("absolute")
        if gate["name"] in names:
            yield (index, "name"), f"the gate {gate['name']!r} is there twice"
        names.add(gate["name"])
        if absolute and absolute["p0"] >= absolute["p1"]:
            yield (index, "absolute"), "p0, the good rate, must be below p1"
        if gate.get("excluded", 2.0) <= gate.get("tolerated", 1.0):
            yield (index,), "the excluded ratio must be above the tolerated one"
        if not gate.get("relative", True) and not absolute:
            yield (index,), "a gate that is not relative needs `absolute`"


def _located(at: Pointer, batches: list[dict[str, Any]]) -> Iterator[tuple[Pointer, Any]]:
    """Every cell of a gate, with where it is."""
    for index, batch in enumerate(batches):
        for arm in ("candidate", "stable", "others"):
            place = (*at, "batches", index, arm)
            found = batch.get(arm, [])
            if isinstance(found, list):
                yield from (((*place, i), cell) for i, cell in enumerate(found))
            else:
                yield place, found


def _wrong(document: Document, pointer: Pointer, message: str) -> Finding:
    return Finding(document.place(pointer), "JDG003", message, "correct it")


def counts_of(data: Mapping[str, Any]) -> Counts:
    """The counts in a checked file."""
    parameters = parameters_of(data.get("parameters", {}))
    gates = tuple(
        GateCounts(gate_of(g), _batches(g["batches"], parameters.batch), g.get("query", ""))
        for g in data["gates"]
    )
    last = max((b.step for g in gates for b in g.batches), default=0)
    step, restarts = data.get("step", last), data.get("restarts", 0)
    window = data.get("window")
    asked = (window["begin"], window["end"]) if window else None
    more = (data.get("exhausted", False), asked, data.get("restartedAt"))
    return Counts(gates, parameters, step, restarts, *more, answered=_answered(data))


def _answered(data: Mapping[str, Any]) -> tuple[Answered, ...]:
    return tuple(
        Answered(row["at"], row["candidate"], row["stable"], row["weight"], row.get("step", 0))
        for row in data.get("answers", ())
    )


def parameters_of(given: Mapping[str, Any]) -> Parameters:
    """How to judge, from the fields of evidence and scenarios."""
    default = Parameters()
    return Parameters(
        alpha=given.get("alpha", default.alpha),
        beta=given.get("beta", default.beta),
        mixture=tuple(given.get("mixture", default.mixture)),
        burst=given.get("burstCap"),
        restarts=given.get("restartLimit", default.restarts),
        steps=given.get("steps", default.steps),
        batch=given.get("batchSeconds", default.batch),
        beside=given.get("beside"),
    )


def gate_of(data: Mapping[str, Any]) -> Gate:
    """A gate from its fields, as evidence and scenarios write them."""
    absolute = data.get("absolute")
    return Gate(
        name=data["name"],
        relative=data.get("relative", True),
        tolerated=data.get("tolerated", 1.0),
        excluded=data.get("excluded", 2.0),
        two_sided=data.get("twoSided", False),
        absolute=Absolute(absolute["p0"], absolute["p1"]) if absolute else None,
        matched=data.get("matched", False),
        least=data.get("minRequests", 0),
        observe=data.get("mode", "enforce") == "observe",
        required=data.get("required", True),
    )


def _batches(listed: list[dict[str, Any]], length: int) -> tuple[Batch, ...]:
    times = _times(listed, length)
    return tuple(_batch(data, at) for data, at in zip(listed, times, strict=True))


def _times(listed: list[dict[str, Any]], length: int) -> list[int]:
    """When each batch began; where it does not say, at the end of the one before it."""
    times: list[int] = []
    for data in listed:
        times.append(data.get("at", times[-1] + length if times else 0))
    return times


def _batch(data: Mapping[str, Any], at: int) -> Batch:
    return Batch(
        at=at,
        candidate=_cells(data["candidate"]),
        stable=_cells(data.get("stable", [])),
        step=data.get("step", 0),
        load=data.get("load"),
        cache=data.get("cache"),
        others=_cells(data.get("others", [])),
    )


def _cells(arm: Any) -> tuple[Cell, ...]:  # noqa: ANN401  # one count or a list of them
    listed = arm if isinstance(arm, list) else [arm]
    return tuple(Cell(int(cell["requests"]), int(cell["bad"])) for cell in listed)


def written(counts: Counts, judgement: Judgement, about: Mapping[str, str]) -> bytes:
    """The evidence file of a step; `about` names release, candidate and stable version."""
    parameters = counts.parameters
    data = {
        "format": FORMAT,
        **about,
        "step": counts.step,
        "restarts": counts.restarts,
        **({} if counts.restarted is None else {"restartedAt": counts.restarted}),
        "exhausted": counts.exhausted,
        **_window(counts),
        "parameters": {
            "alpha": parameters.alpha,
            "beta": parameters.beta,
            "mixture": list(parameters.mixture),
            "burstCap": parameters.burst,
            "restartLimit": parameters.restarts,
            "steps": parameters.steps,
            "batchSeconds": parameters.batch,
            **({} if parameters.beside is None else {"beside": parameters.beside}),
        },
        "gates": [_gate_data(each) for each in counts.gates],
        **({"answers": [_answered_data(b) for b in counts.answered]} if counts.answered else {}),
        "judgement": judgement_data(judgement),
    }
    return (json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _window(counts: Counts) -> dict[str, Any]:
    if counts.window is None:
        return {}
    begin, end = counts.window
    return {"window": {"begin": begin, "end": end}}


def _answered_data(batch: Answered) -> dict[str, int]:
    return {
        "at": batch.at,
        "step": batch.step,
        "weight": batch.weight,
        "candidate": batch.candidate,
        "stable": batch.stable,
    }


def _gate_data(counted: GateCounts) -> dict[str, Any]:
    gate = counted.gate
    absolute = {"p0": gate.absolute.p0, "p1": gate.absolute.p1} if gate.absolute else None
    return {
        "name": gate.name,
        **({"query": counted.query} if counted.query else {}),
        "relative": gate.relative,
        "tolerated": gate.tolerated,
        "excluded": gate.excluded,
        "twoSided": gate.two_sided,
        **({"absolute": absolute} if absolute else {}),
        "matched": gate.matched,
        "minRequests": gate.least,
        "mode": "observe" if gate.observe else "enforce",
        **({} if gate.required else {"required": False}),
        "batches": [_batch_data(batch) for batch in counted.batches],
    }


def _batch_data(batch: Batch) -> dict[str, Any]:
    ratios = {"load": batch.load, "cache": batch.cache}
    return {
        "at": batch.at,
        "step": batch.step,
        "candidate": _cells_data(batch.candidate),
        "stable": _cells_data(batch.stable),
        **{name: ratio for name, ratio in ratios.items() if ratio is not None},
        **({"others": _cells_data(batch.others)} if batch.others else {}),
    }


def _cells_data(cells: tuple[Cell, ...]) -> list[dict[str, int]]:
    return [{"requests": cell.requests, "bad": cell.bad} for cell in cells]


def judgement_data(judgement: Judgement) -> dict[str, Any]:
    """A judgement as JSON; of each gate exactly lnEBad, eOk, sprt and verdict."""
    return {
        "verdict": judgement.verdict,
        "reason": judgement.reason,
        "gates": {gate.name: _verdict_data(gate) for gate in judgement.gates},
    }


def _verdict_data(gate: GateVerdict) -> dict[str, Any]:
    return {
        "lnEBad": gate.ln_e_bad,
        "eOk": gate.e_ok,
        "sprt": gate.sprt,
        "verdict": gate.verdict,
    }


def differences(document: Document, judgement: Judgement) -> Iterator[Finding]:
    """Where a replay does not come to what the file says was decided."""
    said = document.data.get("judgement")
    if said is None:
        return
    now = judgement_data(judgement)
    if said["verdict"] != now["verdict"]:
        message = f"the verdict was {said['verdict']}, and on these counts is {now['verdict']}"
        yield _differs(document, ("judgement", "verdict"), message)
    for name in sorted({*said["gates"], *now["gates"]}):
        before, after = said["gates"].get(name), now["gates"].get(name)
        if before is None or after is None or not _same(before, after):
            message = f"what was judged of {name!r} does not follow from these counts"
            yield _differs(document, ("judgement", "gates", name), message)


def _differs(document: Document, pointer: Pointer, message: str) -> Finding:
    advice = "the file was edited, or another version of Sluice judged it"
    return Finding(document.place(pointer), "JDG004", message, advice)


def _same(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    return before.keys() == after.keys() and all(
        math.isclose(before[k], after[k], rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        if isinstance(before[k], float | int) and isinstance(after[k], float | int)
        else before[k] == after[k]
        for k in before
    )
