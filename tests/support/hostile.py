"""Texts and documents that have broken YAML emitters, templates and shells before."""

import random
import string
from typing import Any

TEXTS = (
    *(
        "",
        " ",
        "a: b",
        "a:",
        ":",
        "- a",
        "-",
        "? a",
        "a # b",
        "#",
        "a b ",
        " a",
        "\ta",
        "'",
        '"',
        "''",
    ),
    *("it's", 'say "a"', "\\", "\\n", "%", "@", "`", "`id`", "|", ">", "&a", "*a", "!a", "!!str a"),
    *("---", "...", "--- a", "{}", "[]", "{a: b}", "[a]", "{{ a }}", "{% raw %}", "{# a #}", "~"),
    *("y", "n", "Y", "yes", "no", "on", "off", "true", "false", "null", "Null", "NULL", "TRUE"),
    *("1", "-1", "+1", "0o7", "0x1F", "0b1", "1_000", "1e3", "1E5", "12e5678", "1.5", ".5", "5."),
    *(".inf", "-.inf", ".nan", "inf", "nan", "1:30", "190:20:30", "2026-01-02", "=", "<<", "08"),
    *(
        "2026-01-02T03:04:05Z",
        "0777",
        "deadbeef",
        "1e10",
        "0.33.0",
        "7",
        "v7",
        "$(HOME)",
        "${HOME}",
    ),
    *("$$(HOME)", "⟦0⟧", "⟦1⟧", "⟦", "⟧", "x⟦99⟧y", "../../etc/passwd", "/v1", "a\nb", "a\n", "\n"),
    *(
        "a\r\nb",
        "\r",
        "a\n\n  b\n",
        "\n- a: b",
        "a\n---\nb",
        "\u0085",
        "a\u0085b",
        "\u2028",
        "a\u2029b",
    ),
    *(
        "\ufeff",
        "\ufeffa",
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\x80",
        "\xa0",
        "é",
        "😀",
        "\U0010ffff",
        "\ufffe",
    ),
    *("<b>", "[a](b)", "**", "a | b", "::error::", "'; DROP TABLE", "pvc://a/b", "--flag=a", "-x"),
    *("--a: b", "x" * 300, "a " * 60, "key: value # comment", "\u200b", "\u202e"),
)

ALPHABET = "".join(TEXTS) + string.ascii_letters + string.digits + " :-#\n"


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  # the same examples in every run, not a secret


def text(source: random.Random) -> str:
    """A known nasty text, a mixture of several, or random characters of all of them."""
    kind = source.random()
    if kind < 0.6:
        return source.choice(TEXTS)
    if kind < 0.8:
        return "".join(source.choices(TEXTS, k=source.randint(2, 3)))
    return "".join(source.choices(ALPHABET, k=source.randint(0, 12)))


def scalar(source: random.Random) -> Any:  # noqa: ANN401  # any YAML
    """A text, a number, a truth value or nothing."""
    kind = source.random()
    if kind < 0.7:
        return text(source)
    if kind < 0.8:
        return source.choice([0, 1, -1, 7, 8080, 2**53, 2**63 - 1, -(2**63)])
    if kind < 0.9:
        return source.choice([0.5, -0.85, 1e-05, 1.2345678901234567e-05, 1e-20, 0.1, 3.0, 1e16])
    return source.choice([True, False, None])


def node(source: random.Random, depth: int) -> Any:  # noqa: ANN401  # any YAML
    """Any value; below it, at most `depth` levels."""
    kind = source.random()
    if depth == 0 or kind < 0.5:
        return scalar(source)
    if kind < 0.75:
        return [node(source, depth - 1) for _ in range(source.randint(0, 3))]
    return mapping(source, depth - 1)


def mapping(source: random.Random, depth: int, least: int = 0) -> dict[str, Any]:
    """A mapping; keys are at most 1,024 characters long, which is YAML's own limit."""
    count = source.randint(least, 4)
    return {text(source): node(source, depth) for _ in range(count)}
