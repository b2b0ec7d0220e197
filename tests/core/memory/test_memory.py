import math
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import sluice
from sluice.core.memory.architecture import (
    Architecture,
    LinearAttention,
    MixtureOfExperts,
    SlidingWindow,
    architecture_from,
)
from sluice.core.memory.preflight import (
    GIB,
    Fit,
    FractionOf,
    Placement,
    budget,
    fit,
    kv_bytes_per_token,
    kv_cache_bytes,
    parallel_problems,
)
from sluice.core.memory.weights import parameter_count, weight_bytes

CATALOG = Path(sluice.__file__).parent / "catalog" / "architectures"
MEANINGS: tuple[FractionOf, ...] = ("total", "static", "free")


def catalogued(name: str) -> Architecture:
    return architecture_from(yaml.safe_load((CATALOG / f"{name}.yaml").read_text()), name)


SMALL = Architecture("small", 4, 256, 8, 2, 32, 512, 1000, 4096)


def on(gib: int = 24, *, fraction: float = 0.9, fraction_of: FractionOf = "total") -> Placement:
    return Placement(gib * GIB, fraction, fraction_of)


@pytest.mark.parametrize(
    ("name", "parameters", "size"),
    [
        ("llama-3.1-8b", 8_030_261_248, 16_060_522_496),
        ("llama-3.1-70b", 70_553_706_496, 141_107_412_992),
        ("qwen2.5-7b", 7_615_616_512, 15_231_233_024),
        ("qwen2.5-14b", 14_770_033_664, 29_540_067_328),
        ("qwen2.5-72b", 72_706_203_648, 145_412_407_296),
        ("qwen3-0.6b", 596_049_920, 1_192_099_840),
        ("qwen3-8b", 8_190_735_360, 16_381_470_720),
        ("qwen3-30b-a3b", 30_532_122_624, 61_064_245_248),
        ("mixtral-8x7b", 46_702_792_704, 93_405_585_408),
        ("gemma-2-9b", 9_241_705_984, 18_483_411_968),
        ("phi-4", 14_659_507_200, 29_319_014_400),
        ("deepseek-v2-lite", 15_706_484_224, 31_412_968_448),
    ],
)
def test_sixteen_bit_weights_equal_the_public_index_to_the_byte(
    name: str, parameters: int, size: int
) -> None:
    from_shapes = replace(catalogued(name), parameters=None)
    assert parameter_count(from_shapes) == parameters
    assert weight_bytes(from_shapes, "", "bf16") == size
    assert weight_bytes(from_shapes, "none", "fp16") == size
    assert weight_bytes(from_shapes, "", "fp32") == 2 * size


def test_a_published_count_wins() -> None:
    assert parameter_count(catalogued("deepseek-v3")) == 671_026_419_200
    assert parameter_count(replace(SMALL, parameters=10_000_000)) == 10_000_000
    assert weight_bytes(replace(SMALL, parameters=10_000_000), "", "bf16") == 20_000_000


def test_mxfp4_quantizes_only_the_experts_as_in_the_public_index() -> None:
    assert weight_bytes(catalogued("gpt-oss-20b"), "mxfp4", "bf16") == 13_761_264_768


def test_four_bit_weights_are_near_a_public_checkpoint() -> None:
    size = weight_bytes(catalogued("qwen3-8b"), "awq", "fp16")
    assert size == pytest.approx(5.68 * GIB, rel=0.02)


def test_quantized_weights_of_a_small_model_by_hand() -> None:
    linear = 4 * (2 * 256 * 256 + 2 * 256 * 64 + 3 * 256 * 512)
    kept = 2 * 1000 * 256 + 9 * 256
    assert parameter_count(SMALL) == linear + kept
    assert weight_bytes(SMALL, "fp8", "bf16") == linear + 2 * kept
    assert weight_bytes(SMALL, "int8", "bf16") == linear + 2 * kept
    assert weight_bytes(SMALL, "gptq", "bf16") == linear * 133 // 256 + 2 * kept
    assert weight_bytes(SMALL, "mxfp4", "bf16") == linear * 17 // 32 + 2 * kept
    assert weight_bytes(SMALL, "nvfp4", "bf16") == linear * 9 // 16 + 2 * kept
    assert weight_bytes(SMALL, "mxfp8", "bf16") == linear * 33 // 32 + 2 * kept
    assert weight_bytes(SMALL, "bitsandbytes-nf4", "bf16") == linear * 9 // 16 + 2 * kept
    assert weight_bytes(SMALL, "awq-marlin", "bf16") == weight_bytes(SMALL, "awq", "bf16")


