"""What must not be repeated: secrets, known by the names they go by and by the forms they have.

Everything that leaves Sluice passes `redacted` or `redacted_data`: evidence, commits, pull
requests, the board and what is printed. Each pattern begins at a fixed mark or at the edge of a
word and never gives back what it has read, so the work grows with the length of a text and no
faster.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from sluice.core.logins import passwords
from sluice.core.wrappings import wrapped

HIDDEN = "…"

_WORDS = re.compile(r"[A-Z]++(?![a-z])|[A-Z]?[a-z]++|[A-Z]|[0-9]++")
_TRAILING = {"value", "raw", "base64", "b64", "plain", "plaintext"}
"""Words after the one that counts: `password_value`; numbers, too."""
_SECRET = {
    *("secret", "secrets", "password", "passwords", "passwd", "passphrase", "pwd", "pw", "token"),
    *("credential", "credentials", "authorization", "cookie", "cookies", "dsn", "jwt", "bearer"),
}
_PAIRS = {
    *(f"{kind} key" for kind in ("api", "access", "auth", "private", "secret", "signing", "ssh")),
    *(
        f"{kind} key"
        for kind in ("encryption", "account", "storage", "shared", "master", "service")
    ),
    *(f"{kind} keys" for kind in ("api", "access", "auth", "private", "secret", "signing")),
    *(f"{kind} tokens" for kind in ("api", "access", "auth", "bearer", "refresh", "session")),
    *("connection string", "connection str", "conn string", "conn str", "db pass", "user pass"),
    *("sas url", "secret id", "auth header", "key base"),
}
_RUN_TOGETHER = tuple(
    {pair.replace(" ", "") for pair in _PAIRS}
    | {"password", "passwd", "passphrase", "secret", "token", "credentials"}
)
"""How a name without any mark between its words ends: PGPASSWORD, hftoken."""
_VOCABULARY = {
    *("bos", "eos", "pad", "padding", "unk", "unknown", "sep", "cls", "mask", "stop", "special"),
    *("image", "video", "audio", "start", "end", "first", "last", "next", "new", "added", "tool"),
    *("prompt", "completion", "input", "output", "decoder", "encoder", "think", "fim", "prefix"),
    *("suffix", "middle", "per", "each", "num", "max", "min"),
}
"""Before `token` these speak of a model's words."""
_SIGNATURES = {"signature", "signatures", "sig", "sas"}
_SUSPICIOUS = {"key", "keys", "auth", "pass", "pat", "session", *_SIGNATURES}
"""Names of secrets and of other things: what looks random there is taken for a secret."""

_HARMLESS = re.compile(
    r"(?:true|false|none|null|yes|no|\*++|x{3,}+|</?[\w| ]*+>|\$[({].*+|\{\{.*+)?", re.IGNORECASE
)
"""No secret, whatever it goes by: answers, blanks, a model's own words, references."""
_NUMBER = re.compile(
    r"[-+]?[0-9]{1,12}(?:\.[0-9]{1,12})?(?:e[-+]?[0-9]{1,3}|[kmgbt])?", re.IGNORECASE
)
_TITLES = ("name", "key")
"""What the member `value` goes by, where data is a list of such pairs."""
_BLANK = re.compile(r"\s")
_TOLD_DIGEST = re.compile(r"(?:sha|md)[0-9]{1,3}[:-]")
_DIGEST = re.compile(r"[0-9a-f-]++", re.IGNORECASE)
"""Digests, ids of runs and of commits."""
_SHORTEST_PASSWORD = 8
_SEPARATOR, _SHORT_PART = re.compile(r"[-._/:]"), 6
_HOLDERS = {"secret", "secrets"}
_OBJECT = re.compile(r"[a-z0-9.-]{1,63}")
"""The name of an object in a cluster."""
_RANDOM_LENGTH, _RANDOM_BITS = 16, 3.2
"""Characters, and bits of each: words of a language that are as long have fewer."""

