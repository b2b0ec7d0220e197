"""The kinds of forges: one record each, from which everything else about a kind follows.

A new forge is a module beside this one and a record here; one that speaks as another one does is
the record alone. The embedded forge is no kind: it needs the repository itself, not an address.
"""

from dataclasses import dataclass

from sluice.core.finding import UsageError


@dataclass(frozen=True, slots=True)
class ForgeKind:
    """What is known of a kind of forge before it is asked.

    Args:
        name: as addresses begin, `name:owner/repository`.
        title: for people.
        module: whose `connect` opens it.
        hosts: public ones, whose kind needs no telling; the first is its home.
        signatures: headers of a webhook that may hold the digest of its body, in lower case, the
            one to be preferred first. Without any it is the secret that is sent, in `token`.
        token: the header of the secret.
        events: headers that name a webhook's event; without any its body does.
    """

    name: str
    title: str
    module: str
    hosts: tuple[str, ...] = ()
    signatures: tuple[str, ...] = ()
    token: str = ""
    events: tuple[str, ...] = ()

    @property
    def home(self) -> str:
        """The host where it is when none is named; empty where there is no public one."""
        return self.hosts[0] if self.hosts else ""


# Both of one family send all of these, with one and the same word.
_EVENTS = ("x-github-event", "x-forgejo-event", "x-gitea-event")
_RECORDS = (
    ForgeKind(
        name="github",
        title="GitHub",
        module="sluice.forges.github",
        hosts=("github.com",),
        signatures=("x-hub-signature-256",),
        events=("x-github-event",),
    ),
    ForgeKind(
        name="gitlab",
        title="GitLab",
        module="sluice.forges.gitlab",
        hosts=("gitlab.com",),
        token="x-gitlab-token",  # noqa: S106  # the name of a header
    ),
    ForgeKind(
        name="gitea",
        title="Gitea",
        module="sluice.forges.gitea",
        hosts=("gitea.com",),
        signatures=("x-gitea-signature", "x-hub-signature-256"),
        events=_EVENTS,
    ),
    ForgeKind(
        name="forgejo",
        title="Forgejo",
        module="sluice.forges.gitea",
        hosts=("codeberg.org",),
        signatures=("x-forgejo-signature", "x-gitea-signature", "x-hub-signature-256"),
        events=_EVENTS,
    ),
)
KINDS = {kind.name: kind for kind in _RECORDS}


def kind_of(name: str) -> ForgeKind:
    """The kind of a name.

    Raises:
        UsageError: there is no such kind.
    """
    if name not in KINDS:
        raise UsageError(f"{name} is not a forge: {', '.join(sorted(KINDS))}")
    return KINDS[name]


def kind_at(host: str) -> ForgeKind | None:
    """The kind of a public host, None of any other one."""
    return next((kind for kind in KINDS.values() if host in kind.hosts), None)
