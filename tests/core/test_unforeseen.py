"""What nobody foresaw is the failure of one thing; what is foreseen, and what ends us, passes."""

import logging
from types import ModuleType

import pytest

from sluice.core import pipeline
from sluice.core.bounded import DEEPEST, LONGEST_NUMBER, json_of, yaml_of
from sluice.core.finding import Finding, FindingsError, UsageError
from sluice.core.layout import Key
from sluice.core.pipeline import stages, standing
from sluice.core.promotion.message import read_marker
from sluice.core.promotion.sound import sound
from sluice.core.reports.status import Outside, status
from sluice.core.specs.resolve import Release
from sluice.core.unforeseen import RULE, UnforeseenError, isolated
from sluice.core.workload.render import Renderer
from sluice.forges.bodies import join_part
from support import trees

SECRET = "canary-in-an-error"  # noqa: S105  # of a test
CHAT = "production/platform/chat"


def _deep(levels: int) -> int:
    return _deep(levels + 1) + 1


def _fail() -> None:
    raise ZeroDivisionError(SECRET)


@pytest.mark.parametrize("error", [MemoryError(), KeyError("x"), AssertionError(), OSError(5, "x")])
def test_any_exception_is_the_outcome_of_one_thing(error: Exception) -> None:
    said = rf"a test: {type(error).__name__} at "
    with pytest.raises(UnforeseenError, match=said), isolated("a test"):
        raise error


def test_a_recursion_without_end_is_one_as_well() -> None:
    with pytest.raises(UnforeseenError, match="RecursionError"), isolated("a test"):
        _deep(0)


@pytest.mark.parametrize(
    "error",
    [UsageError("x"), FindingsError([]), KeyboardInterrupt(), SystemExit(), StopAsyncIteration()],
)
def test_what_is_foreseen_or_ends_the_process_passes(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, isolated("a test", StopAsyncIteration):
        raise error
    assert caught.value is error


def test_the_trace_is_told_once_and_quotes_no_values(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "sluice.unforeseen")
    for _ in range(3):
        with pytest.raises(UnforeseenError), isolated("the trace of a test"):
            _fail()
    assert [record.levelno for record in caplog.records] == [logging.ERROR, *[logging.DEBUG] * 2]
    assert "test_unforeseen.py" in caplog.text
    assert "_fail" in caplog.text
    assert SECRET not in caplog.text


def test_json_is_bounded_in_depth_and_digits() -> None:
    assert json_of("[" * DEEPEST + "]" * DEEPEST)
    assert json_of(b'{"a": -12.5e3, "b": 12345678901234567890}')["b"] == 12345678901234567890
    for text in (
        "[" * (DEEPEST + 1) + "]" * (DEEPEST + 1),
        '{"a":' * 90_000 + "1" + "}" * 90_000,
        "[" * 200_000,
        "1" * (LONGEST_NUMBER + 1),
        "1" * 5_000,
        "",
    ):
        with pytest.raises(ValueError, match=r"\w"):
            json_of(text)


def test_yaml_is_bounded_in_depth_and_has_no_aliases() -> None:
    assert yaml_of("a: [1, {b: text}]") == {"a": [1, {"b": "text"}]}
    for text in ("[" * 101 + "]" * 101, "a: " * 5, "- " * 50_000 + "x", "a: &x [1]\nb: *x", "a: ["):
        with pytest.raises(ValueError, match=r"\w"):
            yaml_of(text)


@pytest.mark.parametrize(
    "data",
    ['{"version": ' * 5_000 + "1" + "}" * 5_000, '{"a": ' + "9" * 5_000 + "}", '{"version": "1"}'],
)
def test_what_is_in_the_marker_of_a_body_is_not_believed_to_have_its_form(data: str) -> None:
    body = f"<!-- sluice:begin -->\ntext\n\n<!-- sluice:v1 {data} -->\n"
    assert read_marker(body) is None
    assert join_part(body, body, 200_000).count("sluice:v1") == 1


@pytest.fixture
def three() -> tuple[pipeline.Specs, pipeline.Toolkit, dict[str, bytes]]:
    """Three releases of one environment."""
    files = dict(trees.base())
    path = f"environments/{CHAT}/release.yaml"
    for name in ("second", "third"):
        raw = files[path].decode().replace("name: chat", f"name: {name}", 1)
        files[path.replace("chat", name)] = raw.replace(
            "spec:", f"spec:\n  traffic: {{path: /{name}}}", 1
        ).encode()
    workspace = trees.workspace_of(files)
    return workspace.specs, workspace.tools, files


def _names(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(f.rule, f.place.file.split("/")[3]) for f in findings if f.rule == RULE]


@pytest.mark.parametrize(
    ("module", "what"),
    [(stages, "check_memory"), (standing, "routes_of"), (standing, "claims_of")],
)
def test_a_check_that_fails_for_one_release_is_a_finding_and_the_others_are_checked(
    three: tuple[pipeline.Specs, pipeline.Toolkit, dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
    module: ModuleType,
    what: str,
) -> None:
    specs, tools, _ = three
    _break(monkeypatch, module, what)
    found = pipeline.check(specs, tools)
    assert _names(found) == [(RULE, "second")]
    kept = sound(specs, found)
    assert [f for f in found if f.rule != RULE] == []
    assert [key.name for key in kept.specs.releases] == ["chat", "third"]
    assert list(kept.broken) == ["production/platform/second"]
    assert pipeline.standings(kept.specs, tools.catalog)


def test_a_release_that_cannot_be_rendered_is_a_finding(
    three: tuple[pipeline.Specs, pipeline.Toolkit, dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs, tools, _ = three
    whole = Renderer.release

    def broken(self: Renderer, release: Release) -> object:
        _explode(release)
        return whole(self, release)

    monkeypatch.setattr(Renderer, "release", broken)
    manifests, found = pipeline.render(specs, tools)
    assert _names(found) == [(RULE, "second")]
    assert {
        p.split("/")[3] for p in manifests if p.startswith("manifests/production/platform")
    } == {
        "chat",
        "third",
    }


def test_a_release_of_which_no_status_can_be_told_is_broken(
    three: tuple[pipeline.Specs, pipeline.Toolkit, dict[str, bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs, tools, files = three

    def broken(key: Key, _version: str, _files: object) -> None:
        if key.name == "second":
            raise RecursionError(SECRET)

    monkeypatch.setattr("sluice.core.reports.status.evaluation_of", broken)
    told = status(specs, tools.catalog, files, Outside())
    assert [each["name"] for each in told["releases"]] == ["chat", "third"]
    assert [each["file"] for each in told["broken"]] == [
        "environments/production/platform/second/release.yaml"
    ]


def _explode(release: Release) -> None:
    if release.key == Key("production", "platform", "second"):
        raise RecursionError(SECRET)


def _break(monkeypatch: pytest.MonkeyPatch, module: ModuleType, what: str) -> None:
    whole = getattr(module, what)

    def broken(release: Release, *more: object) -> object:
        _explode(release)
        return whole(release, *more)

    monkeypatch.setattr(module, what, broken)
