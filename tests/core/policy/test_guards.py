"""What the engine must not do to us: crash, loop, grow, or be missing without a word."""

import sys
from typing import Any

import pytest

from sluice.core.cel import load
from sluice.core.finding import UsageError
from sluice.core.policy.admission import admit
from sluice.core.policy.evaluate import Result, evaluate
from support.policies import decide, plan_of

NULLS = {
    "variables": [
        {"name": "nothing", "expression": "null"},
        {"name": "some", "expression": "[null]"},
    ],
    "validations": [
        {"expression": "object.spec.?x.orValue(null) == null"},
        {"expression": "variables.nothing == null && {'a': null}.a == null"},
        {"expression": "variables.some.indexOf(null) == 0"},
        {"expression": "false", "messageExpression": "variables.some.size() == 1 ? 'm' : 'n'"},
    ],
    "auditAnnotations": [{"key": "k", "valueExpression": "null"}],
}


def _evaluate_with_nulls(times: int) -> None:
    plan = plan_of(NULLS)
    thing = {"apiVersion": "v1", "kind": "ConfigMap", "spec": {"y": None, "z": [None]}}
    request = admit(thing)
    for _ in range(times):
        (result,) = evaluate(plan, (), request)
        assert result.messages == ("m",)


def test_nulls_do_not_end_the_interpreter() -> None:
    _evaluate_with_nulls(4_000)  # 6 nulls each; the count of None's references starts far lower


@pytest.mark.slow
def test_two_hundred_thousand_evaluations_with_nulls() -> None:
    _evaluate_with_nulls(200_000)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None cannot die")
def test_none_outlives_every_miscount() -> None:
    load.load()
    assert sys.getrefcount(None) > 1 << 39


@pytest.mark.parametrize("missing", ["cel_expr_python", "google.protobuf.message_factory", "re2"])
def test_a_missing_engine_is_a_usage_error(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    load.load.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "cel_expr_python"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match="CEL engine"):
        load.load()


def _listing(size: int) -> dict[str, Any]:
    numbers = list(range(size))
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "l": numbers}


def _one(expression: str, size: int, **spec: object) -> Result:
    return decide({"validations": [{"expression": expression}], **spec}, _listing(size))


@pytest.mark.parametrize(
    ("expression", "size"),
    [
        ("object.l.all(x, object.l.all(y, object.l.all(z, x + y + z >= 0)))", 300),
        ("object.l.all(x, object.l.all(y, x + y >= 0))", 3000),
        ("object.l.map(x, object.l.map(y, object.l.map(z, 1))).size() == 1", 300),
        ("lists.range(100000000).size() > 1", 1),
        ("lists.range(1000000).map(x, lists.range(1000000)).size() > 1", 1),
    ],
)
@pytest.mark.parametrize("failure_policy", ["Fail", "Ignore"])
def test_loops_over_millions_are_stopped(expression: str, size: int, failure_policy: str) -> None:
    """An error of a cluster's own is ignored where the policy says so; a doubt of ours never is."""
    result = _one(expression, size, failurePolicy=failure_policy)
    certain = ".all(" in expression
    assert result.decision == ("allow" if certain and failure_policy == "Ignore" else "error")
    assert "cost limit exceeded" in result.messages[0]


LONG = [{"name": "v0", "expression": "'0123456789abcdef'"}] + [
    {"name": f"v{i}", "expression": f"variables.v{i - 1} + variables.v{i - 1}"}
    for i in range(1, 11)
]
TEN = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"


def _nested(loops: int, inside: str) -> str:
    for number in range(loops):
        inside = f"{TEN}.all(x{number}, {inside})"
    return inside


@pytest.mark.parametrize(("text", "decision"), [("v10", "error"), ("v9", "allow")])
def test_functions_cost_by_the_length_of_texts(text: str, decision: str) -> None:
    """A thousand times 1,639 are over the limit, and half of it is not."""
    expression = _nested(3, f"variables.{text}.lowerAscii() != ''")
    assert _one(expression, 1, variables=LONG).decision == decision
    ignoring = _one(expression, 1, variables=LONG, failurePolicy="Ignore")
    assert ignoring.decision == "allow"
    assert bool(ignoring.notes) is (decision == "error")


@pytest.mark.parametrize(("loops", "decision"), [(4, "allow"), (5, "allow"), (6, "error")])
def test_rounds_count_as_in_a_cluster(loops: int, decision: str) -> None:
    assert _one(_nested(loops, "true"), 1).decision == decision
    ignoring = _one(_nested(loops, "true"), 1, failurePolicy="Ignore")
    assert ignoring.decision == "allow"
    assert bool(ignoring.notes) is (decision == "error")


def test_all_expressions_of_a_binding_share_one_budget() -> None:
    expression = _nested(3, "variables.v9.lowerAscii() != ''")
    assert _one(expression, 1, variables=LONG).decision == "allow"
    loops = [{"expression": expression}] * 14
    spec = {"variables": LONG, "validations": loops}
    assert decide(spec, _listing(1)).decision == "error"


def test_a_variable_that_loops_over_millions_is_stopped() -> None:
    loops = {"name": "v", "expression": "object.l.all(x, object.l.all(y, x + y >= 0))"}
    assert _one("variables.v", 3000, variables=[loops]).decision == "error"


