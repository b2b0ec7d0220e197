"""GPU memory: the bytes of the cache, and whether a model fits beside it.

All sizes are exact ints; only the allowance for activations and graphs is an estimate.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from math import ceil, floor
from typing import Literal

from sluice.core.memory.architecture import Architecture
from sluice.core.memory.weights import (
    DTYPE_BYTES,
    divide_up,
    known_size,
    parameter_count,
    weight_bytes,
)

__all__ = [
    "GIB",
    "KV_BYTES",
    "LATENT_LAYOUT",
    "MIB",
    "Budget",
    "Fit",
    "FractionOf",
    "Placement",
    "budget",
    "fit",
    "kv_bytes_per_token",
    "kv_cache_bytes",
    "parallel_problems",
    "parameter_count",
    "weight_bytes",
]

GIB = 2**30
MIB = 2**20

FractionOf = Literal["total", "free", "static"]
"""What an engine's memory fraction is a fraction of.

total: of the GPU, and weights, caches and activations all have to stay below it.
static: of the GPU, for weights and caches; activations live in what the fraction leaves over.
free: of what the weights and activations leave over, for the cache alone.
"""

KV_BYTES: Mapping[str, Fraction] = {
    **{name: Fraction(size) for name, size in DTYPE_BYTES.items()},
    "fp8": Fraction(1),
    "fp8_e4m3": Fraction(1),
    "fp8_e5m2": Fraction(1),
    "int8": Fraction(1),
    "int4": Fraction(1, 2),
    "q8_0": Fraction(34, 32),
    "q4_0": Fraction(18, 32),
}
"""Bytes per cached element; blocks of 32 (q8_0, q4_0) carry a 16-bit scale. `fp8_ds_mla`, a layout
of latent attention, is computed apart."""

LATENT_LAYOUT = "fp8_ds_mla"
_LATENT_GROUP = 128
_OVERHEAD_BASE = 23 * GIB // 10
_OVERHEAD_SHARE = 20


@dataclass(frozen=True, slots=True)
class Placement:
    """How a model is put on its GPUs.

    `fraction` is the engine's memory fraction, `fraction_of` what it is a fraction of; `max_length`
    is in tokens, 0 for the model's own; `max_sequences` is how many the engine may schedule at
    once, 0 if unknown. Quantization "" is none; "auto" is 16 bit, for the cache the weights' dtype.
    """

    gpu_memory_bytes: int
    fraction: float | Fraction
    fraction_of: FractionOf
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    quantization: str = ""
    dtype: str = "auto"
    kv_dtype: str = "auto"
    max_length: int = 0
    max_sequences: int = 0


@dataclass(frozen=True, slots=True)
class Budget:
    """Where the memory of one GPU goes, in bytes; a negative `cache` is what is missing."""

    total: int
    weights: int
    overhead: int
    cache: int


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether and how well a model fits its GPUs; bytes are per GPU, lengths in tokens.

    `sequences` is how many sequences of `max_length` the cache holds at once; `waits` says that
    this is fewer than the engine may schedule. `margin` is what the cache has beyond one such
    sequence, negative when it does not fit. `largest_length` is 0 when not even one token fits,
    `smallest_tensor_parallel` None when no split over heads helps.
    """

    budget: Budget
    max_length: int
    kv_bytes_per_token: int
    sequence_bytes: int
    kv_tokens: int
    sequences: int
    waits: bool
    margin: int
    largest_length: int
    smallest_tensor_parallel: int | None
    problems: tuple[str, ...]

    @property
    def fits(self) -> bool:
        return not self.problems and self.margin >= 0


