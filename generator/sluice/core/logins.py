"""Names with passwords that stand in no address: `user:password@host`, and flags of clients."""

import re
from collections.abc import Iterator

# What follows the host is no digest and no tag of an image.
_LOGIN = re.compile(
    r"(?<![\w.@/:-])([A-Za-z_][\w.-]{0,63}+):([^\s@:/\"'<>,;{}]{1,128}+)@"
    r"(?!sha[0-9])([A-Za-z0-9][\w-]{0,62}+(?:\.[\w-]{1,63}+){0,8}+)(?!\w|:(?![0-9]{1,5}(?!\w)))"
)
_FLAG = re.compile(
    r"(?<![\w-])(?:-u|-U|--user|--proxy-user)[ =]{0,4}[\"']?([\w.@%+-]{1,64}+):([^\s\"']{1,256}+)"
)
_CLIENT = re.compile(r"\b(?:curl|wget|https?)\b")
"""Who takes a name and a password by these flags; elsewhere they are a user and a group."""
_LINE = 256
"""Characters before a flag among which the client is looked for."""
_SCHEMES = {"mailto", "acct", "sip", "sips", "xmpp"}
_ACCOUNTS = {
    *("user", "username", "admin", "administrator", "root", "postgres", "mysql", "redis", "robot"),
    *("oauth2", "token", "git", "deploy", "default", "guest"),
}
"""After these names any password is one; after others what is made up."""
_OF_NAMES = "._-+"
"""Marks that are in addresses of people, too."""


def passwords(text: str) -> Iterator[tuple[int, int]]:
    """Beginning and end of each password that stands after the name of an account."""
    for match in _LOGIN.finditer(text) if "@" in text else ():
        user, password, host = match[1].lower(), match[2], match[3]
        is_made_up = "." in host and _is_mixed(password)
        if user in _ACCOUNTS or (is_made_up and user not in _SCHEMES):
            yield match.span(2)
    for match in _FLAG.finditer(text):
        begin = max(0, match.start() - _LINE)
        line = text[begin : match.start()].rpartition("\n")[2]
        if _CLIENT.search(line):
            yield match.span(2)


def _is_mixed(value: str) -> bool:
    """Whether a value has letters, and digits or marks that are in no name of a person."""
    has_letters = any(character.isalpha() for character in value)
    return has_letters and any(not c.isalpha() and c not in _OF_NAMES for c in value)
