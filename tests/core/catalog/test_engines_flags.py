"""Flags beside the fields: known, owned by a field, gone, deprecated, misspelt; and versions."""

import pytest

from sluice.core.catalog.entries import Engine
from sluice.core.finding import Finding, Severity
from support import engine_cases as cases

ADAPTER = {"name": "sql", "model": {"name": "sql", "version": "1", "source": "pvc://models/sql/1"}}
MEANT = "did you mean '{}'? set {} instead"
GONE = {  # gone in 0.33 of the engine, and what is to be written in their place
    "task": "runner or convert",
    "device": "",
    "swap-space": "",
    "num-scheduler-steps": "",
    "use-v2-block-manager": "",
    "guided-decoding-backend": "structured-outputs-config",
    "rope-scaling": "hf-overrides",
    "rope-theta": "hf-overrides",
    "speculative-model": "serving.speculative",
    "num-speculative-tokens": "serving.speculative",
    "enable-reasoning": "serving.reasoningParser",
    "max-seq-len-to-capture": "max-cudagraph-capture-size",
    "cuda-graph-sizes": "max-cudagraph-capture-size",
    "lora-extra-vocab-size": "",
    "long-lora-scaling-factors": "",
    "enable-prompt-adapter": "",
    "preemption-mode": "",
    "worker-use-ray": "distributed-executor-backend",
    "engine-use-ray": "",
    "disable-frontend-multiprocessing": "",
    "disable-log-requests": "enable-log-requests",
    "override-pooler-config": "",
    "qlora-adapter-name-or-path": "",
    "max-num-partial-prefills": "",
    "calculate-kv-scales": "",
    "quantization-param-path": "",
    "disable-async-output-proc": "",
    "tokenizer-pool-size": "",
    "scheduler-delay-factor": "",
    "num-lookahead-slots": "",
    "disable-mm-preprocessor-cache": "",
}


def said(name: str, argument: str, version: str = "") -> list[Finding]:
    """What is said of one argument."""
    engine = cases.catalog().engine(name)
    assert engine is not None
    asked = {"args": {argument: True}, "version": version or engine.version}
    found = cases.findings(cases.release(engine, engine=asked))
    return [finding for finding in found if f"--{argument} " in f"{finding.message} "]


@pytest.mark.parametrize(("argument", "successor"), GONE.items(), ids=GONE)
def test_a_flag_that_is_gone_is_refused_and_its_successor_named(
    argument: str, successor: str
) -> None:
    (finding,) = said("vllm", argument)
    assert (finding.rule, finding.severity) == ("ENG005", Severity.ERROR)
    assert finding.help == (f"use {successor}" if successor else "remove it")


@pytest.mark.parametrize("argument", GONE)
def test_an_older_version_is_warned_of_it(argument: str) -> None:
    (finding,) = said("vllm", argument, "0.20.0")
    assert (finding.rule, finding.severity) == ("ENG006", Severity.WARNING)
    assert finding.message == f"--{argument} is gone from 0.33.0 on"


@pytest.mark.parametrize(
    ("name", "argument", "rule", "remedy"),
    [
        ("vllm", "log-config-file", "ENG006", "remove it"),
        ("vllm", "max-num-batched-token", "ENG007", "did you mean 'max-num-batched-tokens'?"),
        ("vllm", "frobnicate", "ENG007", "see the engine's --help"),
        ("vllm", "max-model-len", "ENG004", "set serving.maxModelLen instead"),
        ("vllm", "no-enable-prefix-caching", "ENG004", "set serving.prefixCaching instead"),
        ("vllm", "enable-lora", "ENG004", "set serving.adapters instead"),
        ("vllm", "kv-transfer-config", "ENG004", "set serving.kvTransfer.connector instead"),
        ("vllm", "max-nm-seqs", "ENG007", MEANT.format("max-num-seqs", "serving.maxSequences")),
        ("vllm", "max_num_seqs", "ENG007", MEANT.format("max-num-seqs", "serving.maxSequences")),
        ("vllm", "max_num_batched_tokens", "ENG007", "did you mean 'max-num-batched-tokens'?"),
        (
            "vllm",
            "gpu-memory-utilisation",
            "ENG007",
            MEANT.format("gpu-memory-utilization", "serving.memoryFraction"),
        ),
        ("vllm", "ir-op-priority", "ENG006", "remove it"),
        ("vllm", "headless", "ENG004", "set parallel.nodes instead"),
        ("vllm", "uds", "ENG004", "remove it"),
        ("vllm", "prt", "ENG007", "see the engine's --help"),
        ("vllm", "port", "ENG004", "remove it"),
        ("sglang", "enable-metrics", "ENG004", "remove it"),
        ("sglang", "model-path", "ENG004", "set model.source instead"),
        ("sglang", "disable-cuda-graph", "ENG005", "use disable-decode-cuda-graph"),
        ("sglang", "grpc-mode", "ENG004", "remove it"),
        ("sglang", "elastic-ep-rejoin", "ENG006", "use elastic-ep-join-mode"),
        ("sglang", "schedule-polcy", "ENG007", "did you mean 'schedule-policy'?"),
        ("tensorrt-llm", "extra_llm_api_options", "ENG004", "remove it"),
        ("tensorrt-llm", "max_num_token", "ENG007", "did you mean 'max_num_tokens'?"),
        ("lmdeploy", "quant-policy", "ENG004", "set serving.kvCacheDtype instead"),
        ("tgi", "max-input-length", "ENG006", "use serving.maxModelLen"),
        ("tgi", "cuda-graph", "ENG007", "did you mean 'cuda-graphs'?"),
        ("llama-cpp", "draft-max", "ENG005", "use serving.speculative.tokens"),
        ("llama-cpp", "metrics", "ENG004", "remove it"),
        ("llama-cpp", "flash-atn", "ENG007", "did you mean 'flash-attn'?"),
        ("ollama", "verbose", "ENG007", "see the engine's --help"),
    ],
)
def test_a_flag_has_the_remedy_that_fits(name: str, argument: str, rule: str, remedy: str) -> None:
    (finding,) = said(name, argument)
    assert (finding.rule, finding.help) == (rule, remedy)


