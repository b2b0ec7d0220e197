"""Whether models fit: known models on known accelerators, and what the findings say."""

from typing import Any

import pytest

from sluice.core.capacity.fit import architecture_of, check_memory, fitting
from sluice.core.finding import Finding, Severity
from sluice.core.plan.inspect import facts, memory, text
from sluice.core.specs.records import read_release
from sluice.core.specs.resolve import Release
from support import engine_cases as cases
from support import trees

TABLE = [  # model, quantization, accelerator, count, length: what is found
    ("qwen2.5-7b", "awq", "nvidia-l4", 1, 8192, []),
    ("qwen2.5-7b", "awq", "nvidia-l40s", 1, 32768, []),
    ("qwen2.5-7b", "", "nvidia-l4", 1, 32768, []),
    ("qwen2.5-14b", "", "nvidia-l40s", 1, 32768, []),
    ("qwen2.5-14b", "", "nvidia-l4", 1, 8192, ["FIT002"]),
    ("qwen2.5-7b", "", "nvidia-t4", 1, 8192, ["FIT002"]),
    ("qwen2.5-7b", "", "nvidia-l40s", 3, 8192, ["FIT003"]),
    ("llama-3.1-70b", "", "nvidia-h100-80gb", 1, 8192, ["FIT002"]),
    ("llama-3.1-70b", "", "nvidia-h100-80gb", 2, 8192, ["FIT005"]),
    ("llama-3.1-70b", "", "nvidia-h100-80gb", 2, 16384, ["FIT002"]),
    ("llama-3.1-70b", "", "nvidia-h100-80gb", 4, 8192, []),
    ("llama-3.1-70b", "", "nvidia-h100-80gb", 8, 131072, []),
    ("llama-3.1-70b", "fp8", "nvidia-h100-80gb", 1, 8192, ["FIT002"]),
    ("llama-3.1-70b", "fp8", "nvidia-h100-80gb", 2, 8192, []),
    ("llama-3.1-70b", "awq", "nvidia-h100-80gb", 1, 8192, []),
    ("deepseek-v3", "fp8", "nvidia-h200", 8, 8192, []),
    ("deepseek-v3", "fp8", "nvidia-h100-80gb", 8, 8192, ["FIT002"]),
    ("gpt-oss-20b", "mxfp4", "nvidia-l4", 1, 8192, []),
    ("qwen2.5-7b", "", "nvidia-l40s", 1, 40000, ["FIT004"]),
    ("qwen2.5-7b", "awq-marlin", "nvidia-t4", 1, 8192, []),
    ("qwen2.5-14b", "awq-marlin", "nvidia-t4", 1, 32768, ["FIT002"]),
    ("qwen2.5-14b", "gptq-marlin", "nvidia-t4", 1, 32768, ["FIT002"]),
    ("qwen2.5-72b", "quark", "nvidia-t4", 1, 8192, []),  # of unknown size: no verdict
]


def release(
    model: object,
    quantization: str,
    accelerator: str,
    count: int,
    length: int,
    **more: Any,  # noqa: ANN401  # YAML
) -> Release:
    engine = cases.catalog().engine("vllm")
    assert engine is not None
    serving = {"maxModelLen": length, **({"quantization": quantization} if quantization else {})}
    asked = {"name": accelerator, "count": count}
    architecture = {"architecture": model}
    return cases.release(engine, model=architecture, serving=serving, accelerator=asked, **more)


def found(release: Release) -> list[Finding]:
    return list(check_memory(release, cases.catalog()))


@pytest.mark.parametrize(
    ("model", "quantization", "accelerator", "count", "length", "rules"), TABLE, ids=str
)
def test_a_model_on_an_accelerator(
    model: str, quantization: str, accelerator: str, count: int, length: int, rules: list[str]
) -> None:
    judged = found(release(model, quantization, accelerator, count, length))
    assert [finding.rule for finding in judged] == rules


def test_what_is_said_of_a_model_that_does_not_fit() -> None:
    (finding,) = found(release("llama-3.1-70b", "", "nvidia-h100-80gb", 2, 131072))
    assert finding.severity is Severity.ERROR
    assert "of 79.1 GiB a device weights 65.7 GiB, overhead 5.6 GiB" in finding.message
    assert "1.5 GiB are left for the cache" in finding.message
    assert "a sequence of 131,072 tokens needs 20.0 GiB" in finding.message
    assert finding.help == "set serving.maxModelLen to 9744 or less or set accelerator.count to 4"