@pytest.mark.parametrize(
    ("expression", "decision"),
    [
        ("object.l.all(x, object.l.all(y, x + y >= 0))", "allow"),
        ("object.l.all(x, object.l.all(y, x + y < 398))", "deny"),
        ("!object.l.exists(x, object.l.exists(y, x + y == 398))", "deny"),
        ("object.l.all(i, x, object.l.all(y, x + y >= i)) && true", "allow"),
        ("has(object.nope) || object.l.all(x, object.l.all(y, x + y >= 0))", "allow"),
        ("has(object.l) ? object.l.all(x, object.l.all(y, x + y >= 0)) : false", "allow"),
        ("object.l.all(x, object.l.all(y, x + y + object.nope >= 0))", "deny"),
    ],
)
def test_loops_that_a_cluster_allows_are_run(expression: str, decision: str) -> None:
    """More rounds than the engine takes at once, and less than the API server's budget."""
    assert _one(expression, 200).decision == decision


@pytest.mark.parametrize("combine", ["{0} + {0}", "{0}.replace('a', {0})", "[{0}, {0}].join({0})"])
def test_values_that_double_with_each_variable_are_refused(combine: str) -> None:
    variables = [{"name": "v0", "expression": repr("a" * 400)}]
    variables += [
        {"name": f"v{i}", "expression": combine.format(f"variables.v{i - 1}")} for i in range(1, 40)
    ]
    result = _one("variables.v39.size() > 0", 1, variables=variables)
    assert result.decision == "error"
    assert "grow" in result.messages[0]


def test_variables_that_use_each_other_twice_are_judged_and_blamed() -> None:
    variables = [{"name": "v0", "expression": "object.l.size() > 1"}]
    variables += [
        {"name": f"v{i}", "expression": f"variables.v{i - 1} || variables.v{i - 1}"}
        for i in range(1, 60)
    ]
    assert _one("variables.v59", 1, variables=variables).decision == "deny"


def test_texts_that_grow_in_loops_are_refused() -> None:
    thing = {**_listing(9_000), "text": "a" * 1_000_000}
    rule = "object.l.map(i, object.text + string(i)).size() > 0"
    result = decide({"validations": [{"expression": rule}]}, thing)
    assert result.decision == "error"


def test_an_object_of_aliases_within_aliases_is_refused() -> None:
    layer: Any = ["x"] * 10
    for _ in range(8):
        layer = [layer] * 10
    with pytest.raises(UsageError, match="more parts"):
        admit({"apiVersion": "v1", "kind": "ConfigMap", "data": layer})


def test_an_object_that_holds_itself_is_refused() -> None:
    loop: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap"}
    loop["self"] = loop
    with pytest.raises(UsageError, match="nested"):
        admit(loop)


def test_numbers_beyond_every_range_are_an_error_and_no_crash() -> None:
    thing = {"apiVersion": "v1", "kind": "ConfigMap", "n": 1 << 80}
    result = decide({"validations": [{"expression": "object.n > 0"}]}, thing)
    assert result.decision == "deny"


@pytest.mark.parametrize(
    ("expression", "decision"),
    [
        ("[1, 2].indexOf(dyn(object.metadata[?'name'])) == -1", "allow"),
        ("['b', 'a', 'a'].indexOf(dyn(object.metadata[?'name'].value())) == 1", "allow"),
        ("['a', 'a', 'b'].lastIndexOf(dyn(object.metadata[?'name'].value())) == 1", "allow"),
        ("['a', 'b'].lastIndexOf(dyn(optional.of('a'))) == -1", "allow"),
        ("dyn([optional.of(1), optional.of(2)]).indexOf(optional.of(2)) == 1", "allow"),
        ("dyn(optional.of(1)).includes(optional.of(1))", "allow"),
        ("[1].includes(dyn(optional.none()))", "deny"),
        ("dyn([optional.none(), 1]).max() == 1", "error"),
        ("dyn([optional.of(1)]).sum() == 1", "error"),
        ("dyn([{'a': optional.of(1)}]).isSorted()", "error"),
        ("dyn([3, 1]).min() == 1 && optional.of(1) == optional.of(1)", "allow"),
        ("{'a': 1}.transformMap(k, v, dyn(optional.of(v))).size() == 1", "error"),
        ("{'a': 1}.transformMap(k, v, v).a == 1 && optional.none() == optional.none()", "allow"),
    ],
)
def test_an_optional_where_a_value_is_wanted_ends_nothing(expression: str, decision: str) -> None:
    result = decide({"validations": [{"expression": expression}]}, _listing(1), version=(1, 37))
    failed = bool(result.messages) and "resulted in error" in result.messages[0]
    assert ("error" if failed else result.decision) == decision


def _looped(times: int) -> str:
    expression = "true"
    for number in range(times):
        expression = f"[1].all(v{number}, {expression})"
    return expression


@pytest.mark.parametrize(("times", "decision"), [(12, "allow"), (24, "error"), (27, "error")])
@pytest.mark.parametrize("failure_policy", ["Fail", "Ignore"])
def test_loops_in_loops_are_run_or_refused(times: int, decision: str, failure_policy: str) -> None:
    result = _one(_looped(times), 1, failurePolicy=failure_policy)
    assert result.decision == decision
    assert decision == "allow" or "nested more deeply" in result.messages[0]


def test_thousands_of_validations_are_asked_together() -> None:
    spec = {"validations": [{"expression": "true"}] * 1500}
    assert decide(spec, _listing(1)).decision == "allow"


def test_texts_written_out_that_grow_in_loops_are_refused() -> None:
    variables = [{"name": "v0", "expression": repr("a" * 100)}]
    variables += [
        {"name": f"v{i}", "expression": f"variables.v{i - 1} + variables.v{i - 1}"}
        for i in range(1, 12)
    ]
    loops = "'x' + variables.v11"
    for name in "abcd":
        loops = f"[0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map({name}, {loops})"
    result = _one(f"{loops}.size() > 0", 1, variables=variables)
    assert result.decision == "error"
    assert "cost limit exceeded" in result.messages[0]
