"""The spec of an environment: a cluster and a namespace with defaults and rules."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sluice.core.model import Follow
from sluice.core.specs.capacity_records import Toleration
from sluice.core.specs.model_records import SecretKey
from sluice.core.specs.reader import EMPTY, Seconds
from sluice.core.specs.rollout_records import Promotion
from sluice.core.takeover import scaler

Counts = int | Mapping[str, int]
"""How many devices and shares of all kinds together, or how much of each extended resource."""


class Cluster(NamedTuple):
    """Where the environment is."""

    server: str = ""
    kubernetes_version: str = ""


class Pool(NamedTuple):
    """The pickers of pods behind a route of a Gateway API that knows inference pools."""

    picker: str | None = None  # a Service; None: one for each version
    port: int = 9002  # where endpoint pickers listen unless told otherwise
    failure_mode: str = "FailOpen"


class GatewayName(NamedTuple):
    """Which gateway serves the routes."""

    name: str
    namespace: str | None = None  # None: the environment's own
    section: str | None = None  # one of its listeners


class SharedTraffic(NamedTuple):
    """How clients reach the releases; most of it a release may say for itself."""

    provider: str
    class_name: str | None = None  # of Ingresses
    gateway: GatewayName | None = None
    host: str | None = None
    path: str = "/v1"
    timeout: Seconds = 600  # of a request
    tls_secret: str | None = None
    pool: Pool | None = None


class SourceAccess(NamedTuple):
    """How weights of one scheme are reached, and the image by which they are fetched."""

    image: str | None = None
    token_secret: SecretKey | None = None
    credentials_secret: str | None = None
    service_account: str | None = None
    endpoint: str | None = None
    region: str | None = None


class Storage(NamedTuple):
    """Where weights are."""

    claims: tuple[str, ...] | None = None  # None: nobody lists them
    image_volumes: bool | None = None  # None: as is usual in its version of Kubernetes
    sources: Mapping[str, SourceAccess] = EMPTY  # by scheme


class Sources(NamedTuple):
    """Whose weights may be served."""

    allowed: tuple[str, ...] | None = None  # None: from anywhere
    unlisted: tuple[str, ...] = ()  # places whose files nobody can list, taken all the same


class Accelerators(NamedTuple):
    """What there is of accelerators."""

    allowed: tuple[str, ...] | None = None  # names of the catalog; None: all of them
    quota: Counts | None = None
    spare: Counts | None = None  # of the quota, kept for pods that are replaced
    prices: Mapping[str, float] = EMPTY  # of one for an hour, by name


class NodePool(NamedTuple):
    """A pool of nodes that releases may name."""

    node_selector: Mapping[str, str] = EMPTY
    tolerations: tuple[Toleration, ...] = ()
    serves: bool = True  # whether it is for releases at all


class Prometheus(NamedTuple):
    """Where metrics are asked for; an empty address: nowhere."""

    address: str = ""
    delay: Seconds = 45  # until a sample can be asked for: a scrape interval and some
    labels: Mapping[str, str] = EMPTY  # that all its series have


class Monitoring(NamedTuple):
    """What is measured, and by whom."""

    pod_monitor: bool = False
    labels: Mapping[str, str] = EMPTY  # of PodMonitors
    alerts: bool = False
    gateway: str | None = None  # who counts at the edge; None: whom the traffic provider names
    prometheus: Prometheus = Prometheus()


class WakeUp(NamedTuple):
    """A gateway's count of requests, by which a release that sleeps is woken."""

    metric: str
    name_label: str
    namespace_label: str | None = None  # None: the name has its namespace before it


class Autoscaling(NamedTuple):
    """What scales releases."""

    provider: str = scaler.DEFAULT
    prometheus: str | None = None  # an address
    wake_up: WakeUp | None = None


class Network(NamedTuple):
    """Namespaces that may connect to releases, and those that releases may connect to."""

    allow_from: tuple[str, ...]
    allow_to: tuple[str, ...] = ()


class ArgoCD(NamedTuple):
    """What applies the manifests, and from where."""

    repo_url: str = ""
    target_revision: str = "refs/heads/main"
    namespace: str = "argocd"
    # prune and selfHeal, in the order in which they are rendered; None: a person syncs.
    automated: Mapping[str, bool] | None = None
    version: str = "3.2"
    policies: bool = False  # whether it applies the policies of the repository too
    # Group and kind of what it may apply beside what is rendered.
    kinds: tuple[Mapping[str, str], ...] = ()


class Images(NamedTuple):
    """What is asked of images."""

    digests: str = "optional"  # or required


class EnvironmentSpec(NamedTuple):
    """What an environment says. `document` is what the record was read from."""

    cluster: Cluster = Cluster()
    namespace: str = ""
    follows: Follow | None = None  # of the registry; None: nothing
    promotion: Promotion = Promotion()
    traffic: SharedTraffic | None = None  # None: nobody outside reaches the releases
    storage: Storage = Storage()
    sources: Sources = Sources()
    accelerators: Accelerators = Accelerators()
    pools: Mapping[str, NodePool] = EMPTY
    monitoring: Monitoring = Monitoring()
    autoscaling: Autoscaling = Autoscaling()
    network: Network | None = None  # None: no NetworkPolicy
    argocd: ArgoCD | None = None
    defaults: Mapping[str, Any] = EMPTY  # part of a release's spec
    images: Images = Images()
    document: Mapping[str, Any] = EMPTY
