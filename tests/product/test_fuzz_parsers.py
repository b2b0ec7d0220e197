"""Every parser on documents with something odd in them, in a process with an end of its own.

A short sample runs each time, a long one in the slow run.
"""

import functools
import json
import os
import random
import resource
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sluice.cluster import connection
from sluice.core.analysis import judgement_file
from sluice.core.finding import Finding, FindingsError, UsageError
from sluice.core.gates import harness
from sluice.core.memory.architecture_config import architecture_from_config, read_config
from sluice.core.policy.layer import read_sound_policies
from sluice.core.promotion import codeowners, message
from sluice.core.unforeseen import RULE
from sluice.forges import bodies, webhooks
from sluice.metrics import prometheus
from sluice.registries import mlflow_webhooks
from sluice.registries.file import FileRegistry
from sluice.system import resources
from sluice.workspace import plain_manifests
from sluice.workspace.manifests import read_manifests
from sluice.workspace.waivers import apply_waivers
from support import trees
from support.forge_nonsense import NONSENSE

MEMORY = 1 << 30
SECONDS = 120
KEY = "production/platform/chat"
ODD: tuple[Any, ...] = (
    *NONSENSE,
    *(
        0,
        1e308,
        10**400,
        2**63,
        "a\nb",
        "a\0b",
        "x" * 5000,
        "&a",
        "{{x}}",
        False,
        "null",
        "=",
        "1e9",
    ),
    *({"": ""}, [None], [[[]]], {"a": {"b": {"c": None}}}, "\u2028", "\uff12", "\u0661", "1_000"),
)
TEXTS = ("[" * 3000, '{"a":' * 3000, "a: &a [*a, *a]", "? [a]\n: b", "!!binary aGk=", "\t- x", "%")


