"""Mix points and bridges of unusual songs, and who plays in a bridge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streams import Repeater, weights, write_song
from test_bridge_songs import BASS, DRUMS, PIANO, STRINGS, bars_of, roll_of, song
from typer.testing import CliRunner

from d2m.cli.symbolic import app
from d2m.errors import D2MError
from d2m.symbolic.bridge.joining import join, write_bridge
from d2m.symbolic.bridge.mixpoints import MixPoint
from d2m.symbolic.bridge.song import song_of
from d2m.symbolic.pianoroll import Metre, to_score
from d2m.symbolic.pianoroll_midi import write_roll
from d2m.types import TRACKS

POINT = MixPoint(5, 2, 0, 0.0, "given")


class Everybody(Repeater):
    """A network that lets every track play."""

    def compose(self, context: np.ndarray, bars: int = 2) -> np.ndarray:
        made = np.zeros((len(context), bars, *context.shape[2:]), bool)
        made[:, :, ::4, 40] = True
        return made


def without(track: int, bars: slice, name: str = "song"):
    """A song whose track rests in some of its bars."""
    notes = bars_of("CaFGCaFG", 1)
    rests = (notes[:, 0] == track) & (notes[:, 1] >= 16 * bars.start) & (notes[:, 1] < 16 * bars.stop)
    roll = roll_of(notes[~rests], 8, name=name)
    return song_of(to_score(roll), roll, name)


def tracks_of(parts) -> set[str]:
    return {part.track for part in parts if len(part.pitches)}


def test_a_track_that_rests_on_both_sides_of_the_seam_rests_in_the_bridge():
    # Strings play in both songs, but not where they meet.
    a, b = without(STRINGS, slice(4, 8)), without(STRINGS, slice(0, 4))
    bridge = write_bridge(a, b, POINT, Everybody(), 2)
    assert tracks_of(bridge.parts) == {"drums", "piano", "bass"}
    assert not bridge.held[..., STRINGS].any()
    joined = join(a, b, POINT, Everybody(), 2)
    inside = {p.track for p in joined.score.parts if ((p.starts >= joined.start) & (p.starts < joined.end)).any()}
    assert inside == {"drums", "piano", "bass"}


def test_a_track_of_one_side_is_played_by_that_side_alone():
    a, b = without(STRINGS, slice(4, 8)), without(BASS, slice(0, 8))
    b = replace(b, score=replace(b.score, parts=tuple(_program(p, "strings", 53) for p in b.score.parts)))
    bridge = write_bridge(a, b, POINT, Everybody(), 2)
    programs = {track: {p.program for p in bridge.parts if p.track == track} for track in TRACKS}
    assert programs["strings"] == {53}
    assert programs["bass"] == {32}


def _program(part, track: str, program: int):
    return replace(part, program=program) if part.track == track else part


def test_bridges_are_played_by_the_instruments_that_play_at_the_seam():
    whole = song("CaFGCaFG")
    strings = next(p for p in whole.score.parts if p.track == "strings")
    late = strings.starts >= 20
    parts = [p for p in whole.score.parts if p.track != "strings"]
    for program, mine in ((48, ~late), (65, late)):
        arrays = {name: getattr(strings, name)[mine] for name in ("starts", "ends", "pitches", "velocities")}
        parts.append(replace(strings, program=program, **arrays))
    a = replace(whole, score=replace(whole.score, parts=tuple(parts)))
    assert a.roll.programs[STRINGS] == 48
    assert (a.player(2, STRINGS), a.player(5, STRINGS), a.player(5, 2)) == (48, 65, None)
    bridge = write_bridge(a, a, replace(POINT, bar_b=6), Everybody(), 2)
    assert {p.program for p in bridge.parts if p.track == "strings"} == {65}


def test_a_moved_song_is_the_song_higher():
    whole = song("CaFGCaFG")
    higher = whole.moved(3)
    assert np.array_equal(higher.held[:, :, 3:, PIANO], whole.held[:, :, :-3, PIANO])
    assert np.array_equal(higher.held[..., DRUMS], whole.held[..., DRUMS])
    assert higher.keys.tolist() == song("CaFGCaFG", key=3).keys.tolist()
    assert whole.moved(0) is whole
    for part, other in zip(whole.score.parts, higher.score.parts, strict=True):
        assert (other.pitches - part.pitches == (0 if part.is_drum else 3)).all()


def unusual(folder: Path, kind: str) -> Path:
    """A file that a listener may have."""
    path = folder / f"{kind.replace(' ', '_')}.mid"
    if kind == "corrupt":
        path.write_bytes(write_song(folder / "good.mid").read_bytes()[:40])
    elif kind == "no midi":
        path.write_text("no music")
    elif kind == "waltz":
        roll = replace(roll_of(bars_of("CaFG", 0), 4), downbeats=np.arange(0, 64, 12), metres=(Metre(0, 3, 4),))
        write_roll(roll, path)
    elif kind == "changing":
        lines = np.array([0, 16, 32, 48, 60, 72, 88, 104, 120, 136, 152, 168])
        metres = (Metre(0, 4, 4), Metre(48, 3, 4), Metre(72, 4, 4))
        write_roll(replace(roll_of(bars_of("CaFGCaFGCaF", 0), 11), downbeats=lines[:-1], metres=metres), path)
    elif kind == "two bars":
        write_song(path, "Ca")
    elif kind == "three bars":
        write_song(path, "CaF")
    elif kind == "half an hour":
        write_song(path, "CaFG" * 225, tempo=120)
    else:
        notes = bars_of("CaFGCaFG", 0)
        write_roll(roll_of(notes[(notes[:, 0] == DRUMS) == (kind == "drums only")], 8), path)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("corrupt", "not a usable MIDI file|no notes|no music in it"),
        ("no midi", "not a usable MIDI file"),
        ("waltz", "no bar of music in 4/4, at least 3"),
        ("two bars", "two bars of music in 4/4"),
    ],
)
@pytest.mark.parametrize("command", ["mixpoints", "bridge"])
def test_what_cannot_be_mixed_is_told_in_one_line_and_by_name(tmp_path, command, kind, reason):
    good, bad = str(write_song(tmp_path / "a.mid")), str(unusual(tmp_path, kind))
    out = tmp_path / "joined.mid"
    more = ["-o", str(out), "--model", weights(tmp_path)] if command == "bridge" else []
    for files in ([good, bad], [bad, good]):
        done = CliRunner().invoke(app, [command, *files, *more])
        assert isinstance(done.exception, D2MError)
        assert Path(bad).name in str(done.exception)
        assert "\n" not in str(done.exception)
        with pytest.raises(D2MError, match=reason):
            raise done.exception
    assert not out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["changing", "three bars", "no drums", "drums only", "half an hour"])
def test_unusual_songs_are_mixed(tmp_path, kind):
    good, other = str(write_song(tmp_path / "a.mid")), str(unusual(tmp_path, kind))
    for files in ([good, other], [other, good]):
        done = CliRunner().invoke(app, ["mixpoints", *files, "--json", "--top", "2"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.output)["mix_points"]
        out = tmp_path / "joined.mid"
        done = CliRunner().invoke(app, ["bridge", *files, "-o", str(out), "--model", weights(tmp_path), "--json"])
        assert done.exit_code == 0, done.output
        assert json.loads(done.output)["seconds"] > 0
        assert out.stat().st_size > 100
