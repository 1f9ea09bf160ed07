"""Text for LaTeX tables."""

from __future__ import annotations

_ESCAPES = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def escape(text: str) -> str:
    """Escape the characters that LaTeX treats as commands; line breaks become spaces.

    Args:
        text: plain text.
    """
    return "".join(_ESCAPES.get(character, character) for character in " ".join(str(text).split()))