def spoilt(chance: random.Random, value: Any) -> Any:  # noqa: ANN401  # any document
    """Return a document with a few things in it that are gone, odd, or elsewhere."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        value = _spoilt_once(chance, value)
    return value


def _spoilt_once(chance: random.Random, value: Any) -> Any:  # noqa: ANN401  # as above
    if isinstance(value, dict) and value and chance.random() < 0.9:
        key = chance.choice(list(value))
        rest = {k: v for k, v in value.items() if k != key}
        way = chance.random()
        if way < 0.1:
            return rest
        if way < 0.15:
            return {**rest, f"{key}s": value[key]}
        return {**rest, key: _spoilt_once(chance, value[key])}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], _spoilt_once(chance, value[at]), *value[at + 1 :]]
    return chance.choice(ODD)


def as_yaml(data: object) -> bytes:
    return yaml.safe_dump(data, sort_keys=False).encode(errors="replace")


def as_json(data: object) -> bytes:
    return json.dumps(data).encode()


def written(chance: random.Random, data: object, write: Callable[[object], bytes]) -> bytes:
    """The text of a document, seldom with something in it that is none."""
    raw = write(spoilt(chance, data))
    if chance.random() < 0.1:
        at = chance.randrange(len(raw) + 1)
        raw = raw[:at] + chance.choice(TEXTS).encode() + raw[at:]
    return raw


@functools.cache
def documents(name: str) -> Any:  # noqa: ANN401  # any document
    return yaml.safe_load(trees.base()[name])


def refuse_unforeseen(findings: list[Finding]) -> None:
    assert not [str(finding) for finding in findings if finding.rule == RULE]


def tree(chance: random.Random) -> None:
    files = trees.base()
    path = chance.choice([*trees.SHORT.values()])
    if path not in files:
        files[path] = as_yaml(ROLLOUT)
    files[path] = written(chance, yaml.safe_load(files[path]), as_yaml)
    judge(files)


ROLLOUT = {
    "apiVersion": "sluice.dev/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "chat"},
    "spec": {"state": "PENDING", "weight": 0},
}


def judge(files: dict[str, bytes]) -> None:
    workspace = trees.workspace_of(files)
    refuse_unforeseen(workspace.check())
    try:
        workspace.render()
    except FindingsError as error:
        refuse_unforeseen(error.findings)


def catalog(chance: random.Random) -> None:
    files = trees.base()
    release = yaml.safe_load(files[trees.RELEASE])
    family, name = chance.choice(
        [
            ("engines", release["spec"]["engine"]["name"]),
            ("accelerators", release["spec"]["accelerator"]["name"]),
            ("architectures", release["spec"]["model"].get("architecture", "qwen2.5-7b")),
            ("sharing", "mig"),
            ("queueing", "kueue"),
        ]
    )
    entry = resources.read_catalog_entry(family, name)
    if entry is not None:
        files[f"catalog/{family}/{name}.yaml"] = written(chance, entry, as_yaml)
        judge(files)


def registry(chance: random.Random) -> None:
    path = Path(f"registry-{os.getpid()}.yaml")
    path.write_bytes(written(chance, REGISTERED, as_yaml))
    made = FileRegistry(str(path))
    for version in made.versions({"m"}).get("m", ()):
        made.evaluation(version)
        made.fresh(version)


REGISTERED = {
    "models": {
        "m": {
            "versions": [
                {
                    "version": 7,
                    "source": "s3://m/7",
                    "stage": "Production",
                    "aliases": ["champion"],
                    "created": 1_795_195_803_419,
                    "ready": True,
                    "tags": {"digest": "sha256:a"},
                    "files": ["config.json"],
                    "parameters": {"lr": "1e-5"},
                    "metrics": {"a": 0.7, "b": {"value": 0.1, "dataset": "d@1", "recorded": 1}},
                }
            ]
        }
    }
}


def answers_of_prometheus(chance: random.Random) -> None:
    series = [{"metric": {"a": "b"}, "values": [[1, "2"], [3, "NaN"]], "value": [1, "2"]}]
    kind = chance.choice(["matrix", "vector"])
    data = spoilt(chance, {"resultType": kind, "result": series})
    prometheus._read_series(data if isinstance(data, dict) else {}, UsageError)


def deliveries(chance: random.Random) -> None:
    values = [*(str(odd) for odd in ODD if odd != "\ud800"), "1", "v1,abc=", "sha256=00"]
    names = ["X-Hub-Signature-256", "X-Gitlab-Token", "X-Gitea-Signature", "webhook-id"]
    names += ["webhook-timestamp", "webhook-signature", "X-MLflow-Timestamp", "X-MLflow-Signature"]
    names += ["X-MLflow-Delivery-Id"]
    headers = {name: chance.choice(values) for name in names if chance.random() < 0.7}
    body = chance.choice(TEXTS).encode()
    for kind in ("github", "gitlab", "gitea"):
        for secret in ("s", "whsec_c2VjcmV0", "whsec_\u00e4"):
            assert not webhooks.verify(kind, headers, body, secret, 1.0).accepted
    assert not mlflow_webhooks.verify(headers, body, "s", 1.0).accepted


def texts(chance: random.Random) -> None:
    data = spoilt(chance, {"version": "1", "superseded": ["2"], "registered": 5, "head": "a" * 40})
    marker = message.framed(data if isinstance(data, dict) else {"version": data})
    at = chance.randrange(len(marker))
    text = marker[:at] + chance.choice(["", *TEXTS, "\n```\n", "\0", "-->"]) + marker[at:]
    text = "".join(chance.choice([text, "````\n", "\r\n", "# a\n", marker]) for _ in range(4))
    message.read_marker(text)
    message.says_left(text)
    message.is_about(text, "a" * 40)
    message.stamped(text, "a" * 40)
    message.given_back(text)
    bodies.join_part(text, marker, 60_000)
    bodies.fit(text, 400)
    codeowners.owners(text + "\n/environments/** @a @b/c\n[x]\\", "environments/a")


def policies(chance: random.Random) -> None:
    data = yaml.safe_load(POLICY)
    _, findings = read_sound_policies({"policies/a.yaml": written(chance, data, as_yaml)})
    refuse_unforeseen(findings)
    document = {"apiVersion": "sluice.dev/v1alpha1", "kind": "Waivers", "waivers": [WAIVER]}
    files = trees.base() | {"policies/waivers.yaml": written(chance, document, as_yaml)}
    refuse_unforeseen(apply_waivers(trees.workspace_of(files), [], {}, complete=True))


WAIVER = {
    "rule": "POL010/a",
    "release": KEY,
    "owner": "platform",
    "reason": "why",
    "expires": "2099-12-31",
}
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: a}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: ["*"], resources: ["*"]}]
    namespaceSelector: {matchExpressions: [{key: a, operator: In, values: [b]}]}
  matchConditions: [{name: a, expression: "true"}]
  variables: [{name: a, expression: "1"}]
  validations: [{expression: object.metadata.name != 'web', message: m, reason: Invalid}]
"""


