"""Piano-rolls keep what they are made from, on the way to MIDI, scores, files and tensors."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from d2m.errors import D2MError
from d2m.symbolic.composer import compose
from d2m.symbolic.midi_file import Instrument, MidiFile
from d2m.symbolic.pianoroll import Metre, PianoRoll, fill, from_score, struck, to_score
from d2m.symbolic.pianoroll_file import from_multitrack, load_npz, save_npz, to_multitrack
from d2m.symbolic.pianoroll_image import draw, fonts
from d2m.symbolic.pianoroll_midi import read_roll, roll_from_file, write_roll
from d2m.symbolic.pianoroll_tensor import COMPACT, PAPER, articulate, from_tensor, to_tensor
from d2m.symbolic.tracks import lpd_track, playing_track
from d2m.types import TRACKS, BeatGrid


def make_roll(notes: dict[str, list[tuple[int, int, int]]], steps: int = 96, steps_per_beat: int = 24, **more):
    """A roll of (first step, step after the last, key), in 4/4 at 120 bpm unless told otherwise."""
    held, onsets = fill([np.array(notes.get(name, []), np.int64).reshape(-1, 3) for name in TRACKS], steps)
    settings = {
        "tempo": np.full(steps, 120.0),
        "downbeats": np.arange(0, steps, 4 * steps_per_beat),
        "metres": (Metre(0, 4, 4),),
    }
    return PianoRoll(held, onsets, steps_per_beat, **{**settings, **more})


def same(a: PianoRoll, b: PianoRoll) -> None:
    np.testing.assert_array_equal(a.held, b.held)
    np.testing.assert_array_equal(a.onsets, b.onsets)
    np.testing.assert_array_equal(a.downbeats, b.downbeats)
    np.testing.assert_allclose(a.seconds(), b.seconds(), atol=1e-3)
    assert (a.metres, a.programs, a.steps_per_beat) == (b.metres, b.programs, b.steps_per_beat)


@pytest.fixture(scope="module")
def song() -> PianoRoll:
    """A composed piece on a drifting grid that begins with a pickup."""
    gaps = 0.5 + 0.06 * np.sin(np.arange(59) / 4)
    beats = -0.31 + np.concatenate([[0.0], np.cumsum(gaps)])
    grid = BeatGrid(beats, np.arange(2, 60, 4), 120.0, 0.8)
    return from_score(compose(grid, 24.0, "gLO", np.random.default_rng(4)), 24, "piece")


@pytest.fixture
def hard() -> PianoRoll:
    """Repeated, touching and overlapping keys, changes of tempo and metre, a pickup."""
    tempo = np.full(24 + 96 + 72 + 84, 100.0)
    tempo[60:150], tempo[150:] = 133.0, 77.5
    return make_roll(
        {
            "piano": [(0, 12, 60), (12, 24, 60), (24, 120, 60), (30, 31, 64), (31, 32, 64), (40, 100, 67)],
            "drums": [(24 * i, 24 * i + 3, 36) for i in range(11)],
            "bass": [(24, 48, 30), (48, 72, 30), (190, 276, 31)],
        },
        len(tempo),
        tempo=tempo,
        downbeats=np.array([0, 24, 120, 192]),
        metres=(Metre(0, 1, 4), Metre(24, 4, 4), Metre(120, 3, 4), Metre(192, 7, 8)),
        programs=(8, 4, 27, 38, 81),
    )


def test_repeated_keys_are_notes_of_their_own(hard):
    assert hard.notes(1).tolist() == [
        [0, 12, 60], [12, 24, 60], [24, 120, 60], [30, 31, 64], [31, 32, 64], [40, 100, 67],
    ]  # fmt: skip


def test_midi_gives_back_notes_tempo_metres_pickup_and_programs(hard, tmp_path):
    again = read_roll(write_roll(hard, tmp_path / "a.mid"))
    # The unused tracks' programs are nowhere in a MIDI file.
    assert again.programs == (8, 4, 24, 38, 48)
    same(PianoRoll(**{**vars(hard), "programs": again.programs}), again)


def test_a_composed_piece_survives_midi(song, tmp_path):
    again = read_roll(write_roll(song, tmp_path / "a.mid"), 24, playing_track)
    last = int(np.flatnonzero(song.held.any(axis=(0, 2)))[-1]) + 1
    same(song.excerpt(0, last), again)


def test_a_song_of_pop909_survives_midi(shared, tmp_path):
    archive = shared / "pop909" / "pop909.zip"
    if not archive.is_file():
        pytest.skip("needs shared/pop909/pop909.zip beside the checkout")
    with zipfile.ZipFile(archive) as source:
        for number in ("001", "043"):
            (tmp_path / "in.mid").write_bytes(source.read(f"POP909/{number}/{number}.mid"))
            first = read_roll(tmp_path / "in.mid")
            assert sum(len(first.notes(i)) for i in range(5)) > 500
            same(first, read_roll(write_roll(first, tmp_path / "out.mid")))


def test_other_programs_hear_the_same_seconds(hard, tmp_path):
    pretty_midi = pytest.importorskip("pretty_midi")
    file = pretty_midi.PrettyMIDI(str(write_roll(hard, tmp_path / "a.mid")))
    piano = next(i for i in file.instruments if i.program == 4)
    wanted = hard.seconds()[hard.notes(1)[:, :2]]
    np.testing.assert_allclose(sorted((n.start, n.end) for n in piano.notes), wanted, atol=1e-3)
    changes = [(c.numerator, c.denominator) for c in file.time_signature_changes]
    assert changes == [(1, 4), (4, 4), (3, 4), (7, 8)]


def test_a_score_and_back(song):
    same(song, from_score(to_score(song), 24))


def test_scores_are_cut_where_the_music_ends():
    grid = BeatGrid.steady(120, 4.0)
    roll = from_score(compose(grid, 4.0, "gHO", np.random.default_rng(0)), 4)
    assert roll.steps == 32
    np.testing.assert_allclose(roll.tempo, 120.0)


def test_a_notes_end_is_rounded_on_its_own_but_keeps_a_step(hard):
    coarse = hard.resampled(4)
    assert coarse.notes(1)[:3].tolist() == [[0, 2, 60], [2, 4, 60], [4, 20, 60]]
    assert (coarse.notes(0)[:, 1] - coarse.notes(0)[:, 0] == 1).all()
    np.testing.assert_allclose(coarse.seconds()[-1], hard.seconds()[-1], atol=1e-9)
    np.testing.assert_array_equal(coarse.downbeats, [0, 4, 20, 32])


def test_an_excerpt_strikes_what_was_sounding(hard):
    cut = hard.excerpt(50, 130)
    assert [0, 70, 60] in cut.notes(1).tolist()
    assert cut.downbeats.tolist() == [0, 70]
    assert cut.metres == (Metre(0, 4, 4), Metre(70, 3, 4))


def test_instruments_are_merged_by_the_families_of_lpd():
    assert [lpd_track(p) for p in (0, 7, 8, 16, 24, 31, 32, 39, 40, 80, 95, 96, 103, 104, 111, 112, 127)] == [
        1, 1, 4, 4, 2, 2, 3, 3, 4, 4, 4, None, None, 4, 4, None, None,
    ]  # fmt: skip
    assert lpd_track(35, True) == 0


def test_two_hundred_tracks_become_five():
    file = MidiFile(480)
    for number in range(200):
        instrument = Instrument(number, number % 128, number % 7 == 0)
        file.notes[instrument] = [(480 * i, 480 * i + 240, 40 + number % 50, 90) for i in range(4)]
    roll = roll_from_file(file, 24)
    assert roll.held.shape == (5, 84, 128)
    assert all(roll.held[i].any() for i in range(5))


def test_metres_that_cannot_be_are_taken_from_the_bar_lines(hard, tmp_path):
    content = dict(np.load(save_npz(hard, tmp_path / "a.npz")))
    info = content.pop("info.json")
    for metres in ([[0, 10**9, 4]], [[5, 4, 4]], [[0, 4, 3]], [[0, 4, 4], [0, 3, 4]]):
        np.savez(tmp_path / "b.npz", **(content | {"metres": np.array(metres)}))
        with zipfile.ZipFile(tmp_path / "b.npz", "a") as archive:
            archive.writestr("info.json", info)
        assert load_npz(tmp_path / "b.npz").metres[1:3] == (Metre(24, 4, 4), Metre(120, 3, 4))


def test_overlapping_notes_of_a_key_are_held_together_and_struck_apart():
    held, onsets = fill([np.zeros((0, 3), int), np.array([[0, 10, 60], [4, 8, 60], [-3, 2, 61], [9, 99, 62]])], 12)
    assert held[1, :, 60].tolist() == [True] * 10 + [False] * 2
    assert onsets[1].nonzero()[0].tolist() == [0, 0, 4, 9]
    assert held[1, 9:, 62].all()


def test_one_note_of_an_hour_is_refused_in_one_line():
    file = MidiFile(480, notes={Instrument(0, 0, False): [(0, 480 * 120 * 60, 60, 90)]})
    with pytest.raises(D2MError, match="at most 100000 fit"):
        roll_from_file(file, 24)


@pytest.mark.parametrize("content", [b"", b"MThd\0\0\0\6\0\1\0\1\1\xe0", b"RIFF....WAVEfmt "])
def test_what_is_no_music_is_one_clear_line(content, tmp_path):
    path = tmp_path / "x.mid"
    path.write_bytes(content)
    with pytest.raises(D2MError, match=r"x\.mid") as error:
        read_roll(path)
    assert "\n" not in str(error.value)


# Files in the layout of the Lakh Pianoroll Dataset


def test_a_file_gives_back_the_roll(hard, tmp_path):
    same(hard, load_npz(save_npz(hard, tmp_path / "a.npz")))


def test_pypianoroll_reads_our_files_and_we_its(hard, tmp_path):
    pypianoroll = pytest.importorskip("pypianoroll")
    theirs = pypianoroll.load(save_npz(hard, tmp_path / "a.npz"))
    theirs.validate()
    assert [t.name for t in theirs.tracks] == [name.capitalize() for name in TRACKS]
    assert theirs.resolution == 24
    # The step of silence before a repeated key, as LPD has it.
    assert theirs.tracks[1].pianoroll[[10, 11, 12], 60].tolist() == [True, False, True]
    to_multitrack(hard).validate().write(tmp_path / "b.mid")
    pypianoroll.save(tmp_path / "b.npz", theirs)
    back = load_npz(tmp_path / "b.npz")
    # A note of one step has none to give up, so it is joined to the next.
    lost = set(zip(*(hard.onsets.nonzero()), strict=True)) - set(zip(*(back.onsets.nonzero()), strict=True))
    assert lost == {(1, 31, 64)}
    np.testing.assert_array_equal(back.held, from_multitrack(to_multitrack(hard)).held)
    np.testing.assert_allclose(back.tempo, hard.tempo)


def lpd_file(path: Path, tracks: list[tuple[int, bool, np.ndarray]], **members: np.ndarray) -> Path:
    """A file as pypianoroll 0.3.0 wrote LPD's."""
    from scipy.sparse import csc_matrix

    info = {"beat_resolution": 24, "name": "abc"}
    arrays = {"tempo": np.full(192, 90.0), **members}
    for i, (program, is_drum, matrix) in enumerate(tracks):
        info[str(i)] = {"program": program, "is_drum": is_drum, "name": "x"}
        sparse = csc_matrix(matrix)
        for name in ("data", "indices", "indptr"):
            arrays.setdefault(f"pianoroll_{i}_csc_{name}", getattr(sparse, name))
        arrays.setdefault(f"pianoroll_{i}_csc_shape", np.array(sparse.shape))
    np.savez_compressed(path, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("info.json", json.dumps(info))
    return path


def velocities(*notes: tuple[int, int, int]) -> np.ndarray:
    matrix = np.zeros((192, 128), np.uint8)
    for start, stop, key in notes:
        matrix[start:stop, key] = 80
    return matrix


def test_tracks_of_lpd_are_merged(tmp_path):
    empty = np.zeros((0, 128), np.uint8)
    tracks = [
        (0, True, velocities((0, 3, 36))), (40, False, velocities((0, 24, 70))), (73, False, velocities((12, 40, 70))),
        (118, False, velocities((0, 9, 50))), (24, False, empty), (0, False, velocities((4, 9, 60))),
    ]  # fmt: skip
    roll = load_npz(lpd_file(tmp_path / "a.npz", tracks))
    assert roll.notes(4).tolist() == [[0, 12, 70], [12, 40, 70]]
    assert [len(roll.notes(i)) for i in range(5)] == [1, 1, 0, 0, 2]
    assert roll.programs[4] in (40, 73)
    assert roll.downbeats.tolist() == [0, 96]
    np.testing.assert_allclose(roll.tempo, 90.0)


def forged_header() -> bytes:
    """An array that says it has a billion numbers and has three."""
    data = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        data, {"descr": "<i4", "fortran_order": False, "shape": (1_000_000_000,)}
    )  # fmt: skip
    return data.getvalue() + b"\0" * 12


