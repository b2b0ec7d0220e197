"""A repository as the commands see it: its files, its specs, and the tools that fit it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from sluice import files
from sluice.core import layout, pipeline
from sluice.core.checks import references
from sluice.core.documents.limits import SPEC
from sluice.core.documents.manifest import Manifest
from sluice.core.finding import Finding, FindingsError, UsageError, failed, in_order
from sluice.core.pipeline import Specs, Toolkit
from sluice.workspace.toolkit import check_entries, make_toolkit

FOLDERS = (layout.ENVIRONMENTS, layout.CATALOG, layout.POLICIES)


@dataclass(frozen=True)
class Workspace:
    """The specs of one tree of files, wherever the files came from.

    `carried` is what is known of them already, from another tree of which most is the same.
    """

    files: dict[str, bytes]
    links: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    carried: tuple[Toolkit, Specs] | None = None

    @cached_property
    def tools(self) -> Toolkit:
        if self.carried:
            return self.carried[0]
        own = {p: raw for p, raw in self.files.items() if p.startswith(f"{layout.CATALOG}/")}
        return make_toolkit(own)

    @cached_property
    def specs(self) -> Specs:
        if self.carried:
            return self.carried[1]
        below = {p: r for p, r in self.files.items() if p.startswith(f"{layout.ENVIRONMENTS}/")}
        specs = pipeline.read(below, self.tools.schemas, self.tools.records)
        linked = [references.link(path) for path in self.links]
        odd = [references.odd(path) for path in self.odd]
        return replace(specs, findings=[*specs.findings, *linked, *odd])

    @cached_property
    def keys(self) -> list[layout.Key]:
        """The releases that have a file, readable or not."""
        return sorted({key for path in self.files if (key := layout.release_of(path))})

    def moved(self, paths: Collection[str], now: "Workspace") -> "Workspace | None":
        """This workspace after these files have changed; `now` has those that are still there.

        None when that concerns more than single releases: then all of it must be read.
        """
        if self.links or now.links or self.odd or now.odd:
            return None
        stay = self.files.keys() - paths
        files = {path: raw for path, raw in self.files.items() if path in stay} | now.files
        specs = pipeline.reread(self.specs, paths, files, self.tools.schemas)
        return None if specs is None else Workspace(files, carried=(self.tools, specs))

    def narrowed(self, keys: Collection[layout.Key], more: Iterable[str] = ()) -> "Workspace":
        """The environments with these releases only, and with some more files."""
        wanted = {path for path in self.files if not path.startswith(f"{layout.ENVIRONMENTS}/")}
        wanted |= {path for path in self.files if layout.environment_of(path)}
        wanted |= {path for key in keys for path in layout.spec_paths(key)}
        chosen = {path: self.files[path] for path in (wanted | {*more}) & self.files.keys()}
        return Workspace(chosen, self.links, self.odd)

    def check(self, only: Iterable[layout.Key] | None = None) -> list[Finding]:
        """Every finding about the specs."""
        try:
            return pipeline.check(self.specs, self.tools, only)
        except FindingsError as error:  # an entry of the repository's own catalog
            return in_order([*self.specs.findings, *error.findings])

    def check_catalog(self, only: Collection[str] | None = None) -> list[Finding]:
        """What is wrong with the repository's own catalog, used or not; of some files if named."""
        prefix = f"{layout.CATALOG}/"
        paths = [path for path in self.files if path.startswith(prefix)]
        chosen = paths if only is None else [path for path in paths if path in only]
        return check_entries(self.tools.catalog, chosen)

    def render(self, only: Iterable[layout.Key] | None = None) -> dict[str, Manifest]:
        """Every manifest.

        Raises:
            FindingsError: when anything is wrong; then nothing is rendered.
        """
        findings = self.check(only)
        if failed(findings):
            raise FindingsError(findings)
        return self.render_checked(findings, only)

    def render_checked(
        self, findings: list[Finding], only: Iterable[layout.Key] | None = None
    ) -> dict[str, Manifest]:
        """Every manifest of specs whose check found no error.

        Raises:
            FindingsError: when a cluster would refuse one, with what the check found as well.
        """
        manifests, found = pipeline.render(self.specs, self.tools, only)
        if failed(found):
            raise FindingsError([*findings, *found])
        return manifests


def find_root(given: str | None) -> Path:
    """The repository: the folder that is named, or the nearest one above that has environments/.

    Raises:
        UsageError: when there is none.
    """
    start = Path(given) if given else Path.cwd()
    for folder in (start,) if given else (start, *start.parents):
        if (folder / layout.ENVIRONMENTS).is_dir():
            return folder
    where = f"{start} has no" if given else "neither this folder nor one above it has"
    raise UsageError(f"{where} {layout.ENVIRONMENTS}/; name the repository with --root")


def open_workspace(root: Path) -> Workspace:
    """The work tree."""
    found = files.read(root, FOLDERS, SPEC.size, skip=layout.is_evidence)
    return Workspace(found.files, tuple(found.links), tuple(found.odd))