def manifests(chance: random.Random) -> None:
    folder = Path(f"manifests-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    data = chance.choice([*rendered().values()])
    (folder / "a.yaml").write_bytes(written(chance, data, as_yaml))
    read = read_manifests(folder)
    refuse_unforeseen([*read.findings, *plain_manifests._find_problems(read, "1.34")])


@functools.cache
def rendered() -> dict[str, Any]:
    made = trees.workspace_of(trees.base()).render()
    return {path: json.loads(json.dumps(manifest.data)) for path, manifest in made.items()}


def kubeconfig(chance: random.Random) -> None:
    path = Path(f"kubeconfig-{os.getpid()}")
    path.write_bytes(written(chance, KUBECONFIG, as_yaml))
    os.environ["KUBECONFIG"] = str(path)
    connection._read_kubeconfig(None)


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
    "current-context": "c",
    "users": [{"name": "u", "user": {"token": "t"}}],
}


def evaluations(chance: random.Random) -> None:
    harness.read(written(chance, RESULTS, as_json), {})


RESULTS = {
    "results": {"mmlu": {"alias": "mmlu", "acc,none": 0.7, "acc_stderr,none": 0.01}},
    "configs": {"mmlu": {"task": "mmlu", "dataset_path": "d", "num_fewshot": 5}},
    "versions": {"mmlu": 1},
    "n-samples": {"mmlu": {"original": 5, "effective": 5}},
    "n-shot": {"mmlu": 5},
    "group_subtasks": {"mmlu": []},
    "date": 1_700_000_000.5,
    "task_hashes": {"mmlu": "abc"},
    "config": {"model": "hf", "model_args": "a=b"},
}


def descriptions(chance: random.Random) -> None:
    architecture_from_config(read_config(written(chance, CONFIG, as_json)))


CONFIG = {
    "model_type": "qwen2",
    "architectures": ["Qwen2ForCausalLM"],
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
    "vocab_size": 152064,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "text_config": {"hidden_size": 10},
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "layer_types": ["full_attention"],
    "torch_dtype": "bfloat16",
    "tie_word_embeddings": False,
}


def counts(chance: random.Random) -> None:
    schema = resources.read_schema("judgement.schema.json")
    document = judgement_file.read("c.json", written(chance, COUNTED, as_json), schema)
    judgement_file.counts_of(document.data)


COUNTED = {"format": 1, "gates": [{"name": "errors", "batches": []}], "parameters": {}}

PARSERS: dict[str, Callable[[random.Random], None]] = {
    parser.__name__: parser
    for parser in (
        *(tree, catalog, registry, answers_of_prometheus, deliveries, texts, policies, manifests),
        *(kubeconfig, evaluations, descriptions, counts),
    )
}


def run_apart(name: str, examples: int) -> str:
    """Try a parser in a child with limits; what went wrong, if anything did."""
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        said = "it ended without a word"
        try:
            used = int(resource.getrusage(resource.RUSAGE_SELF).ru_utime)
            taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            hard = resource.getrlimit(resource.RLIMIT_AS)[1]
            resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, hard))
            resource.setrlimit(resource.RLIMIT_CPU, (used + SECONDS * max(1, examples // 100),) * 2)
            try_parser(PARSERS[name], examples)
            said = ""
        except BaseException:  # noqa: BLE001  # the parent tells it
            said = traceback.format_exc()[-6000:]
        finally:
            os.write(sending, said.encode(errors="replace"))
            os._exit(0)
    os.close(sending)
    with os.fdopen(receiving, "rb") as pipe:
        said = pipe.read().decode()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return said if code == 0 else f"ended by {signal.Signals(-code).name if code < 0 else code}"


def try_parser(parser: Callable[[random.Random], None], examples: int) -> None:
    @settings(
        max_examples=examples,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(seed=st.integers(0, 2**64))
    def tried(seed: int) -> None:
        try:
            parser(random.Random(seed))  # noqa: S311  # the same in every run
        except (FindingsError, UsageError):
            return
        except ValueError:  # what these say of a description
            if parser is not descriptions:
                raise

    tried()


@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_refuses_what_is_odd(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not run_apart(name, 15)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_refuses_all_that_is_odd(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert not run_apart(name, 1000)
