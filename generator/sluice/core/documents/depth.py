"""How deep YAML nests, asked of its events: what builds trees recurses until the stack ends."""

import yaml

from sluice.core.documents.nodes import Position, position

_SCANNER_LIMIT = "exceeded maximum nesting depth"
"""What the scanner itself says from PyYAML 6.0.4 on, a thousand levels before the first event."""


def first_deeper(text: str | bytes, limit: int) -> Position | None:
    """Return where a collection first stands more than `limit` levels deep, None when none does.

    Raises:
        yaml.YAMLError: when the text is not YAML.
    """
    depth = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > limit:
                    return position(event.start_mark)
    except yaml.MarkedYAMLError as error:
        if error.problem_mark is None or _SCANNER_LIMIT not in str(error.problem):
            raise
        return position(error.problem_mark)
    return None
