"""GitHub and GitHub Enterprise, over the REST API; GraphQL only for what REST has not."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import ClassVar
from urllib.parse import quote

from sluice.core.forge import Capabilities, PullRequest
from sluice.forges.addresses import Address
from sluice.forges.answers import RefusedError, Site
from sluice.forges.credentials import Credentials, Token
from sluice.forges.dialect import Change, Words
from sluice.forges.family import Family
from sluice.forges.github_app import App, read_app
from sluice.forges.http import Transport
from sluice.forges.kinds import kind_of
from sluice.forges.limits import Budget, Window
from sluice.forges.merging import Style
from sluice.forges.raw import MANY, Raw, fetch_or_none, quote_segment
from sluice.forges.remote import RemoteForge
from sluice.forges.rights import NO_COMMIT, NOBODY, Standing, Trial, make_no_branch
from sluice.forges.timing import Timing

_HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
_MINUTE, _HOUR = 60, 3600
_NEEDS = (
    "the scope repo for a classic token; for a fine-grained one and an App read and write for "
    "Contents, Pull requests and Commit statuses"
)
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
_CONTENTS, _PULLS, _STATUSES = "Contents", "Pull requests", "Commit statuses"
_SCOPES = {_CONTENTS, _PULLS, _STATUSES}
_AUTO_MERGE = """
mutation(
  $pull: ID!, $head: GitObjectID!, $method: PullRequestMergeMethod!, $title: String, $body: String
) {
  enablePullRequestAutoMerge(
    input: {
      pullRequestId: $pull, expectedHeadOid: $head, mergeMethod: $method,
      commitHeadline: $title, commitBody: $body
    }
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
    kind = kind_of(address.kind)
    base = _make_base(address.place(kind.home), kind.home)
    site = Site(kind.title, base, str(address), needs=_NEEDS, headers=_HEADERS)
    credentials: Credentials | None = read_app(environ, site, address.name, timing)
    credentials = credentials or Token(address.token(environ))
    http = Transport(site, credentials, _make_budget(), timing)
    return RemoteForge(GitHub(http, address.path), http, f"{address.page(kind.home)}/compare")


def _make_base(place: str, home: str) -> str:
    if place == f"https://{home}" or place.endswith(".ghe.com"):
        return place.replace("https://", "https://api.", 1)
    return f"{place}/api/v3"


def _make_budget() -> Budget:
    """A tenth below what GitHub allows a token: 5,000 calls an hour, 80 and 500 creations."""
    writes = (Window(70, _MINUTE), Window(450, _HOUR))
    return Budget((Window(4_500, _HOUR),), writes)


class GitHub(Family):
    """The calls; see Dialect."""

    # GitHub refuses more than 65,536; people and their bots add to a body as well.
    capabilities = Capabilities(body=58_000)
    _size = "per_page"
    _latest: ClassVar = {"sort": "updated", "direction": "desc"}
    _verdict = "state"
    _methods: ClassVar = {
        "allow_merge_commit": "merge",
        "allow_squash_merge": "squash",
        "allow_rebase_merge": "rebase",
    }
    _oldest_first = True
    _event_list = "events"
    _event_names: ClassVar = ("event", "closed", "head_ref_deleted")
    # `gh pr close --delete-branch` does both, one within a second of the other. Times have seconds.
    _least_gap = 1
    _withdrawal = "auto_merge_disabled"
    _delegations = frozenset(
        {"auto_merge_enabled", "auto_squash_enabled", "auto_rebase_enabled", "reopened"}
    )
    _who = "actor"

    def list_open(self, branch: str, base: str) -> Iterable[PullRequest]:  # noqa: ARG002 - others need it
        """The open ones of a branch."""
        return self._list({"state": "open", "head": f"{self._owner}:{branch}"}, MANY)

    def list_of_branch(self, branch: str) -> Iterable[PullRequest]:
        """All of a branch."""
        return self._list({"state": "all", "head": f"{self._owner}:{branch}"}, MANY)

    def create(self, words: Words) -> PullRequest:
        """Open one, with its labels."""
        body = {"title": words.title, "head": words.branch, "base": words.base, "body": words.body}
        pull = self._read(self._http.call("POST", f"{self._root}/pulls", body=body).data)
        if not words.labels:
            return pull
        return self.change(pull, Change(add=tuple(sorted(words.labels))))

    def change(self, pull: PullRequest, change: Change) -> PullRequest:
        """Labels first, so that the last answer shows all."""
        # Labels are those of the issue that every pull request is as well.
        labels = f"{self._root}/issues/{pull.number}/labels"
        if change.add:
            self._http.call("POST", labels, body={"labels": list(change.add)})
        for label in change.remove:
            self._delete_if_there(f"{labels}/{quote_segment(label)}")
        return self.patch(pull, change)

    def merge(self, pull: PullRequest) -> PullRequest:
        """Merge at the head that was seen.

        Raises:
            RefusedError: it cannot be merged, and why.
        """
        style = self._choose_style(pull.base)
        message = self._write_message(pull, style)
        body: dict[str, str] = {"sha": pull.head, "merge_method": style}
        if message.title:
            body["commit_title"] = message.title
        if message.body:
            body["commit_message"] = message.body
        path = f"{self._root}/pulls/{pull.number}/merge"
        try:
            answer = self._http.call("PUT", path, body=body)
        except RefusedError as error:
            if error.status != HTTPStatus.METHOD_NOT_ALLOWED:
                raise
            raise self._explain_refusal(pull.number, error) from None
        with self._http.reading():
            return replace(pull, state="merged", merged_as=str(answer.data["sha"]))

    def merge_when_ready(self, pull: PullRequest) -> PullRequest:
        """Turn auto-merge on; what waits for nothing refuses that and is merged.

        GitHub looks again only when something happens to the pull request, so what waits although
        nothing is missing any more is merged.

        Raises:
            RefusedError: the forge said no.
        """
        node, waiting, clean = self._read_waiting(pull.number)
        style = self._choose_style(pull.base)
        if waiting == style:
            return self.merge(pull) if clean else pull
        if waiting:  # by a style that is not allowed any more
            self._ask_graphql(_NO_AUTO_MERGE, {"pull": node})
        complaints = self._enable_auto_merge(node, pull, style)
        if any(words in complaints.lower() for words in _READY_NOW):
            return self.merge(pull)
        if complaints:
            raise RefusedError(
                f"{self._http.site}: {complaints}", HTTPStatus.UNPROCESSABLE_ENTITY, complaints
            )
        return pull

    def cancel_merge(self, pull: PullRequest) -> None:
        """Turn auto-merge off where it is on.

        Raises:
            RefusedError: the forge said no, and it is still on.
        """
        node, waiting, _ = self._read_waiting(pull.number)
        if not waiting:
            return
        complaints = self._ask_graphql(_NO_AUTO_MERGE, {"pull": node})
        # It complains as well where another was faster, and nothing waits any more.
        if complaints and self._read_waiting(pull.number)[1]:
            raise RefusedError(
                f"{self._http.site}: {complaints}", HTTPStatus.UNPROCESSABLE_ENTITY, complaints
            )

    def may_pass(self, error: RefusedError) -> bool:
        """Whether it is a matter of time, or done by another."""
        return error.says(*_PASSING)

    def find_tip(self, branch: str) -> str | None:
        """The commit of a branch."""
        answer = fetch_or_none(self._http, f"{self._root}/git/ref/heads/{quote(branch)}")
        with self._http.reading():
            if answer is None:
                return None
            return str(answer.data["object"]["sha"])

    def delete_branch(self, branch: str) -> None:
        """Delete a branch."""
        self._http.call("DELETE", f"{self._root}/git/refs/heads/{quote(branch)}")

    def read_standing(self) -> Standing:
        """What is said of the repository; a classic token's scopes come with any answer."""
        answer = self._http.call("GET", self._root)
        header = answer.headers.get("x-oauth-scopes")
        with self._http.reading():
            scopes: set[str] | None = None
            if header is not None:
                scopes = {scope.strip() for scope in header.split(",")}
                if "repo" in scopes:  # in it are all others
                    scopes |= _SCOPES
            may_push = (answer.data.get("permissions") or {}).get("push", True)
            return Standing(
                str(answer.data["full_name"]),
                bool(answer.data.get("archived")),
                bool(may_push),
                None if scopes is None else frozenset(scopes),
            )

    def list_trials(self) -> Collection[Trial]:
        """What reconciling takes."""
        root, branch = self._root, quote(make_no_branch())
        status = {"state": "pending", "context": "sluice/doctor"}
        return (
            Trial("push branches", _CONTENTS, "DELETE", f"{root}/git/refs/heads/{branch}"),
            Trial("open pull requests", _PULLS, "PATCH", f"{root}/pulls/{NOBODY}", {"title": "x"}),
            Trial("set statuses", _STATUSES, "POST", f"{root}/statuses/{NO_COMMIT}", status),
        )

    def whoami(self) -> str:
        """The account that we act as; an App's token cannot ask for it."""
        if isinstance(self._http.credentials, App):
            return self._http.credentials.find_bot()
        return super().whoami()

    def _explain_refusal(self, number: int, error: RefusedError) -> RefusedError:
        """Add whether it conflicts, is blocked, or is still being looked at by the server."""
        raw = self._http.call("GET", f"{self._root}/pulls/{number}").data
        with self._http.reading():
            state = self._http.quote(raw.get("mergeable_state") or "")
        reason = error.reason
        if state:
            reason = f"{reason}, its merge state is {state}"
        return RefusedError(f"{self._http.site}: {reason}", error.status, reason)

    def list_styles(self, base: str) -> tuple[Collection[str], str]:
        """The styles that the repository allows, and the rules of the branch do not forbid."""
        styles, preferred = super().list_styles(base)
        allowed = set(styles)
        path = f"{self._root}/rules/branches/{quote_segment(base)}"
        for raw in self._list_rules(path):
            with self._http.reading():
                if raw["type"] == "required_linear_history":
                    allowed.discard("merge")
                named = (raw.get("parameters") or {}).get("allowed_merge_methods")
                if raw["type"] == "pull_request" and named:
                    allowed &= {str(name).lower() for name in named}
        return allowed, preferred

    def _list_rules(self, path: str) -> Iterable[Raw]:
        """The rules of a branch; older servers have none."""
        try:
            yield from self._http.walk_pages(path, {}, self._size, MANY)
        except RefusedError as error:
            if error.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN):
                raise

    def _read_waiting(self, number: int) -> tuple[str, str, bool]:
        """What GraphQL calls a pull request, how it merges later, and whether it could now."""
        raw = self._http.call("GET", f"{self._root}/pulls/{number}").data
        with self._http.reading():
            clean = raw.get("mergeable_state") == "clean"
            later = None if raw.get("merged_at") else raw.get("auto_merge")
            return str(raw["node_id"]), str(later["merge_method"]) if later else "", clean

    def _enable_auto_merge(self, node: str, pull: PullRequest, style: Style) -> str:
        words = self._write_message(pull, style)
        variables = {
            "pull": node,
            "head": pull.head,
            "method": style.upper(),
            "title": words.title or None,
            "body": words.body or None,
        }
        return self._ask_graphql(_AUTO_MERGE, variables)

    def _ask_graphql(self, query: str, variables: Mapping[str, str | None]) -> str:
        """Ask for a change and return the complaints; limits come in answers of success here."""
        path = f"{self._http.site.base.removesuffix('/v3')}/graphql"
        answer = self._http.call("POST", path, body={"query": query, "variables": variables})
        with self._http.reading():
            errors = answer.data.get("errors") or ()
            complaints = self._http.quote("; ".join(str(error["message"]) for error in errors))
            limited = any(error.get("type") == "RATE_LIMITED" for error in errors)
        if limited or "secondary rate limit" in complaints.lower():
            raise self._http.obey_limit(complaints)
        return complaints