def test_the_remedies_hold() -> None:
    shorter = release("llama-3.1-70b", "", "nvidia-h100-80gb", 2, 9744)
    longer = release("llama-3.1-70b", "", "nvidia-h100-80gb", 2, 9745)
    more = release("llama-3.1-70b", "", "nvidia-h100-80gb", 4, 131072)
    assert [f.rule for f in found(shorter)] == ["FIT005"]
    assert [f.rule for f in found(longer)] == ["FIT002"]
    assert found(more) == []


def test_the_remedy_for_a_share_is_a_larger_one() -> None:
    asked = release("qwen2.5-7b", "awq", "nvidia-l40s", 1, 8192)
    engine = cases.catalog().engine("vllm")
    assert engine is not None
    share = {"name": "nvidia-l40s", "share": {"mode": "hami", "memory": "4Gi"}}
    small = cases.release(engine, serving=asked.spec.document["serving"], accelerator=share)
    (finding,) = found(small)
    assert (finding.rule, finding.help) == ("FIT002", "use a larger share")


def test_the_remedy_is_a_count_that_nodes_have() -> None:
    (finding,) = found(release("qwen2.5-7b", "", "google-tpu-v5e", 1, 4096))
    assert finding.help == "set accelerator.count to 4"


def test_what_is_said_of_counts_that_do_not_divide() -> None:
    (finding,) = found(release("qwen2.5-7b", "", "nvidia-l40s", 3, 8192))
    assert "28 attention heads do not divide by 3" in finding.message
    assert finding.help == "use 1, 2, 4 or 28"


def test_an_override_with_a_reason_makes_a_note_of_it() -> None:
    override = {"memoryOverride": {"reason": "measured with 2 GiB to spare"}}
    (finding,) = found(release("qwen2.5-7b", "", "nvidia-t4", 1, 8192, resources=override))
    assert (finding.rule, finding.severity) == ("FIT002", Severity.NOTE)
    assert "measured with 2 GiB to spare" in finding.message


def test_an_override_of_nothing_is_a_warning() -> None:
    override = {"memoryOverride": {"reason": "measured with 2 GiB to spare"}}
    (finding,) = found(release("qwen2.5-7b", "", "nvidia-l40s", 1, 8192, resources=override))
    assert (finding.rule, finding.severity) == ("FIT006", Severity.WARNING)


def test_numbers_in_the_release_count_as_those_of_the_catalog_do() -> None:
    numbers = dict(cases.catalog().architecture("llama-3.1-70b") or {})
    named = found(release("llama-3.1-70b", "", "nvidia-h100-80gb", 2, 131072))
    inline = found(release(numbers, "", "nvidia-h100-80gb", 2, 131072))
    assert [f.message for f in inline] == [f.message for f in named] != []


def test_numbers_that_contradict_each_other_are_a_finding() -> None:
    numbers = {**(cases.catalog().architecture("qwen2.5-7b") or {}), "kvHeads": 5}
    (finding,) = found(release(numbers, "", "nvidia-l40s", 1, 8192))
    assert finding.rule == "FIT007"
    assert "kvHeads (5) must divide heads (28)" in finding.message


def test_without_an_architecture_there_is_no_verdict() -> None:
    asked = release("qwen2.5-7b", "", "nvidia-t4", 1, 8192)
    written = asked.spec.document
    spec = {**written, "model": {**written["model"], "architecture": None}}
    assert architecture_of(read_release(spec), cases.catalog()) is None


def test_the_fraction_is_what_the_engine_means_by_it() -> None:
    length = {"maxModelLen": 8192}
    names = ("vllm", "sglang", "tensorrt-llm", "lmdeploy", "tgi")
    free = {}
    for name in names:
        engine = cases.catalog().engine(name)
        assert engine is not None
        spec = cases.release(engine, serving={**length, "memoryFraction": 0.8}).spec
        architecture = architecture_of(spec, cases.catalog())
        assert architecture is not None
        judged = fitting(spec, architecture, cases.catalog())
        assert judged is not None
        free[name] = judged.budget.cache
    assert free["vllm"] == free["tgi"] < free["sglang"]
    assert free["vllm"] < free["tensorrt-llm"] == free["lmdeploy"]