def test_damaged_and_malicious_files_are_one_clear_line(tmp_path):
    good = (0, False, velocities((0, 24, 60)))
    bad = [
        lpd_file(tmp_path / "rows.npz", [good], pianoroll_0_csc_indices=np.full(24, 10**6)),
        lpd_file(tmp_path / "negative.npz", [good], pianoroll_0_csc_indices=np.full(24, -5)),
        lpd_file(tmp_path / "columns.npz", [good], pianoroll_0_csc_indptr=np.arange(5)),
        lpd_file(tmp_path / "shape.npz", [good], pianoroll_0_csc_shape=np.array([10**12, 128])),
        lpd_file(tmp_path / "silent.npz", [(0, False, velocities())]),
        lpd_file(tmp_path / "effects.npz", [(120, False, velocities((0, 24, 60)))]),
    ]
    np.savez(tmp_path / "pickle.npz", tempo=np.array([print], dtype=object))
    with zipfile.ZipFile(tmp_path / "forged.npz", "w") as archive:
        archive.writestr("info.json", json.dumps({"resolution": 24, "0": {"program": 0}}))
        archive.writestr("pianoroll_0_csc_shape.npy", forged_header())
    (tmp_path / "none.npz").write_bytes(b"PK nothing")
    with zipfile.ZipFile(tmp_path / "info.npz", "w") as archive:
        archive.writestr("info.json", "[" * 50_000)
    names = ("pickle", "forged", "none", "info", "missing")
    for path in [*bad, *(tmp_path / f"{name}.npz" for name in names)]:
        with pytest.raises(D2MError, match=path.name) as error:
            load_npz(path)
        assert "\n" not in str(error.value)


