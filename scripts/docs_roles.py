"""Extension of griffe that reads the docstrings of d2m as Markdown.

Docstrings name objects by Sphinx's roles (:func:`d2m.generate`), begin code with ``::``, and describe constants in
comments above them (``#:``). mkdocstrings knows none of these.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:attr|class|data|func|meth|mod):`(~?)\.?([^`<>]+)`")


class Roles(griffe.Extension):
    """Convert the docstring of every object."""

    def on_object(self, *, obj: griffe.Object, loader: griffe.GriffeLoader, **_: Any) -> None:
        if obj.docstring is None and obj.is_attribute:
            text = comment_above(obj)
            obj.docstring = griffe.Docstring(text, parent=obj) if text else None
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value, obj)


def comment_above(obj: griffe.Object) -> str:
    """Return the comment ``#:`` above an assignment, without its marks."""
    if obj.lineno is None or isinstance(obj.filepath, list):
        return ""
    source = obj.lines_collection[obj.filepath]
    lines: list[str] = []
    for line in reversed(source[: obj.lineno - 1]):
        if not line.strip().startswith("#:"):
            break
        lines.append(line.strip().removeprefix("#:").strip())
    return "\n".join(reversed(lines))


def as_markdown(text: str, obj: griffe.Object) -> str:
    """Return a docstring with roles as links and with Markdown's code blocks."""
    text = re.sub(r"::$", ":", text, flags=re.MULTILINE)
    return _ROLE.sub(lambda role: _link(role[2], bool(role[1]), obj), text)


def _link(target: str, short: bool, obj: griffe.Object) -> str:
    """Return a link that is plain code if the pages do not contain its target."""
    name = target.rsplit(".", 1)[-1] if short else target
    return f'<autoref optional identifier="{_full_name(target, obj)}"><code>{name}</code></autoref>'


def _full_name(target: str, obj: griffe.Object) -> str:
    if target.startswith("d2m"):
        return target
    scopes = [obj, *([obj.parent] if obj.parent is not None else []), obj.module]
    for scope in scopes:
        if target.split(".")[0] in scope.members:
            return f"{scope.path}.{target}"
    return f"{obj.module.path}.{target}"
