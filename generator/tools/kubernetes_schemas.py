"""Generate `schemas/kubernetes`: strict, pruned JSON Schemas of the kinds that Sluice renders.

    python generator/tools/kubernetes_schemas.py           what needs no network
    python generator/tools/kubernetes_schemas.py --npm     also the packages of crds/sources.yaml
    python generator/tools/kubernetes_schemas.py --check   write nothing; exit 1 on a difference

Files: core.json holds the built-in kinds of all versions, <api group>.json the custom resources.
Each is {"versions" (core.json only), "kinds": {"<apiVersion>/<kind>": variants},
"definitions": {"<name>": variants}}; variants maps a version to the schema that holds from that
version on, so that what did not change is stored once.

Lookup of (version, apiVersion, kind): merge all files by key; take from
kinds["<apiVersion>/<kind>"] the variant with the greatest version that is not greater than the
wanted one (none, or null: that version has no such kind); follow every "$ref": "#/$defs/<name>"
into definitions[<name>] by the same rule, and put what was found under "$defs".
`sluice.core.kubernetes.closure.schema_for` is that rule.

Kept of a schema: structure, enumerations and bounds. `status` is accepted unseen: the cluster
writes it.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path

import yaml

from custom_resources import SOURCES, hand_written_parts
from npm_models import npm_parts
from schema_pruning import prune, short_name
from schema_shapes import Part, Schema, closure, identified

TARGET = Path(__file__).parents[2] / "schemas" / "kubernetes"
VERSIONS = [f"1.{minor}" for minor in range(29, 38)]
BUILT_IN = {
    "v1": "Namespace ResourceQuota LimitRange Service ConfigMap Secret ServiceAccount "
    "PersistentVolumeClaim Pod",
    "apps/v1": "Deployment StatefulSet DaemonSet",
    "batch/v1": "Job CronJob",
    "autoscaling/v2": "HorizontalPodAutoscaler",
    "networking.k8s.io/v1": "Ingress NetworkPolicy",
    "policy/v1": "PodDisruptionBudget",
    "rbac.authorization.k8s.io/v1": "Role RoleBinding ClusterRole ClusterRoleBinding",
    "scheduling.k8s.io/v1": "PriorityClass",
    "admissionregistration.k8s.io/v1": "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
}


def main() -> int:
    parser = argparse.ArgumentParser(description="Generate schemas/kubernetes.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit 1 on a difference"
    )
    parser.add_argument("--npm", action="store_true", help="also what npm packages describe")
    options = parser.parse_args()
    parts = {"core": core_part()} | hand_written_parts()
    if options.npm:
        parts |= npm_parts(yaml.safe_load(SOURCES.read_text(encoding="utf-8")))
    stale = [path for path, text in _rendered(parts) if _differs(path, text)]
    if not options.check:
        for path, text in _rendered(parts):
            path.write_text(text, encoding="utf-8")
    for path in stale:
        print(f"{path.name}: {'differs' if options.check else 'written'}")
    return 1 if options.check and stale else 0


# Built-in kinds


def core_part() -> Part:
    """The built-in kinds of every version, each schema stored once for the versions it holds in."""
    part: Part = {"versions": VERSIONS, "kinds": {}, "definitions": {}}
    for version in VERSIONS:
        definitions = _published(version)
        roots = {name: _root(definitions, name) for name in _built_in_names()}
        used = closure(roots.values(), partial(_pruned, definitions))
        _add_variants(part["kinds"], version, roots)
        _add_variants(part["definitions"], version, used)
    return part


def _built_in_names() -> list[str]:
    return [f"{api}/{kind}" for api, kinds in BUILT_IN.items() for kind in kinds.split()]


def _published(version: str) -> Mapping[str, Schema]:
    place = f"kubernetes-json-schema/v{version}.0-local-strict/_definitions.json"
    text = files("kubernetes_validate").joinpath(place).read_text(encoding="utf-8")
    return {short_name(name): schema for name, schema in json.loads(text)["$defs"].items()}


def _root(definitions: Mapping[str, Schema], name: str) -> Schema | None:
    api_version, kind = name.rsplit("/", 1)
    group, _, version = api_version.rpartition("/")
    wanted = {"group": group, "kind": kind, "version": version}
    for schema in definitions.values():
        if wanted in schema.get("x-kubernetes-group-version-kind", []):
            return identified(prune(schema), name)
    return None


def _pruned(definitions: Mapping[str, Schema], name: str) -> Schema:
    return prune(definitions[name])


def _add_variants(store: Part, version: str, schemas: Mapping[str, Schema | None]) -> None:
    for name, schema in schemas.items():
        variants = store.setdefault(name, {})
        if schema != next(reversed(variants.values()), None):
            variants[version] = schema


# Files


def _rendered(parts: Mapping[str, Part]) -> list[tuple[Path, str]]:
    return [(TARGET / f"{name}.json", _text(part)) for name, part in parts.items()]


def _text(part: Part) -> str:
    """JSON with sorted keys and one variant a line, so that a diff shows what changed."""
    sections = [f'"{name}": {_lines(part[name])}' for name in ("definitions", "kinds")]
    if "versions" in part:
        sections.append(f'"versions": {compact(part["versions"])}')
    return "{\n" + ",\n".join(sections) + "\n}\n"


def _lines(store: Part) -> str:
    entries = [
        f"{compact(name)}: {{\n"
        + ",\n".join(f"  {compact(start)}: {compact(schema)}" for start, schema in variants.items())
        + "}"
        for name, variants in sorted(store.items())
    ]
    return "{\n" + ",\n".join(entries) + "}"


def compact(value: object) -> str:
    """JSON on one line, keys sorted."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


if __name__ == "__main__":
    sys.exit(main())
