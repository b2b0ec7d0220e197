import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import sluice
from sluice.core.catalog.devices import accelerator_from
from sluice.core.memory.architecture import Architecture, architecture_from
from sluice.core.memory.architecture_config import architecture_from_config
from sluice.core.memory.preflight import MIB
from sluice.core.memory.weights import parameter_count

CATALOG = Path(sluice.__file__).parent / "catalog"
ARCHITECTURES = sorted((CATALOG / "architectures").glob("*.yaml"), key=lambda path: path.stem)
ACCELERATORS = sorted((CATALOG / "accelerators").glob("*.yaml"), key=lambda path: path.stem)

REQUIRED = [
    "layers",
    "hiddenSize",
    "heads",
    "kvHeads",
    "headDim",
    "intermediateSize",
    "vocabularySize",
    "tiedEmbeddings",
    "attentionBias",
    "attentionGate",
    "qkNorm",
    "normsPerLayer",
    "maxLength",
]
OPTIONAL = ["slidingWindow", "moe", "mla", "linearAttention", "parameters"]
ACCELERATOR_KEYS = [
    "name",
    "title",
    "vendor",
    "resource",
    "memoryMiB",
    "nodeSelector",
    "nodeAffinity",
    "hostPaths",
    "runtimeClassName",
    "podResources",
    "capabilities",
    "env",
    "counts",
    "countSelector",
    "tolerations",
    "pricePerHour",
    "features",
    "imageVariant",
    "slices",
    "profiles",
]

# Published counts that hold more than the shapes tell, and by how much at most.
BEYOND_THE_SHAPES = {
    "deepseek-v3": 0.0001,  # a routing bias per expert
    "deepseek-r1": 0.0001,
    "gpt-oss-20b": 0.001,  # attention sinks, biases of experts and output projections
    "gpt-oss-120b": 0.001,
    "gemma-3-4b": 0.1,  # the vision tower
    "gemma-3-12b": 0.04,
    "gemma-3-27b": 0.02,
}


def entry(path: Path) -> dict[str, Any]:
    loaded = yaml.safe_load(path.read_text())
    assert isinstance(loaded, dict)
    return loaded


def named(name: str) -> dict[str, Any]:
    return entry(CATALOG / "architectures" / f"{name}.yaml")


def by_name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", ARCHITECTURES, ids=by_name)
def test_every_entry_has_its_keys_in_the_one_order_and_names_its_source(path: Path) -> None:
    keys = list(entry(path))
    assert keys == REQUIRED + [key for key in OPTIONAL if key in keys]
    assert re.match(r"# Source: config\.json of [\w.-]+/[\w.-]+\.\n", path.read_text())


@pytest.mark.parametrize("path", ARCHITECTURES, ids=by_name)
def test_every_published_count_agrees_with_the_shapes(path: Path) -> None:
    published = architecture_from(entry(path), path.stem)
    computed = parameter_count(replace(published, parameters=None))
    if published.parameters is None:
        assert path.stem == "qwen3-next-80b-a3b"
        assert computed == pytest.approx(80e9, rel=0.02)
    elif path.stem in BEYOND_THE_SHAPES:
        missing = published.parameters - computed
        assert 0 < missing <= BEYOND_THE_SHAPES[path.stem] * published.parameters
    else:
        assert computed == published.parameters


def test_the_catalog_covers_the_common_families() -> None:
    families = {re.split(r"[-0-9.]", path.stem, maxsplit=1)[0] for path in ARCHITECTURES}
    assert families >= {"llama", "qwen", "mistral", "mixtral", "gemma", "phi", "deepseek", "gpt"}
    assert len(ARCHITECTURES) >= 40


@pytest.mark.parametrize("path", ACCELERATORS, ids=by_name)
def test_every_accelerator_has_its_keys_in_the_one_order(path: Path) -> None:
    accelerator = entry(path)
    assert list(accelerator) == [key for key in ACCELERATOR_KEYS if key in accelerator]
    assert accelerator["name"] == path.stem
    assert accelerator["vendor"] == path.stem.partition("-")[0]
    assert ("pricePerHour" in accelerator) == ("indicative" in path.read_text())