def test_an_engine_that_fills_the_memory_by_itself_gets_no_verdict_but_the_sizes() -> None:
    engine = cases.catalog().engine("llama-cpp")
    assert engine is not None
    shown = memory(cases.release(engine, accelerator={"count": 3}).spec, cases.catalog())
    assert shown["fits"] is None
    assert shown["weightBytes"] is None
    assert shown["kvBytesPerToken"] == 10 * 2 * 4 * 128 * 2  # 28 layers over 3 devices
    assert found(cases.release(engine, accelerator={"count": 3})) == []


def test_both_versions_of_a_rollout_are_judged_where_they_are_written() -> None:
    files = dict(trees.reference().files)
    rollout = "environments/production/platform/chat/rollout.yaml"
    files = trees.replaced(
        files, rollout, "architecture: qwen2.5-7b", "architecture: llama-3.1-70b"
    )
    findings, _ = trees.outcome(files)
    (finding,) = [f for f in findings if f.rule == "FIT002"]
    assert finding.place.file == rollout


@pytest.mark.parametrize(
    ("model", "weights", "cache"),
    [
        ("llama-3.1-8b", 16_060_522_496, 131_072),
        ("qwen2.5-7b", 15_231_233_024, 57_344),
        ("llama-3.1-70b", 141_107_412_992, 327_680),
        ("qwen3-0.6b", 1_192_099_840, 114_688),
        ("deepseek-v3", None, 70_272),
    ],
)
def test_inspect_shows_the_published_sizes(model: str, weights: int | None, cache: int) -> None:
    shown = facts(release(model, "", "nvidia-h200", 1, 1024), cases.catalog())
    assert weights is None or shown["memory"]["weightBytes"] == weights
    assert shown["memory"]["kvBytesPerToken"] == cache


UNKNOWN = [
    ({"architecture": None}, {}, "model.architecture"),
    ({}, {"quantization": "quark"}, "quantization"),
    ({"architecture": "qwen2.5-7b"}, {"kvCacheDtype": "fp8_ds_mla"}, "kvCacheDtype"),
]


@pytest.mark.parametrize(("model", "serving", "reason"), UNKNOWN, ids=str)
def test_inspect_always_has_the_same_keys_and_says_what_it_does_not_know(
    model: dict[str, Any], serving: dict[str, Any], reason: str
) -> None:
    engine = cases.catalog().engine("vllm")
    assert engine is not None
    known = facts(cases.release(engine), cases.catalog())
    assert known["memory"]["unknown"] == ""
    assert None not in known["memory"].values()
    asked = cases.release(engine, serving=serving)
    written = asked.spec.document
    spec = {**written, "model": {**written["model"], **model}}
    shown = memory(read_release(spec), cases.catalog())
    assert shown.keys() == known["memory"].keys()
    assert shown["fits"] is None
    assert reason in shown["unknown"]


def test_inspect_shows_command_image_and_cost() -> None:
    workspace = trees.reference()
    chosen = next(r for key, r in workspace.specs.releases.items() if key.environment == "staging")
    shown = facts(chosen, cases.catalog())
    assert shown["release"] == str(chosen.key)
    assert shown["command"][:3] == ["vllm", "serve", "/models/qwen2.5-7b-instruct-awq/2"]
    assert shown["image"] == "docker.io/vllm/vllm-openai:v0.33.0"
    price = cases.catalog().accelerator("nvidia-l40s")
    assert price is not None
    assert price.price_per_hour is not None
    assert shown["cost"]["perHour"] == pytest.approx(2 * price.price_per_hour)
    assert shown["cost"]["perMonth"] == pytest.approx(2 * price.price_per_hour * 730)
    assert shown["memory"]["fits"] is True
    for line in ("vllm serve", "fits: ", "/h ("):
        assert line in text(shown)


def test_inspect_shows_both_versions_of_a_rollout() -> None:
    workspace = trees.reference()
    chosen = next(r for r in workspace.specs.releases.values() if r.rollout is not None)
    shown = facts(chosen, cases.catalog())
    assert shown["model"]["version"] != shown["stable"]["model"]["version"]
    assert shown["cost"]["mostPerHour"] > shown["cost"]["perHour"]
