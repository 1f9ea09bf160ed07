"""State of a stream that is stored for a restart: position, decisions and queue.

The state is a small JSON file, written atomically. It does not contain the music: segments are made again from the
files of the songs, which gives the same notes. If a file has changed or is missing, the programme starts with the next
song.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from d2m.errors import D2MError
from d2m.files.atomic import atomic_write_bytes
from d2m.symbolic.bridge.joining import write_bridge
from d2m.symbolic.bridge.mixpoints import MixPoint
from d2m.symbolic.shape import Words
from d2m.symbolic.stream.library import Place, stamp
from d2m.symbolic.stream.planning import Plan
from d2m.symbolic.stream.programme import Programme
from d2m.symbolic.stream.sections import Section, bridge_section, close, song_section
from d2m.symbolic.stream.wishes import Wish

if TYPE_CHECKING:
    from d2m.symbolic.stream.station import Station

_VERSION = 1
#: Seconds from one note to the next, and after one that could not be written.
_EVERY, _AGAIN = 2.0, 30.0
_MOST_BYTES, _MOST_STRETCHES, _MOST_WISHES = 1_000_000, 100, 1000


def remember(station: Station, path: Path) -> None:
    """Write the state of a station.

    Args:
        station: the station.
        path: the state file.

    Raises:
        D2MError: if the file cannot be written.
    """
    with station.changed:
        programme = station.programme
        content = {
            "version": _VERSION,
            "programme": station.identity,
            "settings": settings(programme),
            "head": station.head,
            "revision": station.revision,
            "wishes": [list(wish) for wish in station.wishes.queue],
            "wish_count": station.wishes.count,
            "stretches": [_to_json(section) for section in programme.sections],
        }
    atomic_write_bytes(path, json.dumps(content, indent=1).encode())


class Checkpoint:
    """Periodic writer of a station's state, which reports when writing fails and works again.

    Args:
        station: whose.
        path: path of the file; None saves nothing.
    """

    def __init__(self, station: Station, path: Path | None) -> None:
        self.station, self.path = station, path
        self._due, self._fails = -1e9, False

    def save_now(self) -> None:
        """Make the next call of :meth:`save` write, however soon it comes."""
        self._due = -1e9

    def save(self, force: bool = False) -> None:
        """Write the state of the station if it is time to. If the disk is full or missing, this is tried again later.

        Args:
            force: write in any case.
        """
        now = self.station.clock()
        if self.path is None or (now < self._due and not force):
            return
        self._due = now + _EVERY
        try:
            remember(self.station, self.path)
        except D2MError as error:
            self._due = now + _AGAIN
            if not self._fails:
                self.station.tell(f"where the programme is cannot be remembered: {error}")
            self._fails = True
        else:
            if self._fails:
                self.station.tell("from now on it is remembered again where the programme is")
            self._fails = False


def settings(programme: Programme) -> dict[str, Any]:
    """Return the settings that must be the same for a restart.

    Args:
        programme: the programme.
    """
    planner = programme.planner
    found = {"source": str(programme.library.source.resolve()), "shuffle": programme.shuffle, "seed": programme.seed}
    found |= {"bars": planner.bars, "method": planner.method, "spare": planner.spare, "transpose": planner.transpose}
    found |= {"model": planner.composer.name}
    # What nobody asks for is not written, so that older states are still understood.
    return found | ({"words": repr(planner.words)} if planner.words != Words() else {})


def recall(station: Station, path: Path) -> bool:
    """Restore the state of a station.

    Args:
        station: the station.
        path: the state file.

    Returns:
        Whether the state could be restored.
    """
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            return False
        content = json.loads(path.read_bytes())
        if content["version"] != _VERSION or content["settings"] != settings(station.programme):
            return False
        sections = _rebuild(content["stretches"], station.programme)
        head, revision, count = (int(content[name]) for name in ("head", "revision", "wish_count"))
        wishes = [(int(number), str(name)) for number, name in content["wishes"][:_MOST_WISHES]]
        identity = str(content["programme"])[:64]
    except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError, RecursionError, D2MError) as error:
        station.tell(f"the programme cannot go on where it was ({error}); it begins anew")
        return False
    station.programme.sections = sections
    station.head, station.revision, station.identity = head, revision, identity
    station.wishes.queue, station.wishes.count = [Wish(*wish) for wish in wishes], count
    return True


def _to_json(section: Section) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": section.kind, "name": section.name, "start": section.start, "stop": section.stop}
    point = section.point
    if point is not None:
        found |= {"number": section.number, "point": [point.bar_a, point.bar_b, point.transpose, point.cost]}
        return found | {"method": point.method}
    found |= {"entry": section.entry, "exit": section.exit, "moved": section.moved, "gain": section.gain}
    return found | {"place": list(section.place), "queued": section.queued, "file": list(section.file)}


def _rebuild(content: list[dict[str, Any]], programme: Programme) -> list[Section]:
    """Raises D2MError if the songs are not what they were."""
    songs = programme.library.songs()
    found: list[Section | None] = []
    for entry in content[:_MOST_STRETCHES]:
        if entry["kind"] == "bridge":
            found.append(None)
            continue
        path = songs.get(entry["name"])
        if path is None or list(stamp(path)) != entry["file"]:
            raise D2MError(f"{entry['name']} has changed")
        moved = int(entry["moved"])
        if not -12 <= moved <= 12:
            raise D2MError("a song is transposed out of range")
        song = programme.planner.read(path).moved(moved)
        bars = [int(entry["entry"])] + ([] if entry["exit"] is None else [int(entry["exit"])])
        if not all(0 <= bar < len(song) for bar in bars):
            raise D2MError(f"{entry['name']} has other bars")
        place = Place(int(entry["place"][0]), str(entry["place"][1]))
        made = song_section(song, str(entry["name"]), int(entry["start"]), bars[0], moved, float(entry["gain"]), place)
        made.queued, made.file = int(entry["queued"]), stamp(path)
        if len(bars) > 1:
            close(made, bars[1])
        found.append(made)
    if not found or found[-1] is None or found[-1].stop is not None:
        raise D2MError("it does not end with an unfinished song")
    return [_bridge(content[at], found, at, programme) if s is None else s for at, s in enumerate(found)]


def _bridge(entry: dict[str, Any], found: list[Section | None], at: int, programme: Programme) -> Section:
    before, after = (found[at - 1] if at else None), found[at + 1]
    if before is None or after is None or before.stop is None:
        raise D2MError("a bridge stands alone")
    bar_a, bar_b, transpose = (int(value) for value in entry["point"][:3])
    point = MixPoint(bar_a, bar_b, transpose, float(entry["point"][3]), str(entry["method"]))
    local = MixPoint(bar_a, bar_b, 0, point.cost, point.method)
    planner = programme.planner
    bridge = write_bridge(before.played, after.played, local, planner.composer, planner.bars)
    made = bridge_section(before, Plan(point, after.played, bridge, after.gain), after, int(entry["number"]))
    if made.stop != after.start or before.stop != entry["start"]:
        raise D2MError("the songs have other lengths than before")
    return made
