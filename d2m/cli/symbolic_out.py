"""Where the commands under ``d2m symbolic`` write."""

from __future__ import annotations

from pathlib import Path

from d2m.errors import D2MError

#: Longer music is not rendered: it would not fit into memory as sound.
LONGEST_SECONDS = 1200.0


def check_playable(seconds: float, what: str = "the music", remedy: str = "leave out --wav") -> None:
    """Refuse music that is too long to be rendered, before anything is written.

    Args:
        seconds: how long it is.
        what: it is called.
        remedy: what the user can do.

    Raises:
        D2MError: if it is.
    """
    if seconds > LONGEST_SECONDS:
        most = f"at most {LONGEST_SECONDS / 60:.0f} can be rendered"
        raise D2MError(f"{what} lasts {seconds / 60:.0f} minutes, {most}; {remedy}")


def midi_path(output: str, *sources: str | Path | None) -> Path:
    """The MIDI file to write.

    Args:
        output: as the user named it; without an ending it gets ``.mid``.
        sources: files that are read; the music in them is the user's own, and often all there is of it.

    Raises:
        D2MError: if it has another ending than ``.mid`` or ``.midi``, is a folder, or is one of the sources.
    """
    out = Path(output)
    if out.is_dir():
        raise D2MError(f"{out} is a folder; name a file in it, such as {out / 'music.mid'}")
    if not out.suffix:
        out = out.with_name(f"{out.name}.mid")
    if out.suffix.lower() not in (".mid", ".midi"):
        raise D2MError(f"{out} should end in .mid; that is what is written")
    if any(source is not None and _is_same(out, Path(source)) for source in sources):
        raise D2MError(f"{out} is the music that is read, and would be lost; give another name with -o")
    return out


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        # One of them is not there.
        return False