@pytest.mark.parametrize("path", ACCELERATORS, ids=by_name)
def test_profiles_are_parts_of_their_accelerator(path: Path) -> None:
    made = accelerator_from(entry(path))
    for name, profile in made.profiles.items():
        assert profile.memory_mib <= made.memory_mib, name
        assert profile.slices <= made.slices, name


@pytest.mark.parametrize("path", ACCELERATORS, ids=by_name)
def test_usable_memory_is_below_the_number_on_the_box(path: Path) -> None:
    accelerator = entry(path)
    on_the_box = int(accelerator["title"].split()[-2]) * 2**30
    assert 0.9 * on_the_box < accelerator["memoryMiB"] * MIB <= on_the_box


def test_fp8_needs_newer_hardware_than_bf16() -> None:
    features = {path.stem: set(entry(path)["features"]) for path in ACCELERATORS}
    assert "bf16" not in features["nvidia-t4"]
    assert "fp8" not in features["nvidia-a100-80gb"]
    assert all("bf16" in known for known in features.values() if "fp8" in known)


SMALL = {
    "layers": 4,
    "hiddenSize": 64,
    "heads": 8,
    "kvHeads": 2,
    "intermediateSize": 128,
    "vocabularySize": 1000,
    "maxLength": 512,
}
EXPERTS = {"experts": 8, "expertsPerToken": 2, "intermediateSize": 32}


def test_what_is_left_out_gets_the_usual_meaning() -> None:
    small = architecture_from({**SMALL, "moe": None}, "small")
    assert small == Architecture("small", 4, 64, 8, 2, 8, 128, 1000, 512)
    assert architecture_from({**SMALL, "kvHeads": None}, "small").kv_heads == 8


def test_shared_experts_count_or_size() -> None:
    counted = architecture_from({**SMALL, "moe": {**EXPERTS, "sharedExperts": 2}}, "small")
    sized = architecture_from({**SMALL, "moe": {**EXPERTS, "sharedIntermediateSize": 64}}, "small")
    assert counted == sized


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": 0}, "layers must be a whole number of at least 1, not 0"),
        ({"layers": True}, "layers must be"),
        ({"heads": 7.5}, "heads must be"),
        ({"heads": None}, "heads is missing"),
        ({"hiddensize": 64}, "hiddensize is not a key"),
        ({"qkNorm": "yes"}, "qkNorm must be true or false"),
        ({"kvHeads": 3}, r"kvHeads \(3\) must divide heads \(8\)"),
        ({"moe": [1]}, "moe must be an object"),
        ({"moe": {"experts": 8}}, "moe.intermediateSize is missing"),
        ({"moe": {**EXPERTS, "expertsPerToken": 9}}, "moe.expertsPerToken exceeds"),
        ({"moe": {**EXPERTS, "denseLayers": 5}}, "moe.denseLayers exceeds"),
        ({"moe": {**EXPERTS, "Experts": 5}}, "moe.Experts is not a key"),
        ({"mla": {"kvLoraRank": 512}}, "mla.ropeHeadDim is missing"),
        ({"slidingWindow": {"size": 128, "layers": 5}}, "slidingWindow.layers exceeds"),
        (
            {"linearAttention": {"layers": 5, "stateElements": 1, "layerParameters": 1}},
            "linearAttention.layers exceeds",
        ),
        ({"parameters": 7}, "parameters is less than the embeddings alone need"),
    ],
)
def test_impossible_numbers_are_refused_by_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^architecture small: {message}"):
        architecture_from({**SMALL, **change}, "small")


