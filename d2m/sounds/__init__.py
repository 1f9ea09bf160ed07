"""Sound library: ``studio.sf3``, its patches by name (:mod:`d2m.sounds.patches`), and the licences of its samples."""

from __future__ import annotations

from pathlib import Path

#: The SoundFont that is included in the package, described in ``docs/sounds.md``.
LIBRARY = Path(__file__).parent / "studio.sf3"
#: What its header calls it.
TITLE = "d2m studio"
