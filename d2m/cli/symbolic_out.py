"""Output paths of the commands under ``d2m symbolic``."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from d2m.errors import D2MError

#: Longer music is not rendered: it would not fit into memory as sound.
LONGEST_SECONDS = 1200.0


def check_playable(seconds: float, what: str = "the music", remedy: str = "leave out --wav") -> None:
    """Refuse music that is too long to be rendered, before anything is written.

    Args:
        seconds: length of the music.
        what: its name in the error message.
        remedy: what the user can do about it.

    Raises:
        D2MError: if it is longer than :data:`LONGEST_SECONDS`.
    """
    if seconds > LONGEST_SECONDS:
        most = f"at most {LONGEST_SECONDS / 60:.0f} can be rendered"
        raise D2MError(f"{what} lasts {seconds / 60:.0f} minutes, {most}; {remedy}")


def midi_path(output: str | None, usual: str | Path, *sources: str | Path | None) -> Path:
    """Return the MIDI file to write; arguments and errors as for :func:`midi_paths`."""
    return midi_paths(output, usual, 1, *sources)[0]


def midi_paths(output: str | None, usual: str | Path, count: int, *sources: str | Path | None) -> list[Path]:
    """Return the MIDI files to write, beside which pictures and sound may be written.

    Args:
        output: name given by the user, or None; without a suffix it gets ``.mid``. Existing files are replaced.
        usual: default name; numbered if a file of that name exists, see :func:`free`.
        count: number of files; more than one are numbered.
        sources: input files, which are never overwritten.

    Raises:
        D2MError: if the name has another suffix than ``.mid`` or ``.midi``, is a folder, or is one of the sources.
    """
    if output is None:
        return free(Path(usual), (".mid", ".png", ".wav"), count)
    out = named(output, (".mid", ".midi"))
    files = _numbered(out, count)
    for file in files:
        if any(source is not None and _is_same(file, Path(source)) for source in sources):
            raise D2MError(f"{file} is an input file and would be overwritten; give another name with -o")
    return files


def wav_path(output: str | None, usual: str | Path) -> Path:
    """Return the ``.wav`` file to write, beside which a picture may be written; arguments as for :func:`midi_paths`."""
    if output is None:
        return free(Path(usual), (".wav", ".png"))[0]
    return named(output, (".wav",))


def free(usual: Path, endings: tuple[str, ...], count: int = 1) -> list[Path]:
    """Return unused file names: ``usual``, or ``usual`` with a number from 2 on, such as ``joined-2.mid``.

    Args:
        usual: preferred name.
        endings: suffixes of files that may be written; a name is free if no file has it with any of them.
        count: number of names.
    """
    for number in itertools.count(1):
        name = usual if number == 1 else usual.with_name(f"{usual.stem}-{number}{usual.suffix}")
        names = _numbered(name, count)
        if not any(os.path.lexists(file.with_suffix(ending)) for file in names for ending in endings):
            return names
    raise AssertionError


def named(output: str, endings: tuple[str, ...]) -> Path:
    """Return the output file that the user named, with a suffix added if it has none.

    Args:
        output: name given by the user.
        endings: suffixes that are allowed; the first one is added.

    Raises:
        D2MError: if it is a folder or has another suffix.
    """
    out = Path(output)
    if out.is_dir() or output.endswith(("/", os.sep)):
        raise D2MError(f"{out} is a folder; name a file in it, such as {out / f'music{endings[0]}'}")
    if not out.suffix:
        out = out.with_name(f"{out.name}{endings[0]}")
    if out.suffix.lower() not in endings:
        raise D2MError(f"{out} should end in {endings[0]}, the format that is written; give another name")
    return out


def _numbered(out: Path, count: int) -> list[Path]:
    """``out``, or as many numbered names."""
    if count == 1:
        return [out]
    digits = max(len(str(count)), 2)
    return [out.with_name(f"{out.stem}-{number:0{digits}d}{out.suffix}") for number in range(1, count + 1)]


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        # One of them is not there.
        return False
