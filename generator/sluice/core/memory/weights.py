"""The parameters of a model by kind, and the bytes that its weights take.

The formulas follow the shapes of the tensors in published checkpoints; the tests hold them to the
totals in public safetensors indexes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TypeVar

from sluice.core.memory.architecture import Architecture

_Size = TypeVar("_Size", int, Fraction)

DTYPE_BYTES: Mapping[str, int] = {
    "auto": 2,
    "bf16": 2,
    "bfloat16": 2,
    "fp16": 2,
    "float16": 2,
    "half": 2,
    "fp32": 4,
    "float32": 4,
    "float": 4,
}

_FOUR_BITS_BY_128 = Fraction(1, 2) + Fraction(2, 128) + Fraction(1, 2) / 128
_FOUR_BITS_BY_32 = Fraction(1, 2) + Fraction(1, 32)
_FOUR_BITS_BY_16 = Fraction(1, 2) + Fraction(1, 16)
_FOUR_BITS_BY_64 = Fraction(1, 2) + Fraction(4, 64)
_EIGHT_BITS_BY_32 = 1 + Fraction(1, 32)

WEIGHT_BYTES: Mapping[str, Fraction] = {
    "fp8": Fraction(1),
    "int8": Fraction(1),
    "experts-int8": Fraction(1),
    "eetq": Fraction(1),
    "bitsandbytes": Fraction(1),
    "mxfp8": _EIGHT_BITS_BY_32,
    "bitsandbytes-nf4": _FOUR_BITS_BY_64,
    "awq-marlin": _FOUR_BITS_BY_128,
    "gptq-marlin": _FOUR_BITS_BY_128,
    "marlin": _FOUR_BITS_BY_128,
    "awq": _FOUR_BITS_BY_128,
    "gptq": _FOUR_BITS_BY_128,
    "int4": _FOUR_BITS_BY_128,
    "mxfp4": _FOUR_BITS_BY_32,
    "nvfp4": _FOUR_BITS_BY_16,
}
"""Bytes per quantized parameter: groups of 128 carry a 16-bit scale and a 4-bit zero point, groups
of 32 (mxfp4, mxfp8) and of 16 (nvfp4) an 8-bit scale, blocks of 64 (nf4) a 32-bit one. A kernel's
name after a format's changes no size. Formats whose width a checkpoint chooses are not here."""
_EXPERTS_ONLY = {"mxfp4", "experts-int8"}


@dataclass(frozen=True, slots=True)
class Parameters:
    """Parameters by what quantization does to them.

    `matrices` and `experts` are the linear layers; `other` is what stays at the model's own
    precision: embeddings, output head, norms, biases, routers, and whatever else was published.
    """

    matrices: int
    experts: int
    other: int

    @property
    def total(self) -> int:
        return self.matrices + self.experts + self.other


def parameters_of(arch: Architecture) -> Parameters:
    """Count parameters by kind, from the tensor shapes of a decoder with gated feed-forward layers.

    Per layer: query, key, value and output projections (or the low-rank ones of latent attention),
    three feed-forward matrices (times experts), norms, biases; once: final norm, embeddings and,
    unless tied, the output head. Source: the shapes in public model code and safetensors headers.
    A published count wins; what it has beyond the linear layers counts as `other`.
    """
    moe_layers = arch.layers - arch.moe.dense_layers if arch.moe else 0
    linear = arch.linear_attention
    attention_layers = arch.layers - (linear.layers if linear else 0)
    per_gate = 3 * arch.hidden_size
    matrices = attention_layers * _attention_matrices(arch)
    matrices += (arch.layers - moe_layers) * per_gate * arch.intermediate_size
    matrices += linear.layers * linear.layer_parameters if linear else 0
    experts = 0
    if arch.moe:
        matrices += moe_layers * per_gate * arch.moe.shared_intermediate_size
        experts = moe_layers * arch.moe.experts * per_gate * arch.moe.intermediate_size
    other = _outside_matrices(arch, attention_layers, moe_layers)
    if arch.parameters is not None:
        other = max(0, arch.parameters - matrices - experts)
        matrices = arch.parameters - experts - other
    return Parameters(matrices, experts, other)


def parameter_count(arch: Architecture) -> int:
    """The number of parameters: as published where the entry says so, else from the shapes."""
    return parameters_of(arch).total


def weight_bytes(arch: Architecture, quantization: str, dtype: str) -> int:
    """Bytes of all weights on all GPUs together; no quantization is "" or "none".

    Embeddings, output head, norms, biases and routers stay at `dtype`. In some formats
    only the experts of a mixture are quantized. Source: safetensors indexes.

    Raises:
        ValueError: for a quantization or dtype whose size is not known.
    """
    size = known_size(DTYPE_BYTES, dtype, "dtype")
    counted = parameters_of(arch)
    if quantization in {"", "none"}:
        return counted.total * size
    rate = known_size(WEIGHT_BYTES, quantization, "quantization")
    only_experts = quantization in _EXPERTS_ONLY and counted.experts > 0
    quantized = counted.experts + (0 if only_experts else counted.matrices)
    return ceil(quantized * rate) + (counted.total - quantized) * size


def known_size(table: Mapping[str, _Size], name: str, what: str) -> _Size:
    """Look a size up; ValueError lists the names that are known."""
    if name not in table:
        raise ValueError(f"the size of {what} {name!r} is not known; known: {', '.join(table)}")
    return table[name]


def divide_up(value: int, by: int) -> int:
    """Divide whole numbers, rounding up: memory is never estimated too small by a rest."""
    return -(-value // by)


def _attention_matrices(arch: Architecture) -> int:
    if arch.mla:
        return _latent_matrices(arch)
    queries = arch.hidden_size * arch.heads * arch.head_dim
    values = arch.hidden_size * arch.kv_heads * arch.head_dim
    return queries * (3 if arch.attention_gate else 2) + 2 * values


def _latent_matrices(arch: Architecture) -> int:
    mla = arch.mla
    if mla is None:
        return 0
    query_dim = arch.heads * (mla.nope_head_dim + mla.rope_head_dim)
    value_dim = arch.heads * mla.value_head_dim
    query = arch.hidden_size * query_dim
    if mla.q_lora_rank:
        query = mla.q_lora_rank * (arch.hidden_size + query_dim)
    down = arch.hidden_size * (mla.kv_lora_rank + mla.rope_head_dim)
    up = mla.kv_lora_rank * (arch.heads * mla.nope_head_dim + value_dim)
    return query + down + up + value_dim * arch.hidden_size


def _outside_matrices(arch: Architecture, attention_layers: int, moe_layers: int) -> int:
    small = 0
    if arch.attention_bias:
        small += (arch.heads + 2 * arch.kv_heads) * arch.head_dim
    if arch.qk_norm:
        small += 2 * arch.head_dim
    if arch.mla:
        small += arch.mla.q_lora_rank + arch.mla.kv_lora_rank
    norms = (arch.layers * arch.norms_per_layer + 1) * arch.hidden_size
    routers = moe_layers * arch.moe.experts * arch.hidden_size if arch.moe else 0
    embeddings = arch.vocabulary_size * arch.hidden_size * (1 if arch.tied_embeddings else 2)
    return attention_layers * small + norms + routers + embeddings
