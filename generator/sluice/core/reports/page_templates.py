"""Pages of HTML from templates, in which no value can become markup.

Two things are done to each value that a template prints, whatever the template says: it is made
one line of what can be seen (`plain`), and it is escaped.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from markupsafe import Markup

from sluice.core.reports.status_text import plain

if TYPE_CHECKING:
    from jinja2 import Environment


class PageTemplates:
    """A set of templates of pages by name.

    Args:
        read: gives the text of each template; called when the first page is rendered.
    """

    def __init__(self, read: Callable[[], Mapping[str, str]]) -> None:
        self._read = read

    def render(self, name: str, **values: object) -> str:
        """The page that a template makes of some values.

        Args:
            name: of the template, as the path of its file.
            values: what the template shows, by the names that it uses.

        Raises:
            jinja2.UndefinedError: when the template names a value that is not there.
        """
        return self._environment.get_template(name).render(values)

    def drawing(self, name: str, macro: str, value: object) -> str:
        """What one macro of a template makes of one value; arguments as those of `render`."""
        module = self._environment.get_template(name).module
        return str(getattr(module, macro)(value))

    @cached_property
    def _environment(self) -> "Environment":
        from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415  # slow

        return Environment(
            loader=DictLoader(self._read()),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_tidy,
            trim_blocks=True,
            lstrip_blocks=True,
        )


def _tidy(value: object) -> object:
    """Texts on one line; what other macros made is markup already."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value)
    return value