# A password may hold `/` and `@`; a path with an `@` in it has no `:` before its first `/`.
_CREDENTIALS = re.compile(
    r"(?<=://)(?:(?:[^\s/@\"'<>]*+@)++"
    r"|[^\s/@:\"'<>\[]*+:(?![0-9]{1,5}(?:[/?#\s\"'<>]|\Z))(?:(?:[^\s@:\"'<>]|:(?!//))*+@)++)"
)
_PARAMETER = re.compile(r"(?<=[?&;])([A-Za-z][\w.%-]*+)=((?:[^?&;#\s\"'<>\\]|\\[^\s\"'nrt])++)")
_SIGNED = {"sig", "signature", "sas", "key", "auth", "pass", "session", "code"}
"""What hands out rights as a parameter of an address, beside what is secret anywhere."""
_WORDLY = {"key", "code"}
"""Those of which a plain word is none."""
# To its end; of one that is cut off, the lines that can be of it.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:[^\"-]|-(?!----))*+-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{16,}+)*+)"
)
_ASSIGNED = re.compile(r"(?<![\w.-])-{0,2}([A-Za-z_][\w.-]*+)[ \t]{0,8}=>?[ \t]{0,8}")
# What these marks lead to is a secret where it looks like one: they stand in prose, too.
_ENTITLED = re.compile(
    r"(?<![\w.-])([A-Za-z_][\w.-]*+)[ \t]{0,8}:(?!/)(?:[ \t]{0,8}[|>][-+]?\n)?[ \t]{0,8}"
)
_PLAIN_WORD = re.compile(r"[A-Za-z]{1,16}+(?:[._-][A-Za-z]{1,16}+){0,2}+")
"""What people are called, and what they call things."""
_PASSWORDS, _DIGITS = (
    (["password"], ["passwd"], ["passphrase"], ["pwd"]),
    re.compile(r"[0-9]{4,64}+"),
)
_FLAG = re.compile(r"(?<![\w.-])--([A-Za-z][\w-]*+)[ ]{1,4}(?!-)")
_PROSE = re.compile(r"(?i:(?<![\w.-])(pass(?:word|wd|phrase)))(?: is| was)?[ ]{1,4}")
_ELEMENT = re.compile(r"(?<=<)(?P<name>[A-Za-z][\w.-]*+)>(?P<value>[^<>\n]++)</(?P=name)>")
_VALUE = re.compile(
    r"""(?P<quote>["'])[^"'\n]*+(?P=quote)|(?:[^\s"'\\,;&|<>)\]}]|\\[^\s"'nrt])++"""
)
_BEGINNING, _LONG = 128, 4096
_DEEPEST = 16  # characters before the first line of a block
# Of JSON, also of JSON inside a text of JSON. A value is looked at ahead: it may hold members.
_MEMBER = re.compile(
    r"""(?<!\\)(?P<quote>\\{0,15}["'])(?P<name>[A-Za-z_][\w.-]*+)(?P=quote)[ ]{0,4}:[ ]{0,4}"""
    r"""(?P=quote)(?=(?P<value>(?:(?!(?P=quote))(?:\\++.|[^\\\n]))++))"""
)
_SCHEME = re.compile(r"(?i:\b(?:bearer|basic|token)[ ]{1,4})(?P<value>[A-Za-z0-9._~+/=-]{16,}+)")
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?")
_PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"hf_[A-Za-z0-9]{20,}+|gh[oprsu]_[A-Za-z0-9]{20,}+|github_pat_\w{20,}+|glpat-[\w-]{16,}+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])|AIza[\w-]{35}|ya29\.[\w-]{20,}+"
    r"|xox[abeoprs]-[\w-]{10,}+|xapp-[\w-]{10,}+|sk-(?:[a-z]{2,8}-)?[A-Za-z0-9_]{20,}+"
    r"|sk-(?:ant|proj|or|svcacct|admin)-[\w-]{20,}+|[rs]k_(?:live|test)_[A-Za-z0-9]{16,}+"
    r"|gl(?:dt|rt|ft|cbt|ptt|imt|soat|agent|ffct)-[\w-]{16,}+|GOCSPX-[\w-]{20,}+"
    r"|AGE-SECRET-KEY-1[A-Z0-9]{50,}+|SG\.[\w-]{16,}+\.[\w-]{16,}+|r8_[A-Za-z0-9]{30,}+"
    r"|shp(?:at|ca|pa|ss)_[0-9a-f]{32}|dop_v1_[0-9a-f]{60,}+|lsv2_[a-z]{2}_\w{30,}+"
    r"|[0-9]{8,10}:AA[\w-]{33}|hooks\.slack\.com/services/[\w/-]{20,}+"
    r"|discord(?:app)?\.com/api/webhooks/[0-9]{1,20}/[\w-]{20,}+"
    r"|nvapi-[\w-]{20,}+|gsk_[A-Za-z0-9]{20,}+|dapi[0-9a-f]{32}|hv[sb]\.[\w-]{20,}+"
    r"|npm_[A-Za-z0-9]{30,}+|pypi-[\w-]{30,}+|dckr_pat_[\w-]{20,}+|gl(?:sa|c)_\w{20,}+)"
)
_FORMS = (
    (_PRIVATE_KEY, "a private key"),
    (_JWT, "a signed token"),
    (_PREFIXED, "a token of a service"),
)
_SSH = ("ssh://", "ssh+git://", "git+ssh://")
# An entry of a line of YAML, unless a mapping, an alias, a block or a comment is what follows.
_ENTRY = re.compile(
    r"""(?<![\w.-])(["']?)([A-Za-z][\w.-]*+)\1[ \t]*+:[ \t]++(?![\[{&*#|>])"""
    r"""("[^"]*+"|'[^']*+'|[^\s,\]}]++)"""
)


