"""What a release serves and how: model, weights, engine, serving. Part of `records`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sluice.core.specs.reader import EMPTY


class SecretKey(NamedTuple):
    """One key of a Secret in the release's namespace."""

    name: str
    key: str


class Model(NamedTuple):
    """Which registered model version is served, and where its weights are.

    Name, version and source are empty where neither the release nor its environment says them,
    which a check refuses (REF002).
    """

    name: str = ""  # as the registry calls it
    version: str = ""
    source: str = ""  # where the weights are: pvc://, hf://, s3://, gs://, oci://, models:/ …
    digest: str | None = None  # sha256 of the weights, checked as they are fetched
    architecture: str | Mapping[str, Any] | None = None  # an entry of the catalog, or its numbers
    quarantine: tuple[str, ...] = ()  # versions that are not to be served again


class Companion(NamedTuple):
    """A model that is served beside the main one."""

    source: str
    name: str | None = None
    version: str | None = None


class Cache(NamedTuple):
    """Where fetched weights are kept: a claim that replicas share, or a volume of each pod."""

    claim: str | None = None
    size: str | None = None  # a quantity
    storage_class: str | None = None


class Weights(NamedTuple):
    """How weights are reached; each field goes before the environment's own for their scheme."""

    load: str | None = None  # download or stream; None: stream where possible and not digested
    token_secret: SecretKey | None = None
    credentials_secret: str | None = None  # a Secret whose keys become variables
    service_account: str | None = None
    endpoint: str | None = None
    region: str | None = None
    cache: Cache | None = None


class EngineChoice(NamedTuple):
    """The inference server, one of the catalog's; name and version are empty as in `Model`."""

    name: str = ""
    version: str = ""
    image: str | None = None  # instead of the catalog's for this version and accelerator
    digest: str | None = None  # pins the image
    args: Mapping[str, Any] = EMPTY  # further flags, without their dashes


class Speculative(NamedTuple):
    """Speculative decoding: `tokens` are drafted at once, by a model or from the prompt."""

    method: str
    tokens: int
    model: Companion | None = None
    lookup_max: int | None = None  # tokens of the prompt that are matched, at most and at least
    lookup_min: int | None = None


class Adapter(NamedTuple):
    """A LoRA adapter that is served under a name of its own."""

    name: str
    model: Companion
    rank: int | None = None


class KvOffload(NamedTuple):
    """Where keys and values go that the accelerator has no room for."""

    backend: str
    size: str  # a quantity, of the container's memory


class KvTransfer(NamedTuple):
    """How keys and values move between replicas, and which end this is."""

    connector: str
    role: str


class Serving(NamedTuple):
    """How the engine serves the model; None leaves a setting to the engine.

    Which of these an engine has is said by its entry in the catalog, which names them by their
    paths (`serving.maxModelLen`): see `core.workload.arguments`.
    """

    served_name: str | None = None  # what clients ask for; None: the release's name
    dtype: str = "auto"
    quantization: str = ""  # empty: as the weights are
    kv_cache_dtype: str = "auto"
    max_model_len: int = 0  # tokens; 0: as many as the model knows
    max_sequences: int = 0  # at once; 0: the engine decides
    memory_fraction: float | None = None  # of a device's memory, above 0 and up to 1
    prefix_caching: bool = True  # what is taken for granted when the engine is not told
    chunked_prefill: bool | None = None
    speculative: Speculative | None = None
    adapters: tuple[Adapter, ...] = ()
    max_loras: int | None = None  # in one batch
    max_lora_rank: int | None = None
    kv_offload: KvOffload | None = None
    kv_transfer: KvTransfer | None = None
    reasoning_parser: str | None = None
    tool_call_parser: str | None = None
    chat_template: str | None = None  # a file beside the weights
    api_key_secret: SecretKey | None = None
    trust_remote_code: bool = False
