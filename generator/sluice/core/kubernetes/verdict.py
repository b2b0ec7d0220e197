"""What the target cluster would refuse of rendered objects, or run in vain, as findings."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from sluice.core import layout
from sluice.core.documents.manifest import Manifest
from sluice.core.finding import Finding, Place, Rendered, Severity, dotted
from sluice.core.kubernetes.deprecations import Deprecations, deprecation_problems
from sluice.core.kubernetes.rules import Problem, Rules, semantic_problems
from sluice.core.specs.resolve import Environment

Manifests = Mapping[str, Manifest]


def check_objects(
    environment: Environment,
    rendered: Manifests,
    before: Manifests,
    rules: Rules,
    table: Deprecations,
) -> Iterator[Finding]:
    """Semantic rules and deprecated APIs on what goes to an environment's cluster.

    What the objects refer to may be there by other means, so that what is missing is no finding.

    Args:
        environment: whose cluster would be asked.
        rendered: what its specs render.
        before: what they rendered at the base revision, for fields that may not change.
        rules: the texts of the semantic rules.
        table: deprecated APIs.
    """
    ours = of_cluster(environment, rendered)
    objects = [(path, manifest.data) for path, manifest in ours.items()]
    old = [(path, manifest.data) for path, manifest in of_cluster(environment, before).items()]
    version = environment.spec.cluster.kubernetes_version
    problems: Iterable[Problem] = (
        *semantic_problems(objects, version, rules, old=old),
        *deprecation_problems(objects, version, table),
    )
    for problem in problems:
        if problem.severity is not Severity.NOTE:
            where = Rendered(problem.path, problem.pointer)
            yield replace(finding(problem, Place(ours[problem.path].source)), rendered=where)


def of_cluster(environment: Environment, rendered: Manifests) -> dict[str, Manifest]:
    """What goes to the environment's own cluster; Argo CD's objects go elsewhere."""
    inside = f"{layout.MANIFESTS}/{environment.name}/"
    elsewhere = f"{layout.argocd_directory(environment.name)}/"
    return {
        path: manifest
        for path, manifest in rendered.items()
        if path.startswith(inside) and not path.startswith(elsewhere)
    }


def finding(problem: Problem, place: Place) -> Finding:
    """A problem with an object as a finding at a place."""
    where = f"{dotted(problem.pointer)}: " if problem.pointer else ""
    message = f"{where}{problem.message}"
    return Finding(place, problem.rule, message, problem.help, problem.severity)
