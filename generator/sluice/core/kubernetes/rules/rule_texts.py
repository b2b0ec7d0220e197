"""The texts of the semantic rules, by id: data that is read when the first problem is found."""

from collections.abc import Callable, Mapping
from functools import cached_property

from sluice.core.finding import Severity
from sluice.core.kubernetes.rules.problem import Rule

Texts = Mapping[str, Mapping[str, str]]
"""The rules as data: title, help and severity (absent: error), by an id that no other gets."""


class Rules:
    """The rules by id.

    Args:
        read: gives the texts; called when the first rule is looked up.
    """

    def __init__(self, read: Callable[[], Texts]) -> None:
        self._read = read

    def __getitem__(self, rule: str) -> Rule:
        """The rule of an id.

        Raises:
            KeyError: when no text is written for it, a defect of Sluice.
        """
        return self.by_id[rule]

    @cached_property
    def by_id(self) -> Mapping[str, Rule]:
        """All of them, in order of their ids."""
        rules: dict[str, Rule] = {}
        for rule, text in self._read().items():
            severity = Severity(text.get("severity", "error"))
            rules[rule] = Rule(text["title"], text["help"], severity)
        return rules
