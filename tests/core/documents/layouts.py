"""One small spec in every layout that people write YAML in."""

from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import strategies as st

VALUES = st.sampled_from(
    ["7", "support-chat", "pvc://models/chat/7", "1.0", "x y", "😀", "yesterday"]
)
COMMENTS = st.sampled_from(["", " # why", " # a: b", "  #⟦0⟧ 'x\" {"])
GAPS = st.sampled_from(["", "\n", "# between\n", "\n    # between: {\n\n"])
KEYS = ("name", "version", "source", "architecture")


@dataclass(frozen=True)
class Layout:
    """A text around one value: what stands before it, the value as spelled, what stands after."""

    before: str
    value: str
    after: str
    newline: str
    mark: str

    @property
    def raw(self) -> bytes:
        return self.bytes_of(self.before + self.value + self.after)

    def bytes_of(self, text: str) -> bytes:
        return (self.mark + text.replace("\n", self.newline)).encode()


def data(raw: bytes) -> Any:  # noqa: ANN401  # any YAML
    return yaml.load(raw, Loader=yaml.CSafeLoader)


@st.composite
def spelled(draw: st.DrawFn, *, block: bool) -> str:
    """A value, plain or in quotes; in a block also over several lines."""
    value = draw(VALUES)
    styles = [f'"{value}"', f"'{value}'", value if value.isascii() else f'"{value}"']
    if block:
        styles += [
            f"|\n      {value}\n",
            f">-\n      {value}\n",
            f'"{value}\n      b"',
            "a\n      b",
        ]
    return draw(st.sampled_from(styles))


@st.composite
def block_layouts(draw: st.DrawFn) -> tuple[str, str, str]:
    """A mapping with one key a line, the chosen value between two texts."""
    keys = draw(st.permutations(KEYS))[: draw(st.integers(1, 4))]
    chosen = draw(st.integers(0, len(keys) - 1))
    pieces = ["spec:\n  model:\n", "", ""]
    for index, key in enumerate(keys):
        value = draw(spelled(block=True))
        comment = "" if value.endswith("\n") else draw(COMMENTS) + "\n"
        head = f"{draw(GAPS)}    {draw(st.sampled_from([key, repr(key)]))}: "
        side = 0 if index <= chosen else 2
        pieces[side] += head
        pieces[1 if index == chosen else side] += value
        pieces[2 if index == chosen else side] += comment
    return pieces[0], pieces[1], pieces[2]


@st.composite
def flow_layouts(draw: st.DrawFn) -> tuple[str, str, str]:
    """A mapping in braces, in one line or in several."""
    keys = draw(st.permutations(KEYS))[: draw(st.integers(1, 4))]
    chosen = draw(st.integers(0, len(keys) - 1))
    comma = draw(st.sampled_from([", ", ",", ",\n    ", ",  # why\n      "]))
    values = [draw(spelled(block=False)) for _ in keys]
    entries = [f"{key}: {value}" for key, value in zip(keys, values, strict=True)]
    start = "spec:\n  model: {" + "".join(entry + comma for entry in entries[:chosen])
    rest = "".join(comma + entry for entry in entries[chosen + 1 :])
    end = draw(st.sampled_from(["}", ",}", " }", "\n  }"])) + draw(COMMENTS) + "\n"
    return f"{start}{keys[chosen]}: ", values[chosen], rest + end


@st.composite
def layouts(draw: st.DrawFn) -> Layout:
    before, value, after = draw(st.one_of(block_layouts(), flow_layouts()))
    head = draw(st.sampled_from(["", "# yaml-language-server: $schema=x\n", "---\n", "\n# c\n\n"]))
    tail = draw(st.sampled_from(["", "  engine: {name: x}\n", "# end\n", "\n\nother:\n- a\n"]))
    after += tail
    if draw(st.booleans()) and not {"|", ">"} & set(value + after):
        after = after.rstrip("\n")
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return Layout(head + before, value, after, newline, draw(st.sampled_from(["", "\ufeff"])))