LLAMA = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "vocab_size": 128256,
}
CONFIGS: dict[str, dict[str, Any]] = {
    "llama-3.1-8b": LLAMA,
    "qwen2.5-7b": {
        "model_type": "qwen2",
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 32768,
        "max_window_layers": 28,
        "sliding_window": 131072,
        "use_sliding_window": False,
        "vocab_size": 152064,
    },
    "qwen3-0.6b": {
        "model_type": "qwen3",
        "head_dim": 128,
        "hidden_size": 1024,
        "intermediate_size": 3072,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "max_position_embeddings": 40960,
        "tie_word_embeddings": True,
        "vocab_size": 151936,
    },
    "qwen3-30b-a3b": {
        "model_type": "qwen3_moe",
        "decoder_sparse_step": 1,
        "head_dim": 128,
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "max_position_embeddings": 40960,
        "mlp_only_layers": [],
        "moe_intermediate_size": 768,
        "num_attention_heads": 32,
        "num_experts": 128,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 48,
        "num_key_value_heads": 4,
        "vocab_size": 151936,
    },
    "qwen3-next-80b-a3b": {
        "model_type": "qwen3_next",
        "decoder_sparse_step": 1,
        "full_attention_interval": 4,
        "head_dim": 256,
        "hidden_size": 2048,
        "intermediate_size": 5120,
        "linear_conv_kernel_dim": 4,
        "linear_key_head_dim": 128,
        "linear_num_key_heads": 16,
        "linear_num_value_heads": 32,
        "linear_value_head_dim": 128,
        "max_position_embeddings": 262144,
        "mlp_only_layers": [],
        "moe_intermediate_size": 512,
        "num_attention_heads": 16,
        "num_experts": 512,
        "num_experts_per_tok": 10,
        "num_hidden_layers": 48,
        "num_key_value_heads": 2,
        "shared_expert_intermediate_size": 512,
        "vocab_size": 151936,
    },
    "mistral-7b-v0.1": {
        **LLAMA,
        "model_type": "mistral",
        "max_position_embeddings": 32768,
        "sliding_window": 4096,
        "vocab_size": 32000,
    },
    "mistral-7b-v0.3": {
        **LLAMA,
        "model_type": "mistral",
        "max_position_embeddings": 32768,
        "sliding_window": None,
        "vocab_size": 32768,
    },
    "mixtral-8x7b": {
        **LLAMA,
        "model_type": "mixtral",
        "max_position_embeddings": 32768,
        "num_experts_per_tok": 2,
        "num_local_experts": 8,
        "vocab_size": 32000,
    },
    "gemma-2-9b": {
        "model_type": "gemma2",
        "head_dim": 256,
        "hidden_size": 3584,
        "intermediate_size": 14336,
        "max_position_embeddings": 8192,
        "num_attention_heads": 16,
        "num_hidden_layers": 42,
        "num_key_value_heads": 8,
        "sliding_window": 4096,
        "vocab_size": 256000,
    },
    # As published: what equals the defaults of the class is left out.
    "gemma-3-4b": {
        "model_type": "gemma3",
        "text_config": {
            "model_type": "gemma3_text",
            "hidden_size": 2560,
            "intermediate_size": 10240,
            "num_hidden_layers": 34,
            "sliding_window": 1024,
        },
        "vision_config": {"hidden_size": 1152, "num_hidden_layers": 27},
    },
    "phi-4": {
        "model_type": "phi3",
        "hidden_size": 5120,
        "intermediate_size": 17920,
        "max_position_embeddings": 16384,
        "num_attention_heads": 40,
        "num_hidden_layers": 40,
        "num_key_value_heads": 10,
        "sliding_window": None,
        "vocab_size": 100352,
    },
    "deepseek-v3": {
        "model_type": "deepseek_v3",
        "first_k_dense_replace": 3,
        "hidden_size": 7168,
        "intermediate_size": 18432,
        "kv_lora_rank": 512,
        "max_position_embeddings": 163840,
        "moe_intermediate_size": 2048,
        "moe_layer_freq": 1,
        "n_routed_experts": 256,
        "n_shared_experts": 1,
        "num_attention_heads": 128,
        "num_experts_per_tok": 8,
        "num_hidden_layers": 61,
        "num_key_value_heads": 128,
        "q_lora_rank": 1536,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "vocab_size": 129280,
    },
    "deepseek-v2-lite": {
        "model_type": "deepseek_v2",
        "first_k_dense_replace": 1,
        "hidden_size": 2048,
        "intermediate_size": 10944,
        "kv_lora_rank": 512,
        "max_position_embeddings": 163840,
        "moe_intermediate_size": 1408,
        "n_routed_experts": 64,
        "n_shared_experts": 2,
        "num_attention_heads": 16,
        "num_experts_per_tok": 6,
        "num_hidden_layers": 27,
        "num_key_value_heads": 16,
        "q_lora_rank": None,
        "qk_nope_head_dim": 128,
        "qk_rope_head_dim": 64,
        "v_head_dim": 128,
        "vocab_size": 102400,
    },
    "gpt-oss-20b": {
        "model_type": "gpt_oss",
        "attention_bias": True,
        "head_dim": 64,
        "hidden_size": 2880,
        "intermediate_size": 2880,
        "layer_types": ["sliding_attention", "full_attention"] * 12,
        "max_position_embeddings": 131072,
        "num_attention_heads": 64,
        "num_experts_per_tok": 4,
        "num_hidden_layers": 24,
        "num_key_value_heads": 8,
        "num_local_experts": 32,
        "sliding_window": 128,
        "vocab_size": 201088,
    },
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_gives_the_catalog_entry_but_for_the_count(name: str) -> None:
    translated = architecture_from(architecture_from_config(CONFIGS[name]), name)
    catalogued = architecture_from(named(name), name)
    assert translated == replace(catalogued, parameters=None)


def test_an_unknown_type_with_the_usual_keys_is_an_ordinary_decoder() -> None:
    unknown = architecture_from_config({**LLAMA, "model_type": "brand_new", "sliding_window": 1024})
    assert unknown == architecture_from_config(LLAMA)


def test_experts_only_in_some_layers() -> None:
    config = {**CONFIGS["qwen3-30b-a3b"], "decoder_sparse_step": 2, "mlp_only_layers": [1, 2]}
    assert architecture_from_config(config)["moe"]["denseLayers"] == 25


def test_a_window_as_long_as_the_model_is_none() -> None:
    config = {**CONFIGS["mistral-7b-v0.1"], "sliding_window": 32768}
    assert "slidingWindow" not in architecture_from_config(config)


def test_windows_above_a_layer() -> None:
    config = {**CONFIGS["qwen2.5-7b"], "use_sliding_window": True, "max_window_layers": 21}
    config["sliding_window"] = 4096
    assert architecture_from_config(config)["slidingWindow"] == {"size": 4096, "layers": 7}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no usable num_hidden_layers"),
        ({"model_type": "gpt2", "n_layer": 12, "n_embd": 768}, "no usable num_hidden_layers"),
        ({**LLAMA, "vocab_size": "many"}, "no usable vocab_size"),
        ({**LLAMA, "is_encoder_decoder": True}, "an encoder with a decoder"),
        ({**LLAMA, "layer_types": ["linear_attention"] * 32}, "layers of an unknown shape"),
        ({**LLAMA, "num_experts": 8}, "no usable num_experts_per_tok"),
        ({**LLAMA, "kv_lora_rank": 512}, "no usable qk_nope_head_dim"),
    ],
)
def test_a_config_of_another_shape_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        architecture_from_config(config)


@pytest.mark.parametrize("name", ["num_hidden_layers", "num_attention_heads", "hidden_size"])
def test_numbers_of_no_model_are_refused_before_anything_is_counted(name: str) -> None:
    config = {
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "hidden_size": 64,
        "intermediate_size": 64,
        "vocab_size": 100,
        "max_position_embeddings": 100,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    }
    assert architecture_from_config(config)
    with pytest.raises(ValueError, match=name):
        architecture_from_config(config | {name: 10**30})
    with pytest.raises(ValueError, match="heads"):
        architecture_from({**architecture_from_config(config), "heads": 10**6}, "odd")