def kv_bytes_per_token(
    arch: Architecture, kv_dtype: str, tensor_parallel: int = 1, pipeline_parallel: int = 1
) -> int:
    """Cache bytes that one token adds on one GPU, as long as no sliding window is full.

    2 (key and value) x layers of the stage x KV heads of the rank x head dimension x bytes; latent
    attention caches one compressed vector a layer, the same on every tensor-parallel rank. Layers
    with a constant state add nothing. Source: the cache shapes of the serving engines.

    Raises:
        ValueError: for a cache dtype whose size is not known, or that the model cannot use.
    """
    everywhere, windowed, _ = _layers_of_stage(arch, pipeline_parallel)
    return ceil((everywhere + windowed) * _kv_bytes_per_layer(arch, kv_dtype, tensor_parallel))


def kv_cache_bytes(
    arch: Architecture,
    tokens: int,
    kv_dtype: str,
    tensor_parallel: int = 1,
    pipeline_parallel: int = 1,
) -> int:
    """Cache bytes of one sequence of `tokens` tokens on one GPU.

    Windowed layers stop growing at their window; layers with linear attention hold a constant
    state, kept at 16 bit and split over the tensor-parallel ranks.

    Raises:
        ValueError: as `kv_bytes_per_token`.
    """
    everywhere, windowed, linear = _layers_of_stage(arch, pipeline_parallel)
    window = min(tokens, arch.sliding_window.size) if arch.sliding_window else 0
    cached = everywhere * tokens + windowed * window
    state = 2 * linear * arch.linear_attention.state_elements if arch.linear_attention else 0
    growing = ceil(cached * _kv_bytes_per_layer(arch, kv_dtype, tensor_parallel))
    return growing + divide_up(state, tensor_parallel)


def parallel_problems(
    arch: Architecture, tensor_parallel: int, pipeline_parallel: int = 1
) -> list[str]:
    """Why the model cannot be split this way, in words; empty when it can.

    Heads must divide evenly over the ranks, and KV heads either divide evenly or are replicated
    evenly. Source: the checks of the serving engines.
    """
    problems = []
    if arch.heads % tensor_parallel:
        problems.append(f"{arch.heads} attention heads do not divide by {tensor_parallel}")
    shared = arch.kv_heads % tensor_parallel and tensor_parallel % arch.kv_heads
    if shared and not arch.mla:
        problems.append(
            f"{arch.kv_heads} KV heads neither divide by {tensor_parallel} nor replicate evenly"
        )
    if arch.layers < pipeline_parallel:
        problems.append(f"{arch.layers} layers are fewer than {pipeline_parallel} stages")
    return problems


def budget(arch: Architecture, placement: Placement) -> Budget:
    """Divide one GPU's bytes into weights, overhead and cache.

    Weights are split evenly over tensor-parallel ranks and by layers over stages; the fullest
    stage counts. Overhead (activations, graphs, libraries) is 2.3 GiB + 5 % of the GPU's weights.
    Source: kaito-project/kaito#2139, fitted to what an engine measured at start.

    Raises:
        ValueError: for an unknown quantization, dtype or meaning, or a fraction outside (0, 1].
    """
    stage = divide_up(arch.layers, placement.pipeline_parallel)
    whole = weight_bytes(arch, placement.quantization, placement.dtype)
    weights = divide_up(whole * stage, arch.layers * placement.tensor_parallel)
    overhead = _OVERHEAD_BASE + divide_up(weights, _OVERHEAD_SHARE)
    cache = _cache_bytes(placement, weights, overhead)
    return Budget(placement.gpu_memory_bytes, weights, overhead, cache)


def fit(arch: Architecture, placement: Placement) -> Fit:
    """Judge whether a replica fits: the weights, and one sequence of full length beside them.

    An engine refuses to start when a single sequence of its maximum length has no room.

    Raises:
        ValueError: as `budget` and `kv_bytes_per_token`.
    """
    shares = budget(arch, placement)
    length = placement.max_length or arch.max_length
    sequence = _sequence_bytes(arch, placement, length)
    room = max(0, shares.cache)
    return Fit(
        budget=shares,
        max_length=length,
        kv_bytes_per_token=kv_bytes_per_token(
            arch, _element(placement), placement.tensor_parallel, placement.pipeline_parallel
        ),
        sequence_bytes=sequence,
        kv_tokens=room * length // sequence,
        sequences=room // sequence,
        waits=room // sequence < placement.max_sequences,
        margin=shares.cache - sequence,
        largest_length=_largest_length(arch, placement, shares.cache),
        smallest_tensor_parallel=_smallest_tensor_parallel(arch, placement),
        problems=tuple(
            parallel_problems(arch, placement.tensor_parallel, placement.pipeline_parallel)
        ),
    )