def test_sparse_parts_of_different_lengths_are_damaged(tmp_path):
    good = (0, False, velocities((0, 24, 60)))
    more_values = lpd_file(tmp_path / "values.npz", [good], pianoroll_0_csc_data=np.full(30, 90, np.uint8))
    more_of_both = lpd_file(
        tmp_path / "both.npz",
        [good],
        pianoroll_0_csc_data=np.full(30, 90, np.uint8),
        pianoroll_0_csc_indices=np.arange(30) % 24,
    )
    for path in (more_values, more_of_both):
        with pytest.raises(D2MError, match="pianoroll_0 is damaged"):
            load_npz(path)


# Tensors


def test_tensors_have_the_shapes_of_the_paper_and_the_tutorial(hard):
    roll = make_roll({"piano": [(0, 384, 24), (0, 384, 107), (0, 384, 108), (0, 384, 23)]}, 384)
    held, onsets = to_tensor(roll, PAPER, 0)
    assert held.shape == onsets.shape == (4, 96, 84, 5)
    assert held[..., 1].any(axis=(0, 1)).nonzero()[0].tolist() == [0, 83]
    assert to_tensor(roll.resampled(4), COMPACT, 0)[0].shape == (4, 16, 72, 5)
    with pytest.raises(ValueError, match="4/4"):
        to_tensor(hard, PAPER, 1)


