"""From a checkpoint's config.json to the keys of an architecture entry.

The file names most numbers, but what a family always does (a bias on the query, norms on query and
key, tied embeddings, which layers have a window) is in its code: the tables here say so by
`model_type`. A type without a row is taken for an ordinary decoder with gated feed-forward layers.
"""

from collections.abc import Mapping
from typing import Any

from sluice.core.bounded import json_of

_QKV_BIAS = frozenset({"qwen2", "qwen2_moe", "qwen2_vl_text", "qwen2_5_vl_text"})
_QK_NORM = frozenset({"qwen3", "qwen3_moe", "qwen3_next", "qwen3_vl_text", "gemma3_text"})
_FOUR_NORMS = frozenset({"gemma2", "gemma3_text"})
_TIED = frozenset({"gemma", "gemma2", "gemma3_text"})
_GATED_ATTENTION = frozenset({"qwen3_next"})
_WINDOW_EVERYWHERE = frozenset({"mistral"})
_WINDOW_PATTERN: Mapping[str, int] = {"gemma2": 2, "gemma3_text": 6, "gpt_oss": 2}
"""One layer in so many attends to everything, the others through the window."""

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "gemma2": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 256000,
        "max_position_embeddings": 8192,
        "sliding_window": 4096,
    },
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262208,
        "max_position_embeddings": 131072,
        "sliding_window": 4096,
    },
}
"""What a config.json of these types may leave out, since it equals the default of the class."""

_MOST_LAYERS = 10_000
_LARGEST = 1_000_000_000
_NUMBERS: Mapping[str, str] = {
    "layers": "num_hidden_layers",
    "hiddenSize": "hidden_size",
    "heads": "num_attention_heads",
    "intermediateSize": "intermediate_size",
    "vocabularySize": "vocab_size",
    "maxLength": "max_position_embeddings",
}


def read_config(raw: bytes) -> Mapping[str, Any]:
    """Parse a config.json.

    Raises:
        ValueError: for anything but a JSON object.
    """
    try:
        config = json_of(raw)
    except ValueError as error:
        raise ValueError(f"this is no JSON: {error}") from None
    if not isinstance(config, Mapping):
        raise ValueError("config.json holds no object")  # noqa: TRY004 - one kind of error
    return config


