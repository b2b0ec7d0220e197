"""Strategies for small trees of specs, and their files."""

from hypothesis import strategies as st

from sluice.core.layout import Key, release_path, rollout_path

NAMES = ["a", "a-v1", "a-v2", "b", "b-v1", "c"]
TRAITS = st.tuples(
    st.sampled_from(["1", "2", "v1"]),
    st.sampled_from(["/v1", "//v1/", "/x", "/x/y", "/X"]),
    st.sampled_from([1, 2, 4]),
    st.sampled_from(["rolling", "canary"]),
)
ENVIRONMENTS = {  # the first two are reached at one gateway
    "production": ("https://kubernetes.default.svc", "models"),
    "staging": ("https://kubernetes.default.svc", "models-staging"),
    "other": ("https://other.example.com", "models"),
}
Owner = tuple[str, str, str]
OWNERS = st.tuples(
    st.sampled_from(list(ENVIRONMENTS)), st.sampled_from(["one", "two"]), st.sampled_from(NAMES)
)
TREES = st.dictionaries(OWNERS, TRAITS, max_size=6)
PROVIDERS = st.sampled_from(
    ["provider: nginx", "provider: istio, gateway: {name: public, namespace: edge}"]
)


def spec(name: str, version: str, path: str, replicas: int, strategy: str) -> bytes:
    rollout = "{strategy: rolling}"
    if strategy == "canary":
        rollout = "{strategy: canary, steps: [{weight: 10, soak: 10m}]}"
    return f"""\
apiVersion: sluice.dev/v1alpha1
kind: ModelRelease
metadata: {{name: {name}}}
spec:
  model: {{name: m, version: "{version}", source: pvc://models/m/{version}}}
  engine: {{name: vllm, version: 0.33.0}}
  serving: {{maxModelLen: 1024}}
  accelerator: {{name: nvidia-l4, count: 1}}
  scaling: {{replicas: {replicas}}}
  traffic: {{path: {path}}}
  rollout: {rollout}
""".encode()


def files(
    traits: dict[Owner, tuple[str, str, int, str]], traffic: str = "provider: nginx"
) -> dict[str, bytes]:
    environments = {
        f"environments/{name}/environment.yaml": f"""\
apiVersion: sluice.dev/v1alpha1
kind: Environment
metadata: {{name: {name}}}
spec:
  cluster: {{server: "{server}", kubernetesVersion: "1.34"}}
  namespace: {namespace}
  traffic: {{{traffic}, host: api.example.com}}
  accelerators: {{allowed: [nvidia-l4], quota: 6}}
""".encode()
        for name, (server, namespace) in ENVIRONMENTS.items()
    }
    return environments | {
        release_path(Key(*owner)): spec(owner[2], *said) for owner, said in traits.items()
    }


Traits = tuple[str, str, int, str]
Tree = dict[Owner, Traits]
ROLLOUT = """\
apiVersion: sluice.dev/v1alpha1
kind: Rollout
metadata: {{name: {name}}}
spec:
  candidate: "2"
  state: STEP
  step: 0
  weight: 10
  stable:
    spec:
      model: {{name: m, version: "0", source: pvc://models/m/0}}
      engine: {{name: vllm, version: 0.33.0}}
      serving: {{maxModelLen: 1024}}
      accelerator: {{name: nvidia-l4, count: 1}}
      scaling: {{replicas: {replicas}}}
      rollout: {{strategy: canary, steps: [{{weight: 10, soak: 10m}}]}}
"""


def grown(tree_of: Tree, traffic: str = "provider: nginx") -> dict[str, bytes]:
    """The files of a tree in which version 2 of whatever is canary is being rolled out."""
    found = files(tree_of, traffic)
    for owner, (version, _, replicas, strategy) in tree_of.items():
        if (version, strategy) == ("2", "canary"):
            path = rollout_path(Key(*owner))
            found[path] = ROLLOUT.format(name=owner[2], replicas=replicas).encode()
    return found
