"""Whether the model of a release fits into the memory of its accelerators."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from sluice.core.capacity.allotment import allotment, devices
from sluice.core.capacity.parallel import Parallel, expert_problem, parallel_of
from sluice.core.catalog.entries import Catalog, Engine
from sluice.core.finding import Finding, Severity
from sluice.core.memory.architecture import Architecture, architecture_from
from sluice.core.memory.preflight import LATENT_LAYOUT, MIB, Fit, Placement, fit, parallel_problems
from sluice.core.specs.records import ReleaseSpec
from sluice.core.specs.resolve import Release
from sluice.core.units import bytes_text

_THIN = 20
"""A margin below this part of the device is less than the estimate may err."""
_MOST_DEVICES = 64
"""In one replica, as the schema has it."""

_fit = lru_cache(maxsize=1024)(fit)


def check_memory(release: Release, catalog: Catalog) -> Iterator[Finding]:
    """Whether the model fits into the accelerators' memory, for each version that runs.

    Without an architecture, or where the size of its weights is not known, there is no verdict.
    """
    for version in filter(None, (release.stable, release)):
        try:
            architecture = architecture_of(version.spec, catalog)
        except ValueError as error:
            place = version.place("model.architecture")
            yield Finding(place, "FIT007", str(error), "correct the numbers")
        else:
            if architecture is not None:
                yield from _length(version, architecture)
                yield from _latent(version, architecture)
                yield from _memory(version, architecture, catalog)


def architecture_of(spec: ReleaseSpec, catalog: Catalog) -> Architecture | None:
    """The shape of the model, by its catalog entry or by the numbers in the release.

    Raises:
        ValueError: for numbers that contradict each other.
    """
    named = spec.model.architecture
    numbers = catalog.architecture(named) if named else None
    if numbers is None:
        return None
    return architecture_from(numbers, named if isinstance(named, str) else "of this release")


def fitting(spec: ReleaseSpec, architecture: Architecture, catalog: Catalog) -> Fit | None:
    """How the model fits its devices, or None where there can be no verdict."""
    engine = catalog.engine(spec.engine.name, spec.engine.version)
    given = allotment(spec, catalog)
    if engine is None or given is None:
        return None
    placed = _placement(spec, engine, given.memory_mib)
    try:
        return _fit(architecture, placed) if placed else None
    except ValueError:  # a quantization or a cache type whose size is not known
        return None


def _placement(spec: ReleaseSpec, engine: Engine, memory_mib: int) -> Placement | None:
    if not engine.fraction_of:
        return None
    serving = spec.serving
    fraction = serving.memory_fraction
    by_layers, spread = engine.split == "layers", parallel_of(spec)
    return Placement(
        gpu_memory_bytes=memory_mib * MIB,
        fraction=engine.default_fraction if fraction is None else fraction,
        fraction_of=engine.fraction_of,
        tensor_parallel=1 if by_layers else max(1, spread.tensor),
        pipeline_parallel=devices(spec) if by_layers else spread.pipeline,
        quantization=serving.quantization,
        dtype=serving.dtype,
        kv_dtype=serving.kv_cache_dtype,
        max_length=serving.max_model_len,
        max_sequences=serving.max_sequences,
    )


def _length(release: Release, architecture: Architecture) -> Iterator[Finding]:
    asked = release.spec.serving.max_model_len
    if asked > architecture.max_length:
        message = f"the model ends at {architecture.max_length:,} tokens, not at {asked:,}"
        remedy = "lower it, or give the numbers of the extended model in model.architecture"
        yield Finding(release.place("serving.maxModelLen"), "FIT004", message, remedy)


def _latent(release: Release, architecture: Architecture) -> Iterator[Finding]:
    element = release.spec.serving.kv_cache_dtype
    if element == LATENT_LAYOUT and architecture.mla is None:
        message = f"{element} is a cache of latent attention, which the model does not have"
        yield Finding(release.place("serving.kvCacheDtype"), "FIT022", message, "use fp8")


def _memory(release: Release, architecture: Architecture, catalog: Catalog) -> Iterator[Finding]:
    engine = catalog.engine(release.spec.engine.name, release.spec.engine.version)
    spread = parallel_of(release.spec)
    yield from expert_problem(release, architecture)
    if engine is not None and engine.split != "layers":
        problems = parallel_problems(architecture, spread.tensor, spread.pipeline)
        if problems:
            message = f"{spread.devices} devices: {' and '.join(problems)}"
            place = release.place("accelerator.count")
            yield Finding(place, "FIT003", message, f"use {_counts(architecture)}")
            return
    judged = fitting(release.spec, architecture, catalog)
    if judged is not None:
        yield from _verdict(release, judged, spread, _choices(release.spec, catalog))


def _choices(spec: ReleaseSpec, catalog: Catalog) -> tuple[int, ...]:
    """How many devices of a node a replica may have; none where it has a share to enlarge."""
    accelerator = catalog.accelerator(spec.accelerator.name)
    if accelerator is None or spec.accelerator.share is not None:
        return ()
    return tuple(accelerator.counts) or tuple(range(1, _MOST_DEVICES + 1))


def _counts(architecture: Architecture) -> str:
    """The numbers of devices over which the model can be split."""
    counts = range(1, _MOST_DEVICES + 1)
    possible = [str(n) for n in counts if not parallel_problems(architecture, n)]
    return f"{', '.join(possible[:-1])} or {possible[-1]}" if possible[1:] else possible[0]


def _verdict(
    release: Release, judged: Fit, spread: Parallel, choices: Sequence[int]
) -> Iterator[Finding]:
    override = release.spec.resources.memory_override
    if not judged.fits:
        message, remedy = _missing(judged), _remedy(judged, spread, choices)
        severity = Severity.ERROR
        if override:
            message, severity = f"{message}; overridden: {override.reason}", Severity.NOTE
        yield Finding(release.place("accelerator.count"), "FIT002", message, remedy, severity)
    elif override:
        place = release.place("resources.memoryOverride", key=True)
        message = "there is nothing to override: the model fits"
        yield Finding(place, "FIT006", message, "remove it", Severity.WARNING)
    elif judged.margin < judged.budget.total // _THIN:
        length, spare = f"{judged.max_length:,}", bytes_text(judged.margin)
        message = f"a sequence of {length} tokens leaves {spare} of each device, less than may err"
        remedy = "try it before it carries traffic, or lower serving.maxModelLen"
        place = release.place("accelerator.count")
        yield Finding(place, "FIT005", message, remedy, Severity.WARNING)


def enough(judged: Fit, spread: Parallel) -> int | None:
    """The least devices of a node with which the model fits, spread as it is."""
    if judged.smallest_tensor_parallel is None:
        return None
    ranks = judged.smallest_tensor_parallel * spread.pipeline * spread.data
    return -(-ranks // spread.nodes)


def _missing(judged: Fit) -> str:
    shares = judged.budget
    used = f"weights {bytes_text(shares.weights)}, overhead {bytes_text(shares.overhead)}"
    left = (
        f"{bytes_text(shares.cache)} are left for the cache"
        if shares.cache > 0
        else f"{bytes_text(-shares.cache)} are missing before any cache"
    )
    need = f"a sequence of {judged.max_length:,} tokens needs {bytes_text(judged.sequence_bytes)}"
    total = bytes_text(shares.total)
    return f"the model does not fit: of {total} a device {used}; {left}, and {need}"


def _remedy(judged: Fit, spread: Parallel, choices: Sequence[int]) -> str:
    remedies = []
    larger = "a larger accelerator" if choices else "a larger share"
    if judged.largest_length:
        remedies.append(f"set serving.maxModelLen to {judged.largest_length} or less")
    if not choices:
        remedies.append(f"use {larger}")
    least = max(enough(judged, spread) or _MOST_DEVICES + 1, spread.per_node + 1)
    count = next((choice for choice in choices if choice >= least), None)
    if count:
        remedies.append(f"set accelerator.count to {count}")
    return " or ".join(remedies or [f"use {larger} or quantized weights"])