def test_a_tensor_and_back():
    rng = np.random.default_rng(3)
    tensor = rng.random((3, 4, 16, 72, 5)) < 0.05
    roll = from_tensor(tensor, COMPACT, 96.0)
    assert roll.seconds()[-1] == pytest.approx(3 * 16 * 60 / 96)
    again = np.stack([to_tensor(roll, COMPACT, i)[0] for i in (0, 4, 8)])
    np.testing.assert_array_equal(again, tensor)
    # At this resolution each step of a drum is a stroke; other tracks sound on.
    assert len(roll.notes(0)) == tensor[..., 0].sum()
    assert len(roll.notes(1)) < tensor[..., 1].sum()


def test_repeated_notes_survive_in_a_binary_tensor():
    eighths = [(2 * i, 2 * i + 2, 40) for i in range(8)]
    sixteenths = [(i, i + 1, 50) for i in range(8)]
    roll = make_roll({"bass": eighths, "piano": sixteenths}, 16, 4)
    held, onsets = to_tensor(roll, COMPACT, 0, 1)
    flat = articulate(held.reshape(1, 16, 72, 5), onsets.reshape(1, 16, 72, 5))[0]
    assert flat[:, 40 - 24, 3].tolist() == [True, False] * 7 + [True, True]
    # Notes of one step have none to give up.
    assert flat[:8, 50 - 24, 1].all()