@pytest.mark.parametrize("engine", list(cases.engines()), ids=lambda engine: engine.name)
def test_what_an_entry_says_of_a_flag_it_says_once(engine: object) -> None:
    entry = next(e for e in cases.engines() if e is engine)
    told = [*entry.flags, *entry.deprecated, *entry.removed]
    assert sorted(told) == sorted(set(told))
    for argument in sorted(entry.flags):
        assert said(entry.name, argument) == []


@pytest.mark.parametrize(
    ("name", "argument", "field", "value"),
    [
        ("lmdeploy", "backend", "adapters", [ADAPTER]),
        ("sglang", "chunked-prefill-size", "chunkedPrefill", False),
    ],
)
def test_a_flag_that_comes_with_a_field_is_free_without_it(
    name: str, argument: str, field: str, value: object
) -> None:
    engine = cases.catalog().engine(name)
    assert engine is not None
    args = {"args": {argument: "4096"}}
    assert cases.findings(cases.release(engine, engine=args)) == []
    (finding,) = cases.findings(cases.release(engine, engine=args, serving={field: value}))
    assert (finding.rule, finding.help) == ("ENG004", f"set serving.{field} instead")


@pytest.mark.parametrize("engine", list(cases.engines()), ids=lambda engine: engine.name)
def test_what_a_release_is_told_to_use_instead_is_there(engine: Engine) -> None:
    fields = dict(engine.fields)
    for said_ in (*engine.removed.values(), *engine.deprecated.values()):
        for successor in filter(None, said_.successor.split(" or ")):
            known = [path for path in fields if f"{path}.".startswith(f"{successor}.")]
            assert successor in engine.flags or known, f"{engine.name}: {successor}"


@pytest.mark.parametrize("argument", ["api-key", "hf-token", "some_access_key", "admin-api-key"])
def test_a_secret_is_no_argument_and_not_repeated(argument: str) -> None:
    for engine in cases.engines():
        found = cases.errors(cases.release(engine, engine={"args": {argument: "s3cr3t"}}))
        assert [finding.rule for finding in found] == ["ENG053"]
        assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize("engine", list(cases.engines()), ids=lambda engine: engine.name)
def test_a_version_before_the_first_known_one_is_refused(engine: object) -> None:
    entry = next(e for e in cases.engines() if e is engine)
    old = cases.release(entry, engine={"version": "0.0.1"})
    assert "ENG001" in {finding.rule for finding in cases.errors(old)}
    known = cases.release(entry, engine={"version": entry.minimum})
    assert "ENG001" not in {finding.rule for finding in cases.errors(known)}


def test_an_engine_without_a_metric_for_a_target_is_refused_with_the_reason() -> None:
    scaling = {"min": 1, "max": 2, "target": {"runningRequests": 10}}
    for name, reason in (("ollama", "no metrics endpoint"), ("tensorrt-llm", "newer than")):
        engine = cases.catalog().engine(name)
        assert engine is not None
        (finding,) = cases.errors(cases.release(engine, scaling=scaling))
        assert finding.rule == "ENG008"
        assert reason in finding.message


def test_every_reason_for_a_refusal_is_told() -> None:
    for engine in cases.engines():
        for field, reason in engine.refused.items():
            known = [path for path in engine.fields if f"{path}.".startswith(f"{field}.")]
            assert known == [], f"{engine.name} honours {field}"
            assert reason
