"""How deep YAML nests, asked of its events: what builds trees recurses until the stack ends."""

import yaml

Position = tuple[int, int]
"""Line and column, counted from 1."""
_SCANNER_LIMIT = "exceeded maximum nesting depth"
"""What the scanner itself says from PyYAML 6.0.4 on, a thousand levels before the first event."""


def first_deeper(raw: bytes, limit: int) -> Position | None:
    """Return where a collection first stands more than `limit` levels deep, None when none does.

    Raises:
        yaml.YAMLError: when the text is not YAML.
    """
    depth = 0
    try:
        for event in yaml.parse(raw, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            elif isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                mark = event.start_mark
                if depth > limit and mark:
                    return mark.line + 1, mark.column + 1
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        if mark is None or _SCANNER_LIMIT not in str(error.problem):
            raise
        return mark.line + 1, mark.column + 1
    return None
