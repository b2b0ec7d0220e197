"""`sluice inspect`, on small trees of files."""

import json
from pathlib import Path

import pytest

from sluice.commands import inspect
from sluice.core.finding import FindingsError, UsageError
from support import trees


def written(folder: Path, *replacements: tuple[str, str]) -> str:
    """A repository on disk: the base case with texts of its release replaced."""
    files = trees.base()
    for old, new in replacements:
        files = trees.replaced(files, trees.RELEASE, old, new)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return str(folder)


def test_json_has_what_programs_ask_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.run(release="chat", root=written(tmp_path), form="json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["version"] == 1
    assert {"weightBytes", "kvBytesPerToken", "fits", "maxConcurrency"} <= shown["memory"].keys()
    assert shown["command"][0] == "vllm"
    assert shown["cost"]["perHour"] > 0


def test_text_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert inspect.run(release="production/chat", root=written(tmp_path), form="text") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("production/platform/chat\n")
    assert "memory    fits: " in shown


def test_a_release_that_does_not_fit_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = written(tmp_path, ("architecture: qwen2.5-7b", "architecture: llama-3.1-405b"))
    assert inspect.run(release="chat", root=root, form="json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["memory"]["fits"] is False
    assert shown["memory"]["freeBytes"] < 0


def test_a_release_that_cannot_be_rendered_is_a_finding(tmp_path: Path) -> None:
    root = written(tmp_path, ("name: vllm", "name: deepspeed-mii"))
    with pytest.raises(FindingsError, match="cannot be served"):
        inspect.run(release="chat", root=root, form="json")


def test_a_release_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no release cat; did you mean chat"):
        inspect.run(release="cat", root=written(tmp_path), form="json")