def _largest_length(arch: Architecture, placement: Placement, cache: int) -> int:
    """The most tokens that one sequence may have, up to what the model or the release allows."""
    lengths = range(1, max(arch.max_length, placement.max_length) + 1)
    return bisect_right(lengths, cache, key=partial(_sequence_bytes, arch, placement))


def _smallest_tensor_parallel(arch: Architecture, placement: Placement) -> int | None:
    length = placement.max_length or arch.max_length
    for ranks in range(1, arch.heads + 1):
        split = replace(placement, tensor_parallel=ranks)
        if parallel_problems(arch, ranks, placement.pipeline_parallel):
            continue
        if _sequence_bytes(arch, split, length) <= budget(arch, split).cache:
            return ranks
    return None


def _sequence_bytes(arch: Architecture, placement: Placement, tokens: int) -> int:
    ranks, stages = placement.tensor_parallel, placement.pipeline_parallel
    return kv_cache_bytes(arch, tokens, _element(placement), ranks, stages)


def _element(placement: Placement) -> str:
    return placement.dtype if placement.kv_dtype == "auto" else placement.kv_dtype


def _layers_of_stage(arch: Architecture, pipeline_parallel: int) -> tuple[int, int, int]:
    """Layers of the fullest stage: with an unlimited cache, a window, a constant state."""
    windowed = arch.sliding_window.layers if arch.sliding_window else 0
    linear = arch.linear_attention.layers if arch.linear_attention else 0
    everywhere = arch.layers - windowed - linear
    full, window, state = (divide_up(n, pipeline_parallel) for n in (everywhere, windowed, linear))
    return full, window, state


def _kv_bytes_per_layer(arch: Architecture, kv_dtype: str, tensor_parallel: int) -> Fraction:
    if kv_dtype == LATENT_LAYOUT:
        return Fraction(_latent_layout_bytes(arch))
    size = known_size(KV_BYTES, kv_dtype, "cache dtype")
    if arch.mla:
        return (arch.mla.kv_lora_rank + arch.mla.rope_head_dim) * size
    return 2 * max(1, arch.kv_heads // tensor_parallel) * arch.head_dim * size


def _latent_layout_bytes(arch: Architecture) -> int:
    """8-bit latent values, a 32-bit scale for each 128 of them, 16-bit rotary part."""
    if arch.mla is None:
        raise ValueError(f"{LATENT_LAYOUT} is for latent attention, which {arch.name} lacks")
    scales = 4 * divide_up(arch.mla.kv_lora_rank, _LATENT_GROUP)
    return arch.mla.kv_lora_rank + scales + 2 * arch.mla.rope_head_dim


def _cache_bytes(placement: Placement, weights: int, overhead: int) -> int:
    share = Fraction(str(placement.fraction))
    if not 0 < share <= 1:
        raise ValueError(f"a memory fraction is above 0 and at most 1, not {placement.fraction}")
    total, left = placement.gpu_memory_bytes, placement.gpu_memory_bytes - weights - overhead
    if placement.fraction_of == "total":
        return floor(total * share) - weights - overhead
    if placement.fraction_of == "static":
        return min(floor(total * share) - weights, left)
    if placement.fraction_of == "free":
        return floor(left * share) if left > 0 else left
    raise ValueError(f"a memory fraction is of total, static or free, not {placement.fraction_of}")
