"""Typed values out of the nodes of a YAML document; what is wrong becomes a finding."""

import difflib
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import yaml

from sluice.core.finding import Finding, FindingsError, Place

UNREADABLE = "REG001"
WRONG = "REG002"

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_INFINITY = re.compile(r"([-+]?)\.?inf(inity)?", re.IGNORECASE)
_NAN = re.compile(r"\.?nan", re.IGNORECASE)
_NULL_TAG = "tag:yaml.org,2002:null"
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(frozen=True, slots=True)
class NodeReader:
    """Takes values out of nodes; what is wrong becomes a finding and an empty value."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    def parse(self, text: str) -> yaml.Node | None:
        try:
            return yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = self._place(mark)
            problem = error.problem or error.context or "unreadable"
        except yaml.YAMLError as error:
            place, problem = Place(self.file), " ".join(str(error).split())
        except RecursionError:
            place, problem = Place(self.file), "it is nested too deep"
        raise FindingsError([Finding(place, UNREADABLE, f"not YAML: {problem}")])

    def report(self, node: yaml.Node | None, message: str, advice: str = "") -> None:
        mark = node.start_mark if node else None
        self.findings.append(Finding(self._place(mark), WRONG, message, advice))

    def read_mapping(
        self, node: yaml.Node | None, keys: Collection[str] | None = None
    ) -> dict[str, yaml.Node]:
        """Return the entries; `keys` are those that are allowed, None for any."""
        if _is_nothing(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.report(node, "expected keys and values")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key_node, value in node.value:
            key = self.read_text(key_node)
            if key in entries:
                self.report(key_node, f"the key {key!r} is there twice")
            elif keys is not None and key not in keys:
                self.report(key_node, f"unknown key {key!r}", _suggest(key, keys))
            entries[key] = value
        return entries

    def read_items(self, node: yaml.Node | None) -> list[yaml.Node]:
        if _is_nothing(node):
            return []
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        self.report(node, "expected a list")
        return []

    def read_text(self, node: yaml.Node | None) -> str:
        if _is_nothing(node):
            return ""
        if isinstance(node, yaml.ScalarNode):
            return _SURROGATES.sub(_join_surrogates, str(node.value))
        self.report(node, "expected text")
        return ""

    def read_texts(self, node: yaml.Node | None) -> dict[str, str]:
        return {key: self.read_text(value) for key, value in self.read_mapping(node).items()}

    def read_integer(self, node: yaml.Node | None) -> int:
        """Return the whole number, 0 when there is none."""
        text = self.read_text(node)
        if not text:
            return 0
        if not re.fullmatch(r"0|[1-9]\d{0,17}", text, re.ASCII):
            self.report(node, f"expected a whole number, not {text!r}")
            return 0
        return int(text)

    def read_number(self, node: yaml.Node | None) -> float:
        text = self.read_text(node)
        if _NUMBER.fullmatch(text):
            return float(text)
        infinite = _INFINITY.fullmatch(text)
        if infinite:
            return -math.inf if infinite[1] == "-" else math.inf
        if not _NAN.fullmatch(text):
            self.report(node, f"expected a number, not {text!r}")
        return math.nan

    def read_flag(self, node: yaml.Node | None, default: bool) -> bool:  # noqa: FBT001 - a value
        text = self.read_text(node)
        if text not in {"", "true", "false"}:
            self.report(node, f"expected true or false, not {text!r}")
        if not text:
            return default
        return text == "true"

    def _place(self, mark: yaml.Mark | None) -> Place:
        if mark is None:
            return Place(self.file)
        return Place(self.file, mark.line + 1, mark.column + 1)  # people count from one


def _is_nothing(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag == _NULL_TAG)


def _join_surrogates(pair: re.Match[str]) -> str:
    """Return the character that JSON wrote as two escapes."""
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _suggest(key: str, keys: Iterable[str]) -> str:
    names = sorted(keys)
    close = difflib.get_close_matches(key, names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}"
