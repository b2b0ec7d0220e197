"""Options and arguments that several commands take, each with its one spelling and help."""

import click

from sluice.core.confidential import redacted
from sluice.forges.kinds import KINDS

_REPORTS = click.Choice(["text", "json", "github", "gitlab", "junit", "sarif"])

ROOT = click.option("--root", metavar="DIR", help="The repository; the nearest above when absent.")
FORMAT = click.option("--format", "form", type=_REPORTS, default="text", help="How to report.")
BASE = click.option("--base", metavar="REV", help="Only what differs from this Git revision.")
FIX = click.option("--fix", "mend", is_flag=True, help="Mend specs where it takes no judgement.")
REGISTRY = click.option(
    "--registry",
    envvar="MLFLOW_TRACKING_URI",
    metavar="URL",
    help="Model registry, or file:PATH; MLFLOW_TRACKING_URI when absent.",
)
REPOSITORY = click.option(
    "--repository",
    envvar="SLUICE_REPOSITORY",
    metavar="PATH",
    help="Bare repository; the remote `origin` of --root when absent.",
)
REMOTE = click.option(
    "--repository",
    envvar="SLUICE_REPOSITORY",
    metavar="PATH|URL",
    help="Bare repository or Git URL; the remote `origin` of --root when absent.",
)
FORGE = click.option(
    "--forge",
    envvar="SLUICE_FORGE",
    metavar="ADDRESS",
    help=f"KIND:OWNER/REPOSITORY[@HOST]; KIND is one of {', '.join(KINDS)}. Its token is "
    "SLUICE_FORGE_TOKEN.",
)
STATE_DIRECTORY = click.option(
    "--state",
    envvar="SLUICE_STATE",
    metavar="DIR",
    help="Where mirrors of remotes are kept; they may be lost.",
)
AS_JSON = click.option("--format", "form", type=click.Choice(["text", "json"]), default="text")
RELEASE = click.argument("release")


def _discreet(ctx: click.Context, parameter: click.Parameter, text: str) -> str:
    """A text that Git keeps for good, without secrets in it."""
    del ctx, parameter
    return redacted(text)


REASON = click.option(
    "--reason", default="", callback=_discreet, help="Why; it is kept with what is done."
)
READY = click.option("--ready", is_flag=True, help="I have looked: the candidate is ready.")
NUMBER = click.argument("number", type=int)
STATE = click.option(
    "--state",
    type=click.Choice(["open", "merged", "closed", "all"]),
    default="open",
    help="Which to list.",
)
PLACE = (REMOTE, FORGE, STATE_DIRECTORY, ROOT)
"""Which repository, and where its pull requests live."""
