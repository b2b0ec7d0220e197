"""What a forge puts before the title of a draft, and pull requests of ours."""

from sluice.core.promotion.message import framed, stamped

PREFIXED = {"gitlab": "Draft: ", "gitea": "WIP: ", "forgejo": "[WIP] ", "github": ""}
TASK = "- [ ] The accelerators are free."


def ours(version: str, *lines: str) -> str:
    """A text of ours about a version, as it goes to a forge."""
    return stamped("\n".join([*lines, TASK, framed({"version": version})]), "1" * 40)