def architecture_from_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Translate a parsed config.json into the keys that `architecture_from` reads.

    Of a multimodal model only the text part is described. Where it is not known which layers have
    a window, none has: the cache is then estimated too large, never too small.

    Raises:
        ValueError: naming what the file lacks, if it does not describe a decoder of a known shape.
    """
    text = _text_part(config)
    kind = str(text.get("model_type", ""))
    found = {key: _number(text, name) for key, name in _NUMBERS.items()}
    found |= {
        "kvHeads": text.get("num_key_value_heads") or found["heads"],
        "headDim": _head_dim(text),
        "tiedEmbeddings": bool(text.get("tie_word_embeddings", kind in _TIED)),
        "attentionBias": kind in _QKV_BIAS or bool(_first(text, "attention_bias", "qkv_bias")),
        "attentionGate": kind in _GATED_ATTENTION,
        "qkNorm": kind in _QK_NORM,
        "normsPerLayer": 4 if kind in _FOUR_NORMS else 2,
    }
    sections = {
        "slidingWindow": _sliding_window(text, kind),
        "moe": _moe(text),
        "mla": _mla(text),
        "linearAttention": _linear_attention(text, kind),
    }
    return found | {key: section for key, section in sections.items() if section}


def _text_part(config: Mapping[str, Any]) -> dict[str, Any]:
    inner = config.get("text_config")
    text = {**config, **inner} if isinstance(inner, Mapping) else dict(config)
    if text.get("is_encoder_decoder"):
        raise ValueError("config.json describes an encoder with a decoder, not a decoder alone")
    return {**_DEFAULTS.get(str(text.get("model_type", "")), {}), **text}


def _head_dim(text: Mapping[str, Any]) -> int:
    if text.get("kv_lora_rank"):
        return _number(text, "qk_nope_head_dim") + _number(text, "qk_rope_head_dim")
    if text.get("head_dim"):
        return _number(text, "head_dim")
    return _number(text, "hidden_size") // _number(text, "num_attention_heads")


def _sliding_window(text: Mapping[str, Any], kind: str) -> dict[str, int] | None:
    size = text.get("sliding_window")
    layers = _windowed_layers(text, kind)
    if not layers or not isinstance(size, int) or size >= _number(text, "max_position_embeddings"):
        return None
    return {"size": size, "layers": layers}


def _windowed_layers(text: Mapping[str, Any], kind: str) -> int:
    layers = _number(text, "num_hidden_layers")
    types = text.get("layer_types")
    if isinstance(types, list):
        return types.count("sliding_attention")
    if kind in _WINDOW_PATTERN:
        pattern = text.get("sliding_window_pattern") or _WINDOW_PATTERN[kind]
        return layers - layers // int(pattern)
    if kind in _WINDOW_EVERYWHERE:
        return layers
    if text.get("use_sliding_window"):
        return max(0, layers - int(text.get("max_window_layers") or 0))
    return 0


def _moe(text: Mapping[str, Any]) -> dict[str, int] | None:
    experts = _first(text, "num_local_experts", "n_routed_experts", "num_experts")
    if not experts:
        return None
    size = _first(text, "moe_intermediate_size", "intermediate_size")
    shared = text.get("shared_expert_intermediate_size") or (
        (text.get("n_shared_experts") or 0) * size
    )
    return {
        "experts": experts,
        "expertsPerToken": _number(text, "num_experts_per_tok"),
        "intermediateSize": size,
        "sharedIntermediateSize": shared,
        "denseLayers": _dense_layers(text),
    }


def _dense_layers(text: Mapping[str, Any]) -> int:
    """Count the layers without experts: the first few, those listed, and those off the step."""
    first = text.get("first_k_dense_replace") or 0
    listed = text.get("mlp_only_layers") or []
    step = text.get("decoder_sparse_step") or 1
    every = text.get("moe_layer_freq") or 1
    step_off = every if isinstance(every, int) else 1
    return sum(
        layer < first or layer in listed or (layer + 1) % step != 0 or layer % step_off != 0
        for layer in range(_number(text, "num_hidden_layers"))
    )


def _mla(text: Mapping[str, Any]) -> dict[str, int] | None:
    if not text.get("kv_lora_rank"):
        return None
    return {
        "kvLoraRank": _number(text, "kv_lora_rank"),
        "qLoraRank": text.get("q_lora_rank") or 0,
        "ropeHeadDim": _number(text, "qk_rope_head_dim"),
        "nopeHeadDim": _number(text, "qk_nope_head_dim"),
        "valueHeadDim": _number(text, "v_head_dim"),
    }


def _linear_attention(text: Mapping[str, Any], kind: str) -> dict[str, int] | None:
    """Layers of the gated delta rule: the state of a convolution and of a recurrence."""
    layers = _linear_layers(text)
    if not layers:
        return None
    if "linear_num_value_heads" not in text:
        raise ValueError(f"config.json of type {kind or 'unknown'} has layers of an unknown shape")
    hidden, kernel = _number(text, "hidden_size"), _number(text, "linear_conv_kernel_dim")
    value_heads = _number(text, "linear_num_value_heads")
    key_dim, value_dim = (
        _number(text, "linear_key_head_dim"),
        _number(text, "linear_value_head_dim"),
    )
    keys = _number(text, "linear_num_key_heads") * key_dim
    values = value_heads * value_dim
    mixed = 2 * keys + values
    projections = hidden * (mixed + values + 2 * value_heads) + values * hidden
    return {
        "layers": layers,
        "stateElements": value_heads * key_dim * value_dim + (kernel - 1) * mixed,
        "layerParameters": projections + mixed * kernel + 2 * value_heads + value_dim,
    }


def _linear_layers(text: Mapping[str, Any]) -> int:
    types = text.get("layer_types")
    if isinstance(types, list):
        return types.count("linear_attention")
    interval = text.get("full_attention_interval")
    layers = _number(text, "num_hidden_layers")
    return layers - layers // interval if isinstance(interval, int) and interval > 0 else 0


def _first(text: Mapping[str, Any], *names: str) -> Any:  # noqa: ANN401 - a value of parsed JSON
    return next((text[name] for name in names if text.get(name)), None)


def _number(text: Mapping[str, Any], name: str) -> int:
    value = text.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"config.json has no usable {name}: it must be a whole number above 0")
    most = _MOST_LAYERS if name == "num_hidden_layers" else _LARGEST
    if value > most:  # what is counted layer by layer must have an end
        raise ValueError(f"config.json has no usable {name}: no model has more than {most}")
    return value
