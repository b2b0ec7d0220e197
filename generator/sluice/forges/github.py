"""GitHub and GitHub Enterprise, over the REST API; GraphQL only for what REST has not."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

from sluice.core.model import PullRequest
from sluice.forges.addresses import Address
from sluice.forges.answers import RefusedError, Site
from sluice.forges.credentials import Credentials, Token
from sluice.forges.dialect import Change, Words
from sluice.forges.extras import Capabilities
from sluice.forges.family import Family
from sluice.forges.github_app import App, app_from
from sluice.forges.http import Transport
from sluice.forges.limits import Budget, Window
from sluice.forges.raw import MANY, found, segment
from sluice.forges.remote import RemoteForge
from sluice.forges.timing import Timing

_HOME = "github.com"
_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_MINUTE, _HOUR = 60, 3600
# What is true in a moment, or what another has done already.
_PASSING = (
    "already exists",
    "head sha can't be blank",
    "field head_sha",
    "could not resolve to a node",
    "base branch was modified",
    "code invalid, field head",
    "merge state is unknown",
    "merge state is clean",
    "try again",
)
_READY_NOW = ("clean status", "unstable status", "has_hooks status")
_AUTO_MERGE = """
mutation($pull: ID!, $head: GitObjectID!, $method: PullRequestMergeMethod!) {
  enablePullRequestAutoMerge(
    input: {pullRequestId: $pull, expectedHeadOid: $head, mergeMethod: $method}
  ) { clientMutationId }
}"""
_NO_AUTO_MERGE = """
mutation($pull: ID!) {
  disablePullRequestAutoMerge(input: {pullRequestId: $pull}) { clientMutationId }
}"""


def connect(
    address: Address, environ: Mapping[str, str], timing: Timing | None = None
) -> RemoteForge:
    """Return the forge at an address, with a token or as an App. Nothing is asked of it yet."""
    timing = timing or Timing()
    site = Site("GitHub", _base(address.place(_HOME)), str(address), headers=_HEADERS)
    credentials: Credentials | None = app_from(environ, site, address.name, timing)
    credentials = credentials or Token(address.token(environ))
    http = Transport(site, credentials, _budget(), timing)
    return RemoteForge(GitHub(http, address.path), http, f"{address.page(_HOME)}/compare")


def _base(place: str) -> str:
    if place == f"https://{_HOME}" or place.endswith(".ghe.com"):
        return place.replace("https://", "https://api.", 1)
    return f"{place}/api/v3"


def _budget() -> Budget:
    """A tenth below what GitHub allows a token: 5,000 calls an hour, 80 and 500 creations."""
    writes = (Window(70, _MINUTE), Window(450, _HOUR))
    return Budget((Window(4_500, _HOUR),), writes)


class GitHub(Family):
    """The calls; see Dialect."""

    capabilities = Capabilities(body=58_000)
    _size = "per_page"
    _latest: ClassVar = {"sort": "updated", "direction": "desc"}
    _verdict = "state"
    _methods: ClassVar = {"allow_merge_commit": "merge", "allow_squash_merge": "squash"}
    _events = "events"
    _happened: ClassVar = ("event", "closed", "head_ref_deleted")

    def open_of(self, branch: str, base: str) -> Iterable[PullRequest]:  # noqa: ARG002 - others need it
        """The open ones of a branch."""
        return self._list({"state": "open", "head": f"{self._owner}:{branch}"}, MANY)

    def of_branch(self, branch: str) -> Iterable[PullRequest]:
        """All of a branch."""
        return self._list({"state": "all", "head": f"{self._owner}:{branch}"}, MANY)

    def create(self, words: Words) -> PullRequest:
        """Open one, with its labels."""
        body = {"title": words.title, "head": words.branch, "base": words.base, "body": words.body}
        pull = self._read(self._http.call("POST", f"{self._root}/pulls", body=body).data)
        return self.change(pull, Change(add=tuple(sorted(words.labels)))) if words.labels else pull

    def change(self, pull: PullRequest, change: Change) -> PullRequest:
        """Labels first, so that the last answer shows all."""
        labels = f"{self._root}/issues/{pull.number}/labels"
        if change.add:
            self._http.call("POST", labels, body={"labels": list(change.add)})
        for label in change.remove:
            self._gone(f"{labels}/{segment(label)}")
        return self.patch(pull, change)

    def merge(self, pull: PullRequest) -> PullRequest:
        """Merge at the head that was seen."""
        body = {"sha": pull.head, "merge_method": self._merge_method()}
        path = f"{self._root}/pulls/{pull.number}/merge"
        try:
            answer = self._http.call("PUT", path, body=body)
        except RefusedError as error:
            if error.status != HTTPStatus.METHOD_NOT_ALLOWED:
                raise
            raise self._why_not(pull.number, error) from None
        with self._http.reading():
            return replace(pull, state="merged", merged_as=str(answer.data["sha"]))

    def merge_when_ready(self, pull: PullRequest) -> PullRequest:
        """Turn auto-merge on; what waits for nothing refuses that and is merged.

        GitHub looks again only when something happens to the pull request, so what waits although
        nothing is missing any more is merged.
        """
        node, waiting, clean = self._waiting(pull.number)
        if waiting:
            return self.merge(pull) if clean else pull
        said = self._auto_merge(node, pull.head)
        if any(words in said.lower() for words in _READY_NOW):
            return self.merge(pull)
        if said:
            raise RefusedError(f"{self._http.site}: {said}", HTTPStatus.UNPROCESSABLE_ENTITY, said)
        return pull

    def cancel_merge(self, pull: PullRequest) -> None:
        """Turn auto-merge off where it is on."""
        node, waiting, _ = self._waiting(pull.number)
        said = self._graphql(_NO_AUTO_MERGE, {"pull": node}) if waiting else ""
        if said and self._waiting(pull.number)[1]:
            raise RefusedError(f"{self._http.site}: {said}", HTTPStatus.UNPROCESSABLE_ENTITY, said)

    def may_pass(self, error: RefusedError) -> bool:
        """Whether it is a matter of time, or done by another."""
        return error.says(*_PASSING)

    def tip(self, branch: str) -> str | None:
        """The commit of a branch."""
        answer = found(self._http, f"{self._root}/git/ref/heads/{quote(branch)}")
        with self._http.reading():
            return str(answer.data["object"]["sha"]) if answer else None

    def drop(self, branch: str) -> None:
        """Delete a branch."""
        self._http.call("DELETE", f"{self._root}/git/refs/heads/{quote(branch)}")

    def whoami(self) -> str:
        """The account that we act as; an App's token cannot ask for it."""
        if isinstance(self._http.credentials, App):
            return self._http.credentials.bot()
        return super().whoami()

    def _why_not(self, number: int, error: RefusedError) -> RefusedError:
        """Add whether it conflicts, is blocked, or is still being looked at by the server."""
        raw = self._http.call("GET", f"{self._root}/pulls/{number}").data
        with self._http.reading():
            state = self._http.quoted(raw.get("mergeable_state") or "")
        said = f"{error.said}, its merge state is {state}" if state else error.said
        return RefusedError(f"{self._http.site}: {said}", error.status, said)

    def _waiting(self, number: int) -> tuple[str, bool, bool]:
        """What GraphQL calls a pull request, whether it merges later, and whether it could now."""
        raw = self._http.call("GET", f"{self._root}/pulls/{number}").data
        with self._http.reading():
            clean = raw.get("mergeable_state") == "clean"
            return str(raw["node_id"]), bool(raw.get("auto_merge")), clean

    def _auto_merge(self, node: str, head: str) -> str:
        variables = {"pull": node, "head": head, "method": self._merge_method().upper()}
        return self._graphql(_AUTO_MERGE, variables)

    def _graphql(self, query: str, variables: Mapping[str, str]) -> str:
        """Ask for a change and return the complaints; limits come in answers of success here."""
        path = f"{self._http.site.base.removesuffix('/v3')}/graphql"
        answer = self._http.call("POST", path, body={"query": query, "variables": variables})
        with self._http.reading():
            errors = answer.data.get("errors") or ()
            said = self._http.quoted("; ".join(str(error["message"]) for error in errors))
            limited = any(error.get("type") == "RATE_LIMITED" for error in errors)
        if limited or "secondary rate limit" in said.lower():
            raise self._http.limited(said)
        return said
