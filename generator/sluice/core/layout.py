"""Which file is what: the only module that knows directory names."""

import re
from typing import NamedTuple

ENVIRONMENTS = "environments"
MANIFESTS = "manifests"
CATALOG = "catalog"
POLICIES = "policies"
WAIVERS = "waivers.yaml"
POLICY_TESTS = "tests"
BOOTSTRAP = f"{MANIFESTS}/_bootstrap"
ROUTES = "routes"

APPLIED = (".yaml", ".yml", ".json", ".jsonnet")
"""How the names end of files that Sluice reads or Argo CD applies."""

_DROPPING = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|\.#.+|#.+#|.+~|.+\.sw[a-p]")
_NAME = r"[a-z](?:[-a-z0-9]{0,46}[a-z0-9])?"
_ENVIRONMENT = re.compile(rf"{ENVIRONMENTS}/({_NAME})/environment\.yaml")
_RELEASE = re.compile(rf"{ENVIRONMENTS}/({_NAME})/({_NAME})/({_NAME})/(release|rollout)\.yaml")
_CONFIG = re.compile(rf"{ENVIRONMENTS}/({_NAME})/({_NAME})/({_NAME})/([a-z0-9][a-z0-9.-]*\.json)")
_RENDERED = re.compile(
    rf"{MANIFESTS}/({_NAME})/(?:({_NAME})/({_NAME})/(?:{ROUTES}/)?[^/]+"
    rf"|_argocd/({_NAME})/application-({_NAME})(?:\.{ROUTES})?\.yaml)"
)
_ENTRY = re.compile(rf"{CATALOG}/([a-z]+)/([^/]+)\.yaml")
_EVIDENCE = re.compile(rf"{ENVIRONMENTS}/{_NAME}/{_NAME}/{_NAME}/evidence/[\w.-]+\.json")


class Key(NamedTuple):
    """What identifies a release."""

    environment: str
    team: str
    name: str

    def __str__(self) -> str:
        return "/".join(self)


def environment_of(path: str) -> str | None:
    """The environment that this file describes."""
    match = _ENVIRONMENT.fullmatch(path) if path.endswith("/environment.yaml") else None
    return match[1] if match else None


def release_of(path: str) -> Key | None:
    """The release that this file belongs to, if it is its spec or its rollout."""
    match = _RELEASE.fullmatch(path)
    return Key(match[1], match[2], match[3]) if match else None


def owner_of(path: str) -> Key | None:
    """The release that a file beside a spec belongs to: the spec, or what lies with it."""
    described = config_of(path)
    if described or not is_evidence(path):
        return described[0] if described else release_of(path)
    return Key(*path.split("/")[1:4])


def rendered_for(path: str) -> Key | None:
    """The release that a manifest belongs to, whether or not it exists."""
    match = _RENDERED.fullmatch(path)
    return Key(match[1], match[2] or match[4], match[3] or match[5]) if match else None


def is_evidence(path: str) -> bool:
    """Whether a file is recorded evidence, which no manifest depends on."""
    return path.endswith(".json") and bool(_EVIDENCE.fullmatch(path))


def config_of(path: str) -> tuple[Key, str] | None:
    """The release beside which a model's own description lies, and the name of its file."""
    match = _CONFIG.fullmatch(path)
    return (Key(match[1], match[2], match[3]), match[4]) if match else None


def entry_of(path: str) -> tuple[str, str] | None:
    """The family and the name of the catalog's entry that a file is."""
    match = _ENTRY.fullmatch(path)
    return (match[1], match[2]) if match else None


def belongs(path: str) -> bool:
    """Whether a file may stand where it stands under environments/."""
    return bool(
        environment_of(path)
        or release_of(path)
        or config_of(path)
        or is_evidence(path)
        or is_beside(path)
    )


def is_beside(path: str) -> bool:
    """Whether a file is for people, or for their programs, wherever it stands."""
    return path.rpartition("/")[2] in ("README.md", "CODEOWNERS", ".gitkeep") or is_dropping(path)


def is_dropping(path: str) -> bool:
    """Whether an editor or a file manager left this file beside those that it shows."""
    return bool(_DROPPING.fullmatch(path.rpartition("/")[2]))


def is_policy(path: str) -> bool:
    """Whether a file has policies, bindings or their parameters."""
    folder, _, name = path.rpartition("/")
    return folder == POLICIES and name.endswith(".yaml") and name != WAIVERS


def is_unread_policy(path: str) -> bool:
    """Whether Argo CD would apply a file of policies/ that nothing here reads."""
    folder, _, name = path.rpartition("/")
    return folder == POLICIES and name.endswith((".yml", ".json", ".jsonnet"))


def environment_path(environment: str) -> str:
    return f"{ENVIRONMENTS}/{environment}/environment.yaml"


def release_path(key: Key) -> str:
    return f"{ENVIRONMENTS}/{key}/release.yaml"


def rollout_path(key: Key) -> str:
    return f"{ENVIRONMENTS}/{key}/rollout.yaml"


def spec_paths(key: Key) -> tuple[str, str]:
    """The files that a release is rendered from, apart from its environment."""
    return release_path(key), rollout_path(key)


def evidence_path(key: Key, name: str) -> str:
    return f"{ENVIRONMENTS}/{key}/evidence/{name}.json"


def release_directory(key: Key) -> str:
    """Where the manifests of a release are rendered; Argo CD reads exactly this directory."""
    return f"{MANIFESTS}/{key}"


def routes_directory(key: Key) -> str:
    """Where the routes of a release are rendered, which an Argo CD application of their own reads.

    It lies inside the release's directory: Argo CD reads no directory below the one it is given.
    """
    return f"{release_directory(key)}/{ROUTES}"


def application_path(key: Key) -> str:
    """The Argo CD application of a release's workloads."""
    return f"{argocd_directory(key.environment)}/{key.team}/application-{key.name}.yaml"


def routes_application_path(key: Key) -> str:
    """The Argo CD application of a release's routes; no release has a dot in its name."""
    return f"{argocd_directory(key.environment)}/{key.team}/application-{key.name}.{ROUTES}.yaml"


def rendered_paths(key: Key) -> tuple[str, ...]:
    """The directory and the files that the rendering of one release owns."""
    return release_directory(key), application_path(key), routes_application_path(key)


def cluster_directory(environment: str) -> str:
    """Manifests that an environment needs in its own cluster: namespace, quota."""
    return f"{MANIFESTS}/{environment}/_environment"


def argocd_directory(environment: str) -> str:
    """Manifests for the cluster that runs Argo CD: project and applications."""
    return f"{MANIFESTS}/{environment}/_argocd"


def file_name(kind: str, name: str, owner: str) -> str:
    """`<kind>[-<name>].yaml`, without what the directory says already."""
    rest = name.removeprefix(owner).strip("-.")
    return f"{kind.lower()}{'-' + rest if rest else ''}.yaml"
