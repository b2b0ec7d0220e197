"""Every verb of the command line with arguments that let it work."""

from collections.abc import Iterator

import click

from sluice.cli import cli

KEY = "production/platform/chat"
REGISTRY = "registry.yaml"
CASE = "counted.json"
MANIFEST = f"manifests/{KEY}/deployment.yaml"
REGISTERED_AT = ["--registry", f"file:{REGISTRY}"]
BARE = ["--repository", "../b.git"]
ARGUMENTS = {
    "release": ["production/chat"],
    "number": ["1"],
    "file": [CASE],
    "paths": [],
    "field": [],
}
MORE = {
    "reconcile": [
        "--once",
        "--dry-run",
        "--registry",
        f"file:{REGISTRY}",
        "--repository",
        "../b.git",
    ],
    "check": ["--registry", f"file:{REGISTRY}"],
    "evals import": ["--model", "m", "--version", "1", "--dry-run"],
    "policy eval": [
        "--policy",
        "policies/own.yaml",
        "--object",
        MANIFEST,
    ],
    "policy test": ["--no-mutation"],
    "doctor": [*REGISTERED_AT, *BARE],
}
LEFT_OUT = {"init": "writes a folder of its own", "demo": "as init"}


def verbs(group: click.Group = cli, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        full = f"{before} {name}".strip()
        if isinstance(command, click.Group):
            yield from verbs(command, full)
        elif full not in LEFT_OUT:
            yield full


def arguments(verb: str) -> list[str]:
    command: click.Command = cli
    for part in verb.split():
        assert isinstance(command, click.Group)
        command = command.commands[part]
    given = [p.name or "" for p in command.params if isinstance(p, click.Argument)]
    return [*verb.split(), *(a for name in given for a in ARGUMENTS[name]), *MORE.get(verb, [])]