def test_onsets_fit_what_is_held():
    held = np.array([0, 1, 1, 0, 1], bool).reshape(1, 5, 1)
    onsets = np.array([1, 0, 1, 1, 0], bool).reshape(1, 5, 1)
    assert struck(held, onsets).ravel().tolist() == [False, True, True, False, True]


@pytest.mark.slow
def test_a_picture_shows_every_track(hard, tmp_path):
    import matplotlib.image

    picture = matplotlib.image.imread(draw(hard, tmp_path / "a.png"))
    assert picture.shape[0] > 250
    assert picture.shape[1] > 800
    colours = {tuple(np.round(c * 255).astype(int)) for c in picture[::2, ::2, :3].reshape(-1, 3)}
    assert {(77, 77, 77), (0, 114, 178), (213, 94, 0)} <= colours


@pytest.mark.slow
def test_pictures_of_long_music_are_as_wide_as_a_screen(tmp_path):
    import matplotlib.image

    sizes = []
    for bars in (20, 100, 700):
        tensor = np.zeros((bars, 16, 72, 5), bool)
        tensor[:, ::4, [20, 24, 27, 44], 1:] = True
        tensor[:, ::2, 18, 0] = True
        sizes.append(matplotlib.image.imread(draw(from_tensor(tensor, COMPACT), tmp_path / "a.png")).shape[:2])
    assert all(width <= 1600 for _, width in sizes)
    # More rows of bars: the scale, and so the size of letters against the width, stays.
    assert sizes[0][0] < sizes[1][0] / 3
    assert all(height < 20_000 for height, _ in sizes)


@pytest.mark.parametrize("title", ["two$\\frac{$", "bad\udcffname", "a\nb\x1b[31m", "노래 $x^2$"])
def test_any_name_of_a_file_may_stand_over_a_picture(hard, tmp_path, title):
    assert draw(hard, tmp_path / "roll.png", title=title).stat().st_size > 5000


def test_korean_names_are_drawn_in_a_font_that_has_korean_where_there_is_one():
    assert fonts({"Arial", "NanumGothic", "Noto Sans CJK JP"}) == ["DejaVu Sans", "Noto Sans CJK JP", "NanumGothic"]
    assert fonts(set()) == ["DejaVu Sans"]


def test_bar_lines_that_pypianoroll_leaves_out_are_put_in(tmp_path):
    import pypianoroll

    write_roll(from_tensor(np.ones((4, 16, 72, 5), bool), COMPACT, 100.0), tmp_path / "song.mid")
    theirs = pypianoroll.read(str(tmp_path / "song.mid"), resolution=4)
    assert theirs.downbeat.sum() == 1
    theirs.save(str(tmp_path / "song.npz"))
    assert load_npz(tmp_path / "song.npz").downbeats[:4].tolist() == [0, 16, 32, 48]
    assert from_multitrack(theirs).downbeats[:4].tolist() == [0, 16, 32, 48]