@pytest.mark.parametrize(("quantization", "dtype"), [("q4_K_M", "bf16"), ("", "bf15")])
def test_an_unknown_size_is_refused_with_the_known_ones(quantization: str, dtype: str) -> None:
    with pytest.raises(ValueError, match="is not known; known: "):
        weight_bytes(SMALL, quantization, dtype)


@pytest.mark.parametrize(
    ("name", "per_token"),
    [
        ("llama-3.1-8b", 131_072),
        ("qwen2.5-7b", 57_344),
        ("llama-3.1-70b", 327_680),
        ("qwen3-0.6b", 114_688),
        ("deepseek-v3", 70_272),
    ],
)
def test_cache_per_token(name: str, per_token: int) -> None:
    arch = catalogued(name)
    assert kv_bytes_per_token(arch, "bf16") == per_token
    assert kv_bytes_per_token(arch, "fp8") == per_token // 2
    assert kv_cache_bytes(arch, 1000, "bf16") == 1000 * per_token


@pytest.mark.parametrize(
    ("name", "length", "size"),
    [
        ("llama-3.1-8b", 131_072, 16 * GIB),
        ("qwen2.5-7b", 32_768, 7 * GIB // 4),
        ("llama-3.1-70b", 131_072, 40 * GIB),
        ("deepseek-v3", 131_072, 131_072 * 70_272),
    ],
)
def test_cache_at_full_length(name: str, length: int, size: int) -> None:
    assert kv_cache_bytes(catalogued(name), length, "bf16") == size


def test_tensor_parallel_splits_heads_until_one_is_left() -> None:
    arch = catalogued("llama-3.1-8b")
    sizes = [kv_bytes_per_token(arch, "bf16", ranks) for ranks in (1, 2, 8, 16)]
    assert sizes == [131_072, 65_536, 16_384, 16_384]


def test_stages_split_layers_and_the_fullest_counts() -> None:
    arch = catalogued("deepseek-v3")
    assert kv_bytes_per_token(arch, "bf16", 1, 2) == 31 * 576 * 2


def test_latent_attention_is_the_same_on_every_rank() -> None:
    arch = catalogued("deepseek-v3")
    assert kv_bytes_per_token(arch, "bf16", 8) == 70_272
    assert kv_bytes_per_token(arch, "fp8_ds_mla", 8) == 40_016


def test_the_latent_layout_needs_latent_attention() -> None:
    with pytest.raises(ValueError, match="small lacks"):
        kv_bytes_per_token(SMALL, "fp8_ds_mla")
    with pytest.raises(ValueError, match="cache dtype 'fp7' is not known"):
        kv_bytes_per_token(SMALL, "fp7")


def test_a_window_caps_its_layers_only() -> None:
    arch = replace(SMALL, sliding_window=SlidingWindow(size=100, layers=3))
    layer = 2 * 2 * 32 * 2
    assert kv_bytes_per_token(arch, "bf16") == 4 * layer
    assert kv_cache_bytes(arch, 50, "bf16") == 50 * 4 * layer
    assert kv_cache_bytes(arch, 1000, "bf16") == (1000 + 3 * 100) * layer


def test_layers_with_a_constant_state_do_not_grow() -> None:
    state = LinearAttention(layers=3, state_elements=500, layer_parameters=10)
    arch = replace(SMALL, linear_attention=state)
    layer = 2 * 2 * 32 * 2
    assert kv_bytes_per_token(arch, "bf16") == layer
    assert kv_cache_bytes(arch, 10, "bf16") == 10 * layer + 3 * 500 * 2
    assert kv_cache_bytes(arch, 10, "bf16", 2) == 10 * layer // 2 + 3 * 500


@pytest.mark.parametrize(
    ("ranks", "stages", "words"),
    [(1, 1, []), (8, 4, []), (3, 1, ["8 attention heads", "2 KV heads"]), (1, 5, ["4 layers"])],
)
def test_what_cannot_be_split(ranks: int, stages: int, words: list[str]) -> None:
    problems = parallel_problems(SMALL, ranks, stages)
    assert len(problems) == len(words)
    assert all(word in problem for word, problem in zip(words, problems, strict=True))


def test_kv_heads_must_divide_or_replicate_evenly() -> None:
    arch = replace(SMALL, heads=12, kv_heads=4)
    assert parallel_problems(arch, 6) == [
        "4 KV heads neither divide by 6 nor replicate evenly",
    ]
    assert not parallel_problems(arch, 12)


def test_a_budget_by_hand() -> None:
    arch = catalogued("llama-3.1-8b")
    shares = budget(arch, Placement(80 * GIB, 0.9, "total", tensor_parallel=2))
    assert shares.weights == 8_030_261_248
    assert shares.overhead == 23 * GIB // 10 + math.ceil(8_030_261_248 / 20)
    assert shares.cache == 72 * GIB - shares.weights - shares.overhead


def test_the_same_fraction_means_three_things() -> None:
    arch = catalogued("llama-3.1-8b")
    caches = {
        meaning: budget(arch, on(80, fraction=0.5, fraction_of=meaning)).cache
        for meaning in MEANINGS
    }
    weights, overhead = 16_060_522_496, 23 * GIB // 10 + math.ceil(16_060_522_496 / 20)
    assert caches == {
        "total": 40 * GIB - weights - overhead,
        "static": 40 * GIB - weights,
        "free": (80 * GIB - weights - overhead) // 2,
    }


def test_a_static_fraction_still_leaves_room_for_activations() -> None:
    arch = catalogued("llama-3.1-8b")
    whole = [budget(arch, on(80, fraction=1, fraction_of=meaning)).cache for meaning in MEANINGS]
    assert len(set(whole)) == 1


@pytest.mark.parametrize("fraction", [0, -0.1, 1.01])
def test_a_fraction_outside_its_range_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        budget(SMALL, on(fraction=fraction))


def test_an_unknown_meaning_is_refused() -> None:
    with pytest.raises(ValueError, match="not half"):
        budget(SMALL, on(fraction_of="half"))  # type: ignore[arg-type] # the value of a bad catalog


def test_eight_billion_parameters_on_a_small_gpu() -> None:
    arch = catalogued("llama-3.1-8b")
    small = Placement(22_558 * 2**20, 0.9, "total")
    whole = fit(arch, small)
    assert not whole.fits
    assert whole.margin < 0
    assert 0 < whole.largest_length < 32_768
    shorter = fit(arch, replace(small, max_length=whole.largest_length))
    assert shorter.fits
    assert shorter.sequences == 1
    assert fit(arch, replace(small, quantization="awq", max_length=32_768)).fits


def test_seventy_billion_parameters_want_several_gpus() -> None:
    arch = catalogued("llama-3.1-70b")
    one = Placement(81_008 * 2**20, 0.92, "total", max_length=32_768)
    alone = fit(arch, one)
    assert alone.largest_length == 0
    assert alone.sequences == alone.kv_tokens == 0
    assert alone.smallest_tensor_parallel == 4
    assert fit(arch, replace(one, tensor_parallel=4)).fits


@pytest.mark.parametrize(("spare", "largest"), [(0, 1000), (-1, 999)])
def test_the_last_byte_counts(spare: int, largest: int) -> None:
    shares = budget(SMALL, on(fraction=1))
    needed = shares.weights + shares.overhead + kv_cache_bytes(SMALL, 1000, "bf16")
    judged = fit(SMALL, Placement(needed + spare, 1, "total", max_length=1000))
    assert (judged.margin, judged.largest_length) == (spare, largest)
    assert judged.fits == (spare == 0)


def test_no_split_helps_on_a_tiny_gpu() -> None:
    assert fit(catalogued("deepseek-v3"), on(8)).smallest_tensor_parallel is None


def test_a_split_that_cannot_be_made_does_not_fit() -> None:
    judged = fit(SMALL, replace(on(80), tensor_parallel=3))
    assert judged.margin > 0
    assert not judged.fits
    assert judged.problems == tuple(parallel_problems(SMALL, 3))


def test_the_cache_follows_the_dtype_of_the_weights_unless_told() -> None:
    placement = replace(on(), dtype="fp32")
    assert fit(SMALL, placement).kv_bytes_per_token == kv_bytes_per_token(SMALL, "fp32")
    told = replace(placement, kv_dtype="fp8")
    assert fit(SMALL, told).kv_bytes_per_token == kv_bytes_per_token(SMALL, "fp8")


def test_more_sequences_than_the_cache_holds_must_wait() -> None:
    held = fit(SMALL, on()).sequences
    assert not fit(SMALL, replace(on(), max_sequences=held)).waits
    assert fit(SMALL, replace(on(), max_sequences=held + 1)).waits


# Properties

QUANTIZATIONS = st.sampled_from(["", "fp8", "awq", "mxfp4"])
WINDOWS = st.none() | st.builds(SlidingWindow, size=st.integers(1, 5000), layers=st.integers(1, 2))
EXPERTS = st.none() | st.builds(
    MixtureOfExperts,
    experts=st.integers(2, 64),
    experts_per_token=st.just(2),
    intermediate_size=st.integers(64, 1024),
    dense_layers=st.integers(0, 2),
)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    kv_heads = draw(st.sampled_from([1, 2, 4, 8]))
    return Architecture(
        name="any",
        layers=draw(st.integers(2, 80)),
        hidden_size=draw(st.integers(1, 64)) * 128,
        heads=kv_heads * draw(st.sampled_from([1, 2, 4, 8])),
        kv_heads=kv_heads,
        head_dim=draw(st.sampled_from([64, 128])),
        intermediate_size=draw(st.integers(128, 16384)),
        vocabulary_size=draw(st.integers(1000, 150_000)),
        max_length=draw(st.integers(1, 1_000_000)),
        tied_embeddings=draw(st.booleans()),
        sliding_window=draw(WINDOWS),
        moe=draw(EXPERTS),
    )


PLACEMENTS = st.builds(
    Placement,
    gpu_memory_bytes=st.integers(1, 192).map(lambda gib: gib * GIB),
    fraction=st.integers(1, 100).map(lambda percent: percent / 100),
    fraction_of=st.sampled_from(MEANINGS),
    pipeline_parallel=st.sampled_from([1, 2]),
    quantization=QUANTIZATIONS,
    max_length=st.integers(0, 200_000),
)


@given(architectures(), QUANTIZATIONS)
def test_a_further_layer_never_shrinks_anything(arch: Architecture, quantization: str) -> None:
    deeper = replace(arch, layers=arch.layers + 1)
    assert parameter_count(deeper) > parameter_count(arch)
    assert weight_bytes(deeper, quantization, "bf16") > weight_bytes(arch, quantization, "bf16")
    assert kv_bytes_per_token(deeper, "bf16") > kv_bytes_per_token(arch, "bf16")


@given(architectures(), st.integers(1, 100_000), st.integers(0, 100_000))
def test_a_longer_sequence_never_shrinks_the_cache(
    arch: Architecture, tokens: int, more: int
) -> None:
    shorter = kv_cache_bytes(arch, tokens, "bf16")
    assert shorter <= kv_cache_bytes(arch, tokens + more, "bf16")
    assert shorter <= tokens * kv_bytes_per_token(arch, "bf16")


@given(architectures(), PLACEMENTS, st.integers(1, 16))
def test_a_wider_split_never_raises_what_one_gpu_holds(
    arch: Architecture, placement: Placement, ranks: int
) -> None:
    narrow = budget(arch, replace(placement, tensor_parallel=ranks))
    wide = budget(arch, replace(placement, tensor_parallel=ranks + 1))
    assert wide.weights <= narrow.weights
    assert wide.overhead <= narrow.overhead
    assert wide.cache >= narrow.cache


@given(architectures(), PLACEMENTS)
def test_all_ranks_together_hold_all_weights(arch: Architecture, placement: Placement) -> None:
    placement = replace(placement, tensor_parallel=4)
    held = budget(arch, placement).weights * 4 * placement.pipeline_parallel
    assert held >= weight_bytes(arch, placement.quantization, placement.dtype)


def judged_at(arch: Architecture, placement: Placement, length: int) -> Fit:
    return fit(arch, replace(placement, max_length=length))


@given(architectures(), PLACEMENTS)
def test_the_largest_length_fits_and_one_more_does_not(
    arch: Architecture, placement: Placement
) -> None:
    largest = fit(arch, placement).largest_length
    assert largest <= max(arch.max_length, placement.max_length)
    if largest:
        assert judged_at(arch, placement, largest).fits
    if largest < max(arch.max_length, placement.max_length):
        assert not judged_at(arch, placement, largest + 1).fits


@given(architectures(), PLACEMENTS)
def test_the_smallest_split_fits_and_no_smaller_one_does(
    arch: Architecture, placement: Placement
) -> None:
    smallest = fit(arch, placement).smallest_tensor_parallel
    fitting = [
        ranks
        for ranks in range(1, arch.heads + 1)
        if fit(arch, replace(placement, tensor_parallel=ranks)).fits
    ]
    assert smallest == (fitting[0] if fitting else None)


@given(architectures(), PLACEMENTS)
def test_the_figures_of_a_fit_agree(arch: Architecture, placement: Placement) -> None:
    judged = fit(arch, placement)
    assert judged.fits == (judged.sequences >= 1)
    assert judged.sequences * judged.sequence_bytes <= max(0, judged.budget.cache)
    assert judged.sequences == judged.kv_tokens // judged.max_length
    assert judged.fits == (judged.max_length <= judged.largest_length)
