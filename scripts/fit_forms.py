"""Compute the forms for new melodies from real ones, each of another song.

    python scripts/fit_forms.py FOLDER [--count 256] [--output symbolic/emotion/forms.json]

FOLDER is of melodies (``d2m symbolic melodies``); of its part ``train`` the first windows of evenly spread songs are
taken. A form holds for each of the 16 bars the earlier bar that it takes up (or its own number) and the share.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from d2m.datasets.melodies import load_melodies
from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.symbolic.emotion.forms import FORMS, forms_of, load_forms


def main() -> None:
    """Read the arguments and write the forms."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--output", type=Path, default=FORMS)
    arguments = parser.parse_args()
    songs = load_melodies(arguments.folder, "train")
    _, firsts = np.unique(songs.songs, return_index=True)
    if arguments.count > len(firsts):
        raise D2MError(f"{arguments.folder} has {len(firsts)} songs to train on; ask for no more forms")
    chosen = firsts[np.linspace(0, len(firsts) - 1, arguments.count).astype(int)]
    found = forms_of(songs.melodies[chosen])
    rows = [
        json.dumps([[bar, round(share, 3)] for bar, share in zip(*row, strict=True)])
        for row in zip(found.taken.tolist(), found.share.tolist(), strict=True)
    ]
    source = f"part train of {arguments.folder.name}, as written by d2m symbolic melodies"
    head = f'{{"source": {json.dumps(source)},\n"forms": [\n'
    atomic_write_bytes(arguments.output, (head + ",\n".join(rows) + "\n]}\n").encode())
    forms = load_forms(arguments.output)
    taken = forms.share > 0
    print(f"{len(forms)} forms: {taken.mean():.3f} of the bars take one up, {(forms.share == 1).mean():.3f} as it was")


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
