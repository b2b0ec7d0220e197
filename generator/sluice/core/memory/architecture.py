"""A model's architecture: the numbers that decide how much memory its weights and caches take."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class SlidingWindow:
    """Layers whose attention, and so whose cache, reaches back only `size` tokens."""

    size: int
    layers: int


@dataclass(frozen=True, slots=True)
class MixtureOfExperts:
    """Feed-forward layers made of experts; `dense_layers` keep an ordinary feed-forward part."""

    experts: int
    experts_per_token: int
    intermediate_size: int
    shared_intermediate_size: int = 0
    dense_layers: int = 0


@dataclass(frozen=True, slots=True)
class LatentAttention:
    """Multi-head latent attention (MLA); a `q_lora_rank` of 0 means an uncompressed query."""

    kv_lora_rank: int
    rope_head_dim: int
    nope_head_dim: int
    value_head_dim: int
    q_lora_rank: int = 0


@dataclass(frozen=True, slots=True)
class LinearAttention:
    """Layers with a state of constant size per sequence in place of a cache that grows.

    `state_elements` and `layer_parameters` count numbers per layer, over all tensor-parallel ranks.
    """

    layers: int
    state_elements: int
    layer_parameters: int


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a decoder; sizes count elements, `max_length` counts tokens.

    `parameters` is the published count where there is one; it overrides the computed one.
    """

    name: str
    layers: int
    hidden_size: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate_size: int
    vocabulary_size: int
    max_length: int
    tied_embeddings: bool = False
    attention_bias: bool = False
    attention_gate: bool = False
    qk_norm: bool = False
    norms_per_layer: int = 2
    sliding_window: SlidingWindow | None = None
    moe: MixtureOfExperts | None = None
    mla: LatentAttention | None = None
    linear_attention: LinearAttention | None = None
    parameters: int | None = None


_SECTIONS: Mapping[str, frozenset[str]] = {
    "slidingWindow": frozenset({"size", "layers"}),
    "moe": frozenset(
        {
            "experts",
            "expertsPerToken",
            "intermediateSize",
            "sharedExperts",
            "sharedIntermediateSize",
            "denseLayers",
        }
    ),
    "mla": frozenset(
        {"kvLoraRank", "qLoraRank", "ropeHeadDim", "nopeHeadDim", "valueHeadDim"},
    ),
    "linearAttention": frozenset({"layers", "stateElements", "layerParameters"}),
}
_KEYS = frozenset(_SECTIONS) | {
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
    "parameters",
}
_MOST_HEADS = 10_000
_LARGEST = 10**15


def architecture_from(data: Mapping[str, Any], name: str) -> Architecture:
    """Build an architecture from a catalog entry or from the numbers inline in a release.

    Raises:
        ValueError: naming the key that is missing, unknown or impossible.
    """
    try:
        architecture = _read(data, name)
    except ValueError as error:
        raise ValueError(f"architecture {name}: {error}") from error
    problem = next(_contradictions(architecture), None)
    if problem:
        raise ValueError(f"architecture {name}: {problem}")
    return architecture


