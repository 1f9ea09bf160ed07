"""``d2m symbolic emotion-fit``: targets of the emotions from melodies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer


def emotion_fit(
    folder: Annotated[Path, typer.Argument(help="Folder of melodies (see 'd2m symbolic melodies').")],
    table: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="FILE", help="Table of emotions, which is rewritten. Default: the table of d2m."),
    ] = None,
) -> None:
    """Set the target pitch and density of each emotion to their quantiles among the training melodies of a folder."""
    from d2m.datasets.melodies import load_melodies
    from d2m.symbolic.emotion.emotions import TABLE
    from d2m.symbolic.emotion.fit import fit_table

    melodies = load_melodies(folder, "train").melodies
    source = f"part train of {folder.name}, as written by d2m symbolic melodies"
    for emotion in fit_table(melodies, source, table or TABLE).emotions:
        figures = f"pitch {emotion.pitch:6.2f}  notes per bar {emotion.density:5.2f}"
        typer.echo(f"{emotion.name:12} {emotion.korean:6} {figures}")
