"""What must not be repeated: values that stand where a reference to a secret belongs."""

import re

HIDDEN = "…"

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET = {"secret", "secrets", "password", "passwd", "token", "credential", "credentials"}
_KEYS = {"api", "access", "auth", "private", "secret", "signing", "encryption"}
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s\"']*@")
_ENTRY = re.compile(
    r"""(["']?)([A-Za-z][\w.-]*)\1\s*:\s+(?![\[{&*#|>])("[^"]*"|'[^']*'|[^\s,\]}]+)"""
)


def is_secret(name: str) -> bool:
    """Whether a field or a flag of this name holds a secret, or the reference to one."""
    words = [word.lower() for word in _WORDS.findall(name)]
    ends = words[-1:] + words[-2:-1]
    return bool(words) and (ends[0] in _SECRET or (ends[0] == "key" and ends[-1] in _KEYS))


def credentials(text: str) -> bool:
    """Whether an address in the text holds a user or a password."""
    return bool(_CREDENTIALS.search(text))


def masked(text: str) -> str:
    """A text without the users and passwords of the addresses in it."""
    return _CREDENTIALS.sub(f"{HIDDEN}@", text)


def quotable(line: str) -> str:
    """A line of YAML without the values of fields that hold secrets, and without credentials."""
    return masked(_ENTRY.sub(_entry, line))


def _entry(match: re.Match[str]) -> str:
    return match[0].removesuffix(match[3]) + HIDDEN if is_secret(match[2]) else match[0]