def _read(data: Mapping[str, Any], name: str) -> Architecture:
    _refuse_unknown(data, _KEYS, "")
    hidden_size, heads = _count(data, "hiddenSize"), _count(data, "heads")
    return Architecture(
        name=name,
        layers=_count(data, "layers"),
        hidden_size=hidden_size,
        heads=heads,
        kv_heads=_count(data, "kvHeads", default=heads),
        head_dim=_count(data, "headDim", default=hidden_size // heads),
        intermediate_size=_count(data, "intermediateSize"),
        vocabulary_size=_count(data, "vocabularySize"),
        max_length=_count(data, "maxLength"),
        tied_embeddings=_flag(data, "tiedEmbeddings"),
        attention_bias=_flag(data, "attentionBias"),
        attention_gate=_flag(data, "attentionGate"),
        qk_norm=_flag(data, "qkNorm"),
        norms_per_layer=_count(data, "normsPerLayer", default=2),
        sliding_window=_sliding_window(data),
        moe=_moe(data),
        mla=_mla(data),
        linear_attention=_linear_attention(data),
        parameters=None if data.get("parameters") is None else _count(data, "parameters"),
    )


def _sliding_window(data: Mapping[str, Any]) -> SlidingWindow | None:
    section = _section(data, "slidingWindow")
    if section is None:
        return None
    at = "slidingWindow."
    return SlidingWindow(_count(section, "size", at), _count(section, "layers", at))


def _moe(data: Mapping[str, Any]) -> MixtureOfExperts | None:
    section = _section(data, "moe")
    if section is None:
        return None
    at = "moe."
    size = _count(section, "intermediateSize", at)
    shared = _count(section, "sharedExperts", at, default=0, least=0) * size
    return MixtureOfExperts(
        experts=_count(section, "experts", at),
        experts_per_token=_count(section, "expertsPerToken", at),
        intermediate_size=size,
        shared_intermediate_size=_count(
            section, "sharedIntermediateSize", at, default=shared, least=0
        ),
        dense_layers=_count(section, "denseLayers", at, default=0, least=0),
    )


def _mla(data: Mapping[str, Any]) -> LatentAttention | None:
    section = _section(data, "mla")
    if section is None:
        return None
    at = "mla."
    return LatentAttention(
        kv_lora_rank=_count(section, "kvLoraRank", at),
        rope_head_dim=_count(section, "ropeHeadDim", at),
        nope_head_dim=_count(section, "nopeHeadDim", at),
        value_head_dim=_count(section, "valueHeadDim", at),
        q_lora_rank=_count(section, "qLoraRank", at, default=0, least=0),
    )


def _linear_attention(data: Mapping[str, Any]) -> LinearAttention | None:
    section = _section(data, "linearAttention")
    if section is None:
        return None
    at = "linearAttention."
    return LinearAttention(
        layers=_count(section, "layers", at),
        state_elements=_count(section, "stateElements", at),
        layer_parameters=_count(section, "layerParameters", at),
    )


def _contradictions(architecture: Architecture) -> Iterator[str]:
    """What is wrong with the numbers together, each beginning with the key to correct."""
    a = architecture
    if a.heads % a.kv_heads:
        yield f"kvHeads ({a.kv_heads}) must divide heads ({a.heads})"
    if a.sliding_window and a.sliding_window.layers + _linear_layers(a) > a.layers:
        yield f"slidingWindow.layers exceeds the layers there are ({a.layers})"
    if _linear_layers(a) > a.layers:
        yield f"linearAttention.layers exceeds the layers there are ({a.layers})"
    if a.moe and a.moe.experts_per_token > a.moe.experts:
        yield f"moe.expertsPerToken exceeds moe.experts ({a.moe.experts})"
    if a.moe and a.moe.dense_layers > a.layers:
        yield f"moe.denseLayers exceeds the layers there are ({a.layers})"
    if a.parameters is not None and a.parameters < a.vocabulary_size * a.hidden_size:
        yield "parameters is less than the embeddings alone need: count parameters, not billions"


def _linear_layers(architecture: Architecture) -> int:
    return architecture.linear_attention.layers if architecture.linear_attention else 0


def _section(data: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    section = data.get(key)
    if section is None:
        return None
    if not isinstance(section, Mapping):
        raise ValueError(f"{key} must be an object, not {section!r}")  # noqa: TRY004 - as _flag
    _refuse_unknown(section, _SECTIONS[key], f"{key}.")
    return section


def _refuse_unknown(data: Mapping[str, Any], known: frozenset[str], at: str) -> None:
    unknown = sorted(str(key) for key in data if key not in known)
    if unknown:
        raise ValueError(f"{at}{unknown[0]} is not a key of an architecture")


def _count(
    data: Mapping[str, Any], key: str, at: str = "", *, default: int | None = None, least: int = 1
) -> int:
    value = data.get(key)
    value = default if value is None else value
    if value is None:
        raise ValueError(f"{at}{key} is missing")
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{at}{key} must be a whole number of at least {least}, not {value!r}")
    if value > (_MOST_HEADS if key == "heads" else _LARGEST):  # what is tried for each has an end
        raise ValueError(f"{at}{key} is larger than that of any model")
    return value


def _flag(data: Mapping[str, Any], key: str) -> bool:
    value = data.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false, not {value!r}")  # noqa: TRY004 - one kind of error for a reader of YAML
    return value