class Leak(NamedTuple):
    """What looks like a secret in a text: its beginning and end, and what it looks like."""

    start: int
    end: int
    kind: str


def is_secret(name: str) -> bool:
    """Whether a field, a flag or a parameter of this name holds a secret, or refers to one."""
    words = _words(name)
    if not words:
        return False
    before, last = (words[-2] if words[1:] else ""), words[-1]
    if before in _VOCABULARY and last == "token":
        return False
    return (
        last in _SECRET
        or f"{before} {last}" in _PAIRS
        or (last.endswith(_RUN_TOGETHER) and last.removesuffix("token") not in _VOCABULARY)
    )


def credentials(text: str) -> bool:
    """Whether an address in the text holds a user or a password."""
    return bool(_CREDENTIALS.search(text))


def leaks(text: str) -> list[Leak]:
    """What looks like a secret in a text, in order; those that overlap are one."""
    apart: list[Leak] = []
    for leak in sorted(_leaks(text)):
        if apart and leak.start < apart[-1].end:
            apart[-1] = apart[-1]._replace(end=max(leak.end, apart[-1].end))
        else:
            apart.append(leak)
    return apart


def redacted(text: str) -> str:
    """A text without what looks like a secret in it, wherever it stands."""
    parts: list[str] = []
    end = 0
    for leak in leaks(text):
        parts += text[end : leak.start], HIDDEN
        end = leak.end
    return "".join([*parts, text[end:]]) if parts else text


def redacted_value(name: str, value: str) -> str:
    """A value that goes by this name: nothing of it where the name says that it is a secret."""
    return HIDDEN if value and _tells(name, value) else redacted(value)


def redacted_data(data: object, name: str = "") -> object:
    """Data as JSON has it without the secrets in it; `name` is what the data goes by."""
    if isinstance(data, dict):
        title = next((data[key] for key in _TITLES if isinstance(data.get(key), str)), "")
        names = {key: title if key == "value" and title else str(key) for key in data}
        return {redacted(str(key)): redacted_data(data[key], names[key]) for key in data}
    if isinstance(data, list | tuple):
        return [redacted_data(value, name) for value in data]
    if isinstance(data, str):
        return redacted_value(name, data)
    return data


def quotable(line: str) -> str:
    """A line of YAML without the values of fields that hold secrets, and without other secrets."""
    return redacted(_ENTRY.sub(_entry, line))


def _entry(match: re.Match[str]) -> str:
    return match[0].removesuffix(match[3]) + HIDDEN if is_secret(match[2]) else match[0]


def _leaks(text: str) -> Iterator[Leak]:
    yield from _open_leaks(text)
    for start, end, inner in wrapped(text):
        # What is open already is hidden by itself, and its surroundings stay.
        if len(list(_open_leaks(inner))) > len(list(_open_leaks(text[start:end]))):
            yield Leak(start, end, "a secret in another writing")


def _open_leaks(text: str) -> Iterator[Leak]:
    yield from _in_addresses(text)
    for start, end in passwords(text):
        if text[start:end] != HIDDEN and not _HARMLESS.fullmatch(text[start:end]):
            yield Leak(start, end, "a password")
    yield from _assigned(text)
    yield from _entitled(text)
    for pattern in (_MEMBER, _ELEMENT):
        for match in pattern.finditer(text):
            if _tells(match["name"], match["value"]):
                yield Leak(*match.span("value"), f"the value of {match['name'][:40]}")
    for match in _SCHEME.finditer(text):
        if any(c.isdigit() or c.isupper() for c in match["value"]):  # no word of prose
            yield Leak(*match.span("value"), "an authorization")
    for pattern, kind in _FORMS:
        for match in pattern.finditer(text):
            yield Leak(*match.span(), kind)


