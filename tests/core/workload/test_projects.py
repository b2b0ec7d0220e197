"""What an AppProject permits: whatever is rendered, and nothing that is not."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml

from sluice.core import layout
from sluice.core.documents.manifest import Manifest
from support import trees
from support.argocd.objects import CLUSTER_SCOPED, Key, key_of
from support.argocd.projects import forbidden_object

SERVER = "https://kubernetes.default.svc"


@cache
def reference() -> dict[str, Manifest]:
    return trees.reference().render()


def project(environment: str) -> Any:  # noqa: ANN401  # the spec of a rendered object
    return reference()[f"{layout.argocd_directory(environment)}/appproject.yaml"].data["spec"]


def rendered() -> Iterator[tuple[str, Any]]:
    """Every object of the reference repository and of every valid case that Argo CD applies."""
    for path, manifest in reference().items():
        yield path, manifest.data
    for folder in trees.cases("valid"):
        for path, content in trees.outcome(trees.case(folder))[1].items():
            yield f"{folder.name}: {path}", yaml.load(content, Loader=yaml.CSafeLoader)


def test_whatever_is_rendered_is_within_its_project() -> None:
    kinds = set()
    for path, data in rendered():
        if "/_argocd/" in path or layout.BOOTSTRAP in path:
            continue  # of Argo CD's own project, in its own cluster
        namespace = data["metadata"].get("namespace", "")
        rules = {
            **project("production"),
            "destinations": [{"server": SERVER, "namespace": namespace}],
        }
        assert not forbidden_object(rules, key_of(data, SERVER, namespace)), path
        kinds.add(data["kind"])
    assert len(kinds) > 15


def test_objects_of_the_reference_are_where_their_project_lets_them() -> None:
    for path, manifest in reference().items():
        environment = path.split("/")[1]
        if environment.startswith("_") or "/_argocd/" in path:
            continue
        rules = project(environment)
        [destination] = rules["destinations"]
        key = key_of(manifest.data, destination["server"], destination["namespace"])
        assert not forbidden_object(rules, key), path


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("", "Secret"),
        ("", "Pod"),
        ("batch", "Job"),
        ("batch", "CronJob"),
        ("apps", "DaemonSet"),
        ("argoproj.io", "Application"),
        ("argoproj.io", "AppProject"),
        ("apiextensions.k8s.io", "CustomResourceDefinition"),
        ("networking.istio.io", "EnvoyFilter"),
    ],
)
def test_nothing_else_is(group: str, kind: str) -> None:
    for environment in ("lab", "mesh", "production", "staging"):
        rules = project(environment)
        [destination] = rules["destinations"]
        inside = "" if kind in CLUSTER_SCOPED else destination["namespace"]
        key = Key(destination["server"], group, kind, inside, "x")
        assert forbidden_object(rules, key)


def test_kinds_of_its_own_are_permitted_where_an_environment_lists_them() -> None:
    files = trees.case(trees.CASES / "valid" / "every-field")
    rendered = trees.outcome(files)[1]
    (path,) = (path for path in rendered if path.endswith("appproject.yaml"))
    rules = yaml.load(rendered[path], Loader=yaml.CSafeLoader)["spec"]
    [destination] = rules["destinations"]
    place = (destination["server"], "rules.example.com")
    assert not forbidden_object(rules, Key(*place, "Limits", destination["namespace"], "x"))
    assert forbidden_object(rules, Key(*place, "Others", destination["namespace"], "x"))
    assert forbidden_object(rules, Key(*place, "Limits", "elsewhere", "x"))


@pytest.mark.parametrize(
    ("group", "kind"),
    [
        ("rbac.authorization.k8s.io", "Role"),
        ("argoproj.io", "Application"),
        ("", "Secret"),
        ("*", "*"),
        ("apps", "DaemonSet"),
        ("rules.example.com", "*"),
    ],
)
def test_an_environment_cannot_list_what_hands_out_rights(group: str, kind: str) -> None:
    files = trees.case(trees.CASES / "valid" / "every-field")
    spec = yaml.safe_load(files[trees.ENVIRONMENT])
    spec["spec"]["argocd"]["kinds"] = [{"group": group, "kind": kind}]
    files[trees.ENVIRONMENT] = yaml.safe_dump(spec).encode()
    findings, _ = trees.outcome(files)
    assert any("argocd.kinds" in f.message or f.rule.startswith("SCH") for f in findings)


def test_no_rule_of_a_project_stands_for_everything() -> None:
    for environment in ("lab", "mesh", "production", "staging"):
        assert "*" not in str(project(environment))


def test_the_kinds_are_those_of_the_templates() -> None:
    templates = trees.ROOT / "generator" / "sluice" / "templates"
    known = {
        kind
        for path in templates.rglob("*.j2")
        for kind in re.findall(r"^(?:- | {2})?kind: (\w+)$", path.read_text("utf-8"), re.MULTILINE)
    }
    wanted = known - {"Namespace", "AppProject", "Application"}
    assert {entry["kind"] for entry in project("lab")["namespaceResourceWhitelist"]} == wanted
