"""The command line: flags become one keyword call, whose result is the exit code."""

import importlib
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from sluice import __version__
from sluice.core.finding import FindingsError, UsageError
from sluice.core.outgoing import one_line
from sluice.options import (
    AS_JSON,
    BASE,
    FIX,
    FORGE,
    FORMAT,
    NUMBER,
    PLACE,
    READY,
    REASON,
    REGISTRY,
    RELEASE,
    REMOTE,
    REPOSITORY,
    ROOT,
    STATE,
    STATE_DIRECTORY,
)
from sluice.system.streams import open_outlets, print_orders

CLEAN, FINDINGS, USAGE, BUG, INTERRUPTED = 0, 1, 2, 3, 130


class Commands(click.Group):
    """Lists the commands in the order of work, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self.commands)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sluice")
def cli() -> None:
    """GitOps for LLM model releases.

    Specs in environments/ become manifests in manifests/, which Argo CD applies. What is promoted
    in the model registry becomes a pull request.

    Begin with `sluice demo`, which shows all of it on this machine, or with `sluice init DIR`.

    Exit codes: 0 clean, 1 findings, 2 wrong use or an unreachable server, 3 a defect of Sluice.
    """


Decorator = Callable[[Any], Any]


def verb(name: str, *decorators: Decorator, group: click.Group = cli) -> Decorator:
    """Register a command whose work is `sluice.commands.<module>.run`, imported when it is called.

    The decorated function gives the help text only.
    """

    def register(described: Callable[..., None]) -> click.Command:
        def run(**options: Any) -> int:  # noqa: ANN401  # click's values
            module = importlib.import_module(f"sluice.commands.{described.__name__}")
            if options.get("form") == "github":
                print_orders()
            code: int = module.run(**options)
            return code

        run.__doc__ = described.__doc__
        callback: Any = run
        for decorator in reversed(decorators):
            callback = decorator(callback)
        return group.command(name)(callback)

    return register


@verb(
    "init",
    click.argument("directory", metavar="DIR"),
    click.option(
        "--wheel-hash",
        metavar="sha256:HEX",
        help="Of Sluice's own wheel, as `pip hash` prints it: then CI installs no other one.",
    ),
)
def init() -> None:
    """Write a GitOps repository into DIR: environments, schemas, policies, hooks, CI."""


@verb("validate", click.argument("paths", nargs=-1, metavar="[FILE]..."), FIX, ROOT, FORMAT)
def validate() -> None:
    """Check specs only, fast: all of them, or the files named. For editors and pre-commit."""


@verb(
    "render",
    click.option("--check", is_flag=True, help="Write nothing; fail if manifests/ would change."),
    ROOT,
    FORMAT,
)
def render() -> None:
    """Write manifests/ from environments/, all of it or, when anything is wrong, nothing."""


@verb(
    "check",
    BASE,
    FIX,
    ROOT,
    FORMAT,
    REGISTRY,
    click.option("--manifests", metavar="DIR", help="Plain manifests instead of a repository."),
    click.option("--kubernetes-version", "version", default="1.34", help="For --manifests."),
)
def check() -> None:
    """Every layer over everything, or over what a revision changes. For CI.

    With --manifests, the cluster's own rules over plain manifests of any origin.
    """


@verb(
    "plan",
    BASE,
    ROOT,
    click.option(
        "--format", "form", type=click.Choice(["text", "json", "markdown"]), default="text"
    ),
)
def plan() -> None:
    """Show what a change does: objects, accelerators, cost. Against HEAD, or --base."""


@verb(
    "explain",
    click.argument("release", metavar="RELEASE|RULE"),
    click.argument("field", required=False),
    ROOT,
    AS_JSON,
)
def explain() -> None:
    """Show each resolved value of RELEASE and the file, line and column that it came from.

    With the id of a rule instead: what it means, why it is there, an example, and the way out.
    """


@verb(
    "inspect",
    RELEASE,
    ROOT,
    AS_JSON,
)
def inspect() -> None:
    """Show computed facts of RELEASE: command line, memory, fit, cost."""


@verb(
    "reconcile",
    click.option("--once", is_flag=True, help="One cycle, then exit."),
    click.option("--dry-run", is_flag=True, help="Say what would happen and write nothing."),
    click.option("--interval", default=30, show_default=True, help="Seconds between cycles."),
    click.option(
        "--listen",
        envvar="SLUICE_LISTEN",
        metavar="HOST:PORT",
        help="Serve /metrics, /healthz, /readyz and /webhooks/{registry,forge} there.",
    ),
    REGISTRY,
    REMOTE,
    FORGE,
    STATE_DIRECTORY,
    click.option(
        "--write-back",
        is_flag=True,
        envvar="SLUICE_WRITE_BACK",
        help="Tag versions in the registry with their status and pull request.",
    ),
    ROOT,
    AS_JSON,
)
def reconcile() -> None:
    """Watch the registry and propose what it promotes as pull requests.

    Webhooks only wake it; their secrets are SLUICE_REGISTRY_WEBHOOK_SECRET and
    SLUICE_FORGE_WEBHOOK_SECRET. SIGTERM ends it after what it is doing.
    """


@cli.group()
def policy() -> None:
    """Evaluate ValidatingAdmissionPolicies as the API server does, without a cluster."""


def _files(name: str, argument: str, described: str, *, needed: bool = False) -> Decorator:
    return click.option(
        f"--{name}", argument, multiple=True, required=needed, metavar="FILE", help=described
    )


@verb(
    "eval",
    _files("policy", "policies", "Policies, and their bindings if they like.", needed=True),
    _files(
        "binding", "bindings", "Bindings; a policy without one is bound to everything, with Deny."
    ),
    _files("object", "objects", "Objects to decide on; none where all are deleted."),
    _files(
        "old",
        "old",
        "What the cluster has of them: makes an update or, without successor, a delete.",
    ),
    _files("params", "params", "Parameters of the policies."),
    _files("namespace", "namespace", "Namespaces; the first is where objects go that name none."),
    click.option("--operation", help="CREATE, UPDATE or DELETE; else what the objects say."),
    click.option("--kubernetes-version", default="1.34", show_default=True, help="Of the cluster."),
    AS_JSON,
    group=policy,
)
def policy_eval() -> None:
    """Print a decision per policy and object: allow, deny, warn, audit, skip or error."""


@verb(
    "test",
    click.argument("paths", nargs=-1, metavar="[FILE]..."),
    click.option(
        "--mutation/--no-mutation",
        default=True,
        help="Change the policy in every way that matters: does a case notice?",
    ),
    click.option(
        "--minimum-score",
        type=click.FloatRange(0, 1),
        help="Fail when cases notice a smaller share of the changes, 0 to 1.",
    ),
    AS_JSON,
    group=policy,
)
def policy_test() -> None:
    """Run the tables of cases in policies/tests/, or the FILEs named: what is allowed, what not."""


@cli.group()
def pulls() -> None:
    """Pull requests of the embedded forge, which lives in the bare repository itself."""


@verb("list", STATE, REPOSITORY, ROOT, AS_JSON, group=pulls)
def pulls_list() -> None:
    """List pull requests."""


@verb("show", NUMBER, REPOSITORY, ROOT, AS_JSON, group=pulls)
def pulls_show() -> None:
    """Show one: title, body, files changed, and the change of the spec."""


@verb("merge", NUMBER, REPOSITORY, ROOT, group=pulls)
def pulls_merge() -> None:
    """Merge one into its base."""


@verb(
    "close",
    NUMBER,
    REASON,
    REPOSITORY,
    ROOT,
    group=pulls,
)
def pulls_close() -> None:
    """Close one without merging; its version is then rejected and not proposed again."""


@cli.group()
def evals() -> None:
    """Results of evaluations, for the gates."""


@verb(
    "import",
    click.argument("file", metavar="FILE"),
    click.option("--model", required=True, help="Registered model."),
    click.option("--version", required=True, help="Its version that was evaluated."),
    click.option(
        "--name",
        "renamed",
        multiple=True,
        metavar="METRIC=NAME",
        help="Call a metric so, as mmlu/acc,none=mmlu; its standard error follows. Repeatable.",
    ),
    click.option("--dry-run", is_flag=True, help="Show what would be written and write nothing."),
    REGISTRY,
    group=evals,
)
def evals_import() -> None:
    """Write a result FILE of lm-evaluation-harness beside a version in MLflow.

    Each task becomes a finished run with its dataset; what is there already is not written again.
    """


@cli.group()
def rollout() -> None:
    """Progressive delivery by hand, still through Git."""


@verb(
    "status",
    click.argument("release", required=False),
    *PLACE,
    AS_JSON,
    group=rollout,
)
def rollout_status() -> None:
    """Show where rollouts stand, and what each waits for."""


@verb("pause", RELEASE, REASON, *PLACE, group=rollout)
def rollout_pause() -> None:
    """Hold the weight until `resume`; a failure still rolls back."""


@verb("resume", RELEASE, REASON, READY, *PLACE, group=rollout)
def rollout_resume() -> None:
    """Go on where it stopped, with the release as it is now."""


@verb("abort", RELEASE, REASON, *PLACE, group=rollout)
def rollout_abort() -> None:
    """Give every request back to the stable version."""


@verb("promote", RELEASE, REASON, READY, *PLACE, group=rollout)
def rollout_promote() -> None:
    """Take the next step on your word: a pull request where the environment wants review."""


@verb(
    "plan",
    RELEASE,
    click.option("--rate", default=1.0, show_default=True, help="Requests a second."),
    ROOT,
    AS_JSON,
    group=rollout,
)
def rollout_plan() -> None:
    """Show what a rollout takes: steps, requests exposed, device-hours, cost, the quota."""


@verb(
    "rollback",
    RELEASE,
    click.option(
        "--to", metavar="VERSION", help="Which earlier version; the one before if absent."
    ),
    REASON,
    *PLACE,
)
def rollback() -> None:
    """Go back to the version before, in every state, and put the bad one in quarantine."""


@verb("history", RELEASE, REPOSITORY, ROOT, AS_JSON)
def history() -> None:
    """Show who served when, why, on what evidence, from Git."""


@verb("judge", click.argument("file", metavar="FILE"), AS_JSON)
def judge() -> None:
    """Replay the verdict on recorded counts, gate by gate.

    FILE is evidence that a rollout committed, or counts in its format:

    \b
      {"format": 1,
       "gates": [
         {"name": "errors", "absolute": {"p0": 0.005, "p1": 0.02},
          "batches": [
            {"candidate": {"requests": 100, "bad": 2},
             "stable": {"requests": 900, "bad": 4}}]}]}

    schemas/judgement.schema.json describes every key. As JSON, each gate has lnEBad, eOk, sprt and
    verdict. Any verdict is exit code 0; 1 says that FILE is wrong, or was judged otherwise then.
    """  # noqa: D301  # the backspace keeps click from filling lines


@verb("simulate", click.argument("file", metavar="FILE"), AS_JSON)
def simulate() -> None:
    """Replay a rollout on a virtual clock: every tick, and the commits that it asks for.

    FILE is a scenario; schemas/scenario.schema.json describes every key:

    \b
      apiVersion: sluice.dev/v1alpha1
      kind: Scenario
      metadata: {name: seed}
      spec:
        rollout: {steps: [{weight: 10, soak: 10m}], rollbackWindow: 1h}
        gates: [{name: errors, absolute: {p0: 0.002, p1: 0.01}}]
        traffic: {requestsPerMinute: 1200}
        rates:
          - {at: 0s, candidate: {errors: 0.001}, stable: {errors: 0.001}}
          - {at: 30m, candidate: {errors: 0.03}}
        # or a row for each minute: candidate requests, bad, stable requests, bad
        # recorded: {errors: [[120, 0, 1080, 1], [120, 4, 1080, 2]]}
        events: [{at: 9m, what: metricsDown}, {at: 20m, what: metricsUp}]
    """  # noqa: D301  # the backspace keeps click from filling lines


ENVIRONMENT = click.option(
    "--env", "environment", metavar="NAME", help="Only this environment; all when absent."
)


@verb("status", ENVIRONMENT, *PLACE, AS_JSON)
def status() -> None:
    """Show what runs where: versions, rollouts, pull requests, devices, cost.

    Reads the commit that is checked out, or main of --repository. Open pull requests are those of
    the forge or of the remote `origin`, the state of the cluster is what Argo CD says at
    SLUICE_ARGOCD, and what the routes give, those of other clusters at SLUICE_ROUTES; what cannot
    be asked is told of as unknown. Exits with 1 when a spec is broken.

    \b
    sluice status --env production
    sluice status --format json | jq '.releases[] | select(.rollout.state != "STABLE")'
    """  # noqa: D301  # the mark that click keeps lines for


@verb(
    "board",
    click.option("--out", metavar="FILE", help="Where to write it; stdout when absent."),
    click.option("--links", metavar="URL", help="Where files are shown, for links to specs."),
    ENVIRONMENT,
    *PLACE,
)
def board() -> None:
    """Write what runs where as one HTML page, which needs no network and no scripts.

    The data are those of `sluice status`. The same data give the same bytes, so a page can be
    kept in Git or served as it is. Without --links, specs are linked relative to the page.

    \b
    sluice board --out public/index.html --links https://github.com/acme/models/blob/main
    """  # noqa: D301  # the mark that click keeps lines for


@verb("doctor", REGISTRY, *PLACE, AS_JSON)
def doctor() -> None:
    """Say what is missing or misconfigured, and how to mend it."""


@verb("demo", click.argument("directory", required=False, metavar="[DIR]"))
def demo() -> None:
    """Show the whole loop on this machine, with a real registry and a real Git remote."""


def main(argv: list[str] | None = None) -> int:
    """Run a command line; what nobody foresaw and no boundary has caught is shown whole."""
    with open_outlets():
        return _run(argv)


def _run(argv: list[str] | None) -> int:
    try:
        result = cli.main(args=argv, prog_name="sluice", standalone_mode=False)
        sys.stdout.flush()
    except (FindingsError, UsageError, click.ClickException, click.Abort, OSError) as error:
        return _expected(error)
    except Exception:  # noqa: BLE001  # the last place: a bug is shown whole and has its own code
        import traceback  # noqa: PLC0415  # only on failure

        traceback.print_exc()
        click.echo("sluice: this is a defect of Sluice; please report the lines above", err=True)
        return BUG
    return result if isinstance(result, int) else CLEAN


def _expected(error: Exception) -> int:
    """Say what went wrong, and give the exit code for it."""
    code = USAGE
    if isinstance(error, FindingsError):
        from sluice.core.reports.report import report  # noqa: PLC0415  # only on failure

        click.echo(report(error.findings, "text", {}), nl=False)
        code = FINDINGS
    elif isinstance(error, UsageError):
        click.echo(f"sluice: {one_line(str(error))}", err=True)
    elif isinstance(error, click.ClickException):
        error.show()
    elif isinstance(error, click.Abort):
        code = INTERRUPTED
    elif isinstance(error, BrokenPipeError):  # nobody reads our output any more
        _forget_output()
        code = CLEAN
    elif isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else "cannot read or write: "
        click.echo(f"sluice: {place}{error.strerror or error}", err=True)
        try:
            sys.stdout.flush()
        except OSError:
            _forget_output()
    return code


def _forget_output() -> None:
    """Drop what is still to be written: Python would complain about it when it ends."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