def _in_addresses(text: str) -> Iterator[Leak]:
    for match in _CREDENTIALS.finditer(text) if "://" in text else ():
        # A name alone opens nothing; by SSH everybody has one that looks like none.
        by_name = text.endswith(_SSH, 0, match.start()) or _PLAIN_WORD.fullmatch(match[0][:-1])
        named = ":" not in match[0] and by_name
        if match[0] not in ("@", f"{HIDDEN}@") and not named:
            yield Leak(match.start(), match.end() - 1, "an address with a password")
    for match in _PARAMETER.finditer(text):
        signed = is_secret(match[1]) or not _SIGNED.isdisjoint(_words(match[1])[-1:])
        is_word = match[1].lower() in _WORDLY and _PLAIN_WORD.fullmatch(match[2])
        if signed and match[2] != HIDDEN and not is_word:
            yield Leak(*match.span(2), "a signed address")


def _assigned(text: str) -> Iterator[Leak]:
    """What stands after `name=`; what is read as a secret is not read again."""
    end = 0
    for match in _ASSIGNED.finditer(text):
        name, start = match[1], match.end()
        if match.start() < end or not _may_tell(name):
            continue
        sure = is_secret(name)
        # Of what is only suspicious the beginning tells; other names may follow in it.
        value = _VALUE.match(text, start) if sure else _VALUE.match(text, start, start + _BEGINNING)
        if value is None:
            continue
        tells = _tells(name, value[0].strip("\"'"))
        if tells:
            yield Leak(*value.span(), f"the value of {name[:40]}")
        end = value.end() if sure or tells else end


def _entitled(text: str) -> Iterator[Leak]:
    """What stands after `name: `, `--name ` or `password is `, and looks like a secret."""
    for pattern in (_ENTITLED, _FLAG, _PROSE):
        for match in pattern.finditer(text):
            name, is_block = match[1], "\n" in match[0]
            value = (
                _VALUE.match(text, match.end(), match.end() + _LONG) if is_secret(name) else None
            )
            plain = value[0].strip("\"'") if value else ""
            looks = _is_made_up if is_block or pattern is _FLAG else _is_random
            is_number = pattern is not _PROSE and _is_numeric_password(name, plain)
            looks_secret = is_number or (looks(plain) and not _is_name(name, plain))
            if value and looks_secret and _tells(name, plain):
                end = _end_of_block(text, *value.span()) if is_block else value.end()
                yield Leak(value.start(), end, f"the value of {name[:40]}")


def _is_numeric_password(name: str, value: str) -> bool:
    """Whether a number is no count, by the name that it goes by."""
    return _words(name)[-1:] in _PASSWORDS and bool(_DIGITS.fullmatch(value))


def _end_of_block(text: str, start: int, end: int) -> int:
    """Where the lines end that are indented as the first one of a block is."""
    indent = text[text.rfind("\n", max(0, start - _DEEPEST), start) + 1 : start]
    while indent and end - start < _LONG and text.startswith(f"\n{indent}", end):
        following = text.find("\n", end + 1)
        end = following if following >= 0 else len(text)
    return end


def _words(name: str) -> list[str]:
    """The words of a name, without what comes after the one that counts."""
    words = [word.lower() for word in _WORDS.findall(name)]
    while words and (words[-1] in _TRAILING or words[-1].isdigit()):
        words.pop()
    return words


def _tells(name: str, value: str) -> bool:
    """Whether the name says that this value is a secret."""
    if value == HIDDEN or _HARMLESS.fullmatch(value.strip()):
        return False
    last = _words(name)[-1:]
    if is_secret(name):
        return not (last == ["token"] and _NUMBER.fullmatch(value))  # a count, or a price
    if not _SIGNATURES.isdisjoint(last):
        return _is_random(value)
    return not _SUSPICIOUS.isdisjoint(last) and _is_random(value) and not _DIGEST.fullmatch(value)


def _may_tell(name: str) -> bool:
    return is_secret(name) or not _SUSPICIOUS.isdisjoint(_words(name)[-1:])


def _is_name(title: str, value: str) -> bool:
    """Whether a value is what people call something, such as an object that holds a secret."""
    parts = _SEPARATOR.split(value)
    if parts[1:] and all(p.isalpha() or p.isdigit() or len(p) <= _SHORT_PART for p in parts):
        return True
    return _words(title)[-1] in _HOLDERS and bool(_OBJECT.fullmatch(value))


def _is_made_up(value: str) -> bool:
    """Whether a value is no word of a language."""
    long = len(value) >= _SHORTEST_PASSWORD
    return long and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _is_random(value: str) -> bool:
    """Whether a value looks as if nobody had thought of it."""
    if len(value) < _RANDOM_LENGTH or _BLANK.search(value) or _TOLD_DIGEST.match(value):
        return False
    mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
    shares = [count / len(value) for count in Counter(value).values()]
    return mixed and -sum(share * math.log2(share) for share in shares) >= _RANDOM_BITS
