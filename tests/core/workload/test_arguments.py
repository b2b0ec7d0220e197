"""The engine's command line: one argument for each value, whatever the value says."""

from functools import cache
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.core.specs.records import read_release
from sluice.core.workload import arguments
from sluice.core.workload.sources import parse
from support import hostile, trees

TEXTS = [text for text in hostile.TEXTS if text.isprintable() and text]


def command(**serving: object) -> list[str]:
    """The command line of a small release with these fields of `serving`."""
    engine = trees.reference().tools.catalog.engine("vllm", "0.33.0")
    assert engine is not None
    spec: dict[str, Any] = {"engine": {"name": "vllm", "version": "0.33.0"}, "serving": serving}
    return arguments.command(engine, read_release(spec), parse("pvc://models/chat/7"), "chat")


@cache
def rendered(argument: str) -> list[str] | None:
    """The command line of the base release with one more argument, or nothing if it is refused."""
    old, new = (
        "version: 0.33.0",
        f"version: 0.33.0\n    args: {{tokenizer: {argument}}}",
    )
    files = trees.replaced(trees.base(), trees.RELEASE, old, new)
    for path, content in trees.outcome(files)[1].items():
        if path.endswith("deployment.yaml"):
            containers = yaml.safe_load(content)["spec"]["template"]["spec"]["containers"]
            return list(containers[0]["command"])
    return None


def test_the_model_comes_first_and_each_field_is_one_argument() -> None:
    line = command(maxModelLen=8192, memoryFraction=0.85)
    assert line[:3] == ["vllm", "serve", "/models/chat/7"]
    assert {"--max-model-len=8192", "--gpu-memory-utilization=0.85"} <= set(line)


def test_a_switch_is_written_out_both_ways() -> None:
    assert "--enable-prefix-caching" in command(prefixCaching=True)
    assert "--no-enable-prefix-caching" in command(prefixCaching=False)
    assert not [part for part in command() if "prefix-caching" in part]


def test_a_whole_number_has_one_spelling() -> None:
    assert command(maxModelLen=8192.0) == command(maxModelLen=8192)


@pytest.mark.parametrize("value", ["$(HOME)", "a$(B)c", "$$(HOME)", "$(A)$(B)"])
def test_kubernetes_expands_nothing(value: str) -> None:
    """`$$(NAME)` is how Kubernetes is told to leave `$(NAME)` alone."""
    line = command(dtype=value)
    assert f"--dtype={value.replace('$(', '$$(')}" in line


@settings(max_examples=60)
@given(st.sampled_from(TEXTS))
def test_no_value_becomes_a_second_argument(text: str) -> None:
    plain, line = rendered("auto"), rendered(yaml.dump(text, default_style='"', width=9999).strip())
    assert plain is not None
    if line is not None:
        assert len(line) == len(plain)
        assert f"--tokenizer={text}" in line
