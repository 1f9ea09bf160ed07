"""Songs become phrases: structure, sources, rules, shards, batches."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from d2m.datasets.lpd import Metadata, Rules, SongFile, cleanse, read_metadata, song_files
from d2m.datasets.phrase_sources import songs_of
from d2m.datasets.phrases import Phrases, load_phrases, shifted
from d2m.datasets.phrases_make import Settings, off_grid, prepare, song_phrases
from d2m.datasets.pop909_band import band_score
from d2m.errors import D2MError
from d2m.symbolic.metrics import Tally, count_roll
from d2m.symbolic.phrases import boundaries, novelty, peaks, phrase_starts
from d2m.symbolic.pianoroll import Metre, PianoRoll, fill, from_score
from d2m.symbolic.pianoroll_file import save_npz
from d2m.symbolic.pianoroll_midi import write_roll
from d2m.symbolic.pianoroll_tensor import COMPACT, PAPER

BAR = 96
SECTIONS = {
    "A": ((0, 4, 7), (9, 0, 4), (5, 9, 0), (7, 11, 2)),
    "B": ((2, 5, 9), (10, 2, 5), (3, 7, 10), (8, 0, 3)),
    "C": ((4, 8, 11), (1, 4, 8), (6, 9, 1), (11, 3, 6)),
}


def piece(form: str, bars: int = 8, steps: int = BAR, seed: int = 0) -> PianoRoll:
    """Sections of ``bars`` bars of chords, bass, drums and a melody of its own, in the order of ``form``."""
    notes: list[list[tuple[int, int, int]]] = [[] for _ in range(5)]
    for place, letter in enumerate(form):
        rng = np.random.default_rng([seed, ord(letter)])
        tune = rng.integers(0, 3, (bars, 8))
        for bar in range(bars):
            at = (place * bars + bar) * steps
            chord = SECTIONS[letter][bar % 4]
            for tone in chord:
                notes[1].append((at, at + steps, 48 + tone))
            for beat in range(4):
                notes[3].append((at + beat * 24, at + beat * 24 + 20, 36 + chord[0]))
                notes[0].append((at + beat * 24, at + beat * 24 + 2, 36 if beat % 2 == 0 else 38))
            for eighth in range(8):
                tone = chord[tune[bar, eighth]]
                notes[4].append((at + eighth * 12, at + eighth * 12 + 12, 72 + tone))
    total = len(form) * bars * steps
    held, onsets = fill([np.array(n).reshape(-1, 3) for n in notes], total)
    lines = np.arange(0, total, steps)
    return PianoRoll(held, onsets, 24, np.full(total, 110.0), lines, (Metre(0, 4, 4),), name=form)


# Structure


def test_sections_are_found_where_they_begin():
    for form, true in (("ABAC", {0, 8, 16, 24}), ("AABCBA", {0, 16, 24, 32, 40})):
        found = set(boundaries(piece(form)).tolist())
        assert true <= found
        # Half a section is a phrase as well; the last bar may seem to be new, since nothing follows.
        assert all(bar % 4 == 0 for bar in found if bar < 8 * len(form) - 1)


def test_phrases_begin_with_their_section():
    # Seven bars are a phrase and three bars, which take the fourth from the next section.
    assert phrase_starts(piece("AB", 7)).tolist() == [0, 4, 7]


def test_no_phrase_holds_a_bar_of_another_metre():
    roll = piece("AB", 8)
    lines = np.delete(roll.downbeats, 6)  # one bar twice as long
    roll = PianoRoll(roll.held, roll.onsets, 24, roll.tempo, lines, roll.metres)
    lengths = roll.bar_lengths
    starts = phrase_starts(roll)
    assert all((lengths[s : s + 4] == BAR).all() for s in starts)
    assert 0 in starts


def test_silence_and_sameness_have_no_boundaries():
    assert not len(peaks(novelty(np.zeros((40, 20)))))
    same = np.tile(np.eye(20)[:4], (16, 1))
    assert not len(peaks(novelty(same))[4:])


def test_the_studios_own_sections_are_found_better_than_by_chance():
    from d2m.datasets.studio.music import song_grid, song_shape
    from d2m.symbolic.composer import compose
    from d2m.symbolic.composer.form import plan

    hits, wanted, chance = 0, 0, 0.0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        genre = ("gLO", "gHO", "gMH")[seed % 3]
        grid = song_grid(genre, 80.0, rng)
        energy, accents = song_shape(grid, rng)
        state = rng.bit_generator.state
        form = plan(grid, 80.0, rng, energy, accents)
        rng.bit_generator.state = state
        roll = from_score(compose(grid, 80.0, genre, rng, energy=energy, accents=accents), 4)
        true = [i for i, bar in enumerate(form.bars) if bar.place == 0 and i]
        found = boundaries(roll)[1:]
        hits += len(set(found.tolist()) & set(true))
        wanted += len(true)
        chance += len(found) * len(true) / len(form.bars)
    assert hits > 2 * chance
    assert hits > 0.5 * wanted


# Sources and rules


def test_lpd_is_cleansed_by_the_rules_of_its_page():
    msd = [f"TR{c * 16}" for c in "ABCD"]
    names = [f"{i:032x}" for i in range(7)]
    owner = (0, 0, 1, 2, 3, 3, 3)
    files = [SongFile(Path(f"{n}.npz"), n, msd[o]) for n, o in zip(names, owner, strict=True)]
    fine = {"first_beat_time": 0.0, "num_time_signature_change": 1, "constant_time_signature": "4/4"}
    info = {n: dict(fine) for n in names}
    info[names[2]]["constant_time_signature"] = "3/4"
    info[names[3]]["first_beat_time"] = 0.7
    info[names[4]] |= {"constant_time_signature": None, "num_time_signature_change": 3}
    scores = {msd[0]: {names[0]: 0.4, names[1]: 0.9}, msd[3]: {names[5]: 0.3, names[6]: 0.2}}
    kept, left_out = cleanse(files, Metadata(info, scores), Rules())
    assert [f.name for f in kept] == [names[1], names[5]]
    assert left_out == {
        "another file matches better": 2, "not in 4/4": 1, "first beat after time 0": 1, "metre changes": 1,
    }  # fmt: skip
    rock = Metadata(info, scores, rock=frozenset(msd[:1]))
    assert [f.name for f in cleanse(files, rock, Rules(least_confidence=0.5))[0]] == [names[1]]
    assert len(cleanse(files, rock, Rules(rock=False))[0]) == 2


def lpd_folder(root: Path) -> Path:
    """A tiny LPD-5-cleansed with its metadata beside it."""
    rows, rock = [], []
    for number, form in enumerate(("ABAC", "BABC", "CBAB", "ACAC")):
        md5, msd = f"{number + 10:032x}", f"TRABC{number:013d}"
        folder = root / "lpd_5_cleansed" / "A" / "B" / "C" / msd
        folder.mkdir(parents=True)
        save_npz(piece(form, 4, seed=number), folder / f"{md5}.npz")
        rows.append(f"{md5}    {msd}")
        rock += [msd] if number != 2 else []
    (root / "lpd_5_cleansed" / "A" / "broken.npz").write_bytes(b"PK no")
    (root / "cleansed_ids.txt").write_text("\n".join(rows) + "\n")
    (root / "id_list_rock.txt").write_text("\n".join([*rock, ""]))
    return root / "lpd_5_cleansed"


def test_lpd_on_disk_is_read_with_what_lies_beside_it(tmp_path):
    root = lpd_folder(tmp_path)
    known = read_metadata(root)
    assert len(known.cleansed) == 4
    assert len(known.rock) == 3
    files = list(song_files(root))
    assert [f.msd_id for f in files] == [None, *(f"TRABC{i:013d}" for i in range(4))]
    _, songs, left_out = songs_of(str(root), Rules())
    assert len(songs) == 3
    assert left_out == {"no rock tag": 1, "not among the cleansed": 1}
    (tmp_path / "cleansed_ids.txt").write_text("what\n")
    with pytest.raises(D2MError, match=r"cleansed_ids\.txt"):
        read_metadata(root)


def test_versions_of_a_song_are_in_one_split(tmp_path):
    root = lpd_folder(tmp_path)
    (tmp_path / "cleansed_ids.txt").unlink()
    folder = next(root.glob("A/B/C/*"))
    for name in range(8):
        save_npz(piece("AB", 4), folder / f"{name:032x}.npz")
    _, songs, _ = songs_of(str(root), Rules(rock=False))
    assert len({song.held_out for song in songs if folder.name in song.place}) == 1


@pytest.mark.parametrize("source", ["nowhere", "studio:none", "studio:0", "studio:"])
def test_a_source_that_is_none_is_named(source):
    with pytest.raises(D2MError, match=source):
        songs_of(source, Rules())


@pytest.fixture(scope="module")
def pop(shared, tmp_path_factory) -> Path:
    archive = shared / "pop909" / "pop909.zip"
    if not archive.is_file():
        pytest.skip("needs shared/pop909/pop909.zip beside the checkout")
    folder = tmp_path_factory.mktemp("pop")
    with zipfile.ZipFile(archive) as source:
        wanted = ("/003/", "/005/", "/010/")
        source.extractall(folder, [n for n in source.namelist() if any(w in n for w in wanted)])
    return folder / "POP909"


def test_a_band_fits_the_song(pop):
    tally = Tally(16)
    for number in ("003", "005", "010"):
        score = band_score(pop / number, np.random.default_rng(int(number)))
        assert {"drums", "bass", "piano", "strings"} <= {part.track for part in score.parts}
        count_roll(from_score(score), tally)
    found = tally.metrics()
    # The written bass and guitar are in the song's own harmony, the bass below and one note at a time.
    assert found.in_scale["bass"] > 93
    assert found.keys_at_once["bass"] < 1.05
    assert found.highest["bass"] <= 55
    assert max(found.tonal_distance.values()) < 1.5
    assert found.drum_pattern > 70
    assert found.empty_bars["drums"] < 10


def test_the_same_seed_gives_the_same_band(pop):
    a, b = (from_score(band_score(pop / "005", np.random.default_rng(7))) for _ in range(2))
    np.testing.assert_array_equal(a.onsets, b.onsets)


# Making phrases


def test_phrases_leave_out_repetitions_and_thin_music():
    settings = Settings()
    found = song_phrases(piece("ABAB", 8), COMPACT, settings)
    assert [first for first, *_ in found] == [0, 4, 8, 12]
    assert song_phrases(piece("ABAB", 8), COMPACT, Settings(least_tracks=5)) == "too few tracks play"
    assert song_phrases(piece("A", 3), PAPER, settings) == "no four bars in 4/4"


def test_triplets_do_not_fit_sixteen_steps():
    roll = piece("A", 4)
    assert off_grid(roll, COMPACT) == 0
    triplets = np.zeros_like(roll.onsets)
    triplets[1, ::8, 60] = True
    swung = PianoRoll(triplets, triplets, 24, roll.tempo, roll.downbeats, roll.metres)
    assert off_grid(swung, COMPACT) == pytest.approx(2 / 3, abs=0.01)
    assert off_grid(swung, PAPER) == 0
    assert song_phrases(swung, COMPACT, Settings()) == "does not fit the grid"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("made")
    source = lpd_folder(root)
    (root / "cleansed_ids.txt").unlink()
    write_roll(piece("ABCA", 4, seed=9), source / "one.mid")
    (source / "two.mid").write_bytes(b"MThd nonsense")
    from d2m.datasets.lpd import Rules

    report = prepare(["studio:12", str(source)], root / "out", rules=Rules(rock=False))
    assert report.skipped["cannot be read"] == 2
    return root / "out"


def test_songs_are_split_and_counted(made):
    report = json.loads((made / "made.json").read_text())
    train, held = Phrases(made), Phrases(made, "held_out")
    assert report["phrases"] == {"train": len(train), "held_out": len(held)}
    songs = [{p.names[i] for i in np.unique(p.song)} for p in (train, held)]
    assert not songs[0] & songs[1]
    assert len(train) > 50
    assert train[0].shape == (4, 16, 72, 5)
    assert train[0].dtype == bool
    assert (train.tempo > 40).all()


@pytest.mark.slow
def test_what_is_finished_is_not_made_again(made):
    shard = next((made / "train").glob("studio-*.npz"))
    record = made / "parts" / f"{shard.stem}.json"
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.npz")}
    record.unlink()
    content = load_phrases(shard)
    calls = []
    prepare(["studio:12"], made, progress=lambda done, total: calls.append((done, total)))
    after = {path: path.stat().st_mtime_ns for path in made.rglob("*.npz")}
    changed = {path.stem for path in before if before[path] != after[path]}
    assert changed == {shard.stem}
    assert calls == [(1, 1)]
    np.testing.assert_array_equal(load_phrases(shard).held, content.held)


@pytest.mark.slow
def test_several_processes_make_the_same(made, tmp_path):
    prepare(["studio:12"], tmp_path / "out", processes=2)
    for split in ("train", "held_out"):
        name = next((made / split).glob("studio-*.npz")).name
        ours, theirs = load_phrases(tmp_path / "out" / split / name), load_phrases(made / split / name)
        np.testing.assert_array_equal(ours.held, theirs.held)
        np.testing.assert_array_equal(ours.onsets, theirs.onsets)


def test_other_settings_need_another_folder(made):
    with pytest.raises(D2MError, match="other settings"):
        prepare(["studio:12"], made, Settings(seed=1))


# Training on them


def test_batches_are_drawn_from_the_seed(made):
    phrases = Phrases(made)
    a, b = (phrases.batch(np.random.default_rng(3), 16, transpose=True) for _ in range(2))
    assert a.shape == (16, 4, 16, 72, 5)
    assert a.dtype == np.float32
    assert set(np.unique(a)) == {0.0, 1.0}
    np.testing.assert_array_equal(a, b)


def test_transposition_moves_all_but_the_drums_and_loses_no_note(made):
    phrases = Phrases(made)
    plain = phrases.batch(np.random.default_rng(5), 64)
    moved = phrases.batch(np.random.default_rng(5), 64, transpose=True)
    np.testing.assert_array_equal(plain[..., 0], moved[..., 0])
    np.testing.assert_array_equal(plain[..., 1:].sum(axis=(1, 2, 3)), moved[..., 1:].sum(axis=(1, 2, 3)))
    middles = [np.argmax(x[..., 1:].sum(axis=(1, 2, 4)) > 0, axis=1) for x in (plain, moved)]
    assert len(np.unique(middles[1] - middles[0])) > 5
    up = shifted(plain.astype(bool), np.full(64, 2))
    np.testing.assert_array_equal(up[:, :, :, 2:, 1:], plain[:, :, :, :-2, 1:] > 0)


def test_repeated_notes_are_set_off_unless_one_wants_them_joined(made):
    apart, joined = Phrases(made), Phrases(made, articulated=False)
    index = np.arange(len(apart))
    a, b = apart[index], joined[index]
    assert not (a & ~b).any()
    assert (b & ~a)[..., 3].any()
    np.testing.assert_array_equal(a[..., 0], b[..., 0])


def test_a_thousand_phrases_a_second(made):
    import time

    phrases, rng = Phrases(made), np.random.default_rng(0)
    phrases.batch(rng, 64, transpose=True)
    start = time.process_time()
    for _ in range(8):
        phrases.batch(rng, 64, transpose=True)
    assert 512 / (time.process_time() - start) > 1000


def test_damaged_shards_are_one_clear_line(made, tmp_path):
    (tmp_path / "train").mkdir()
    path = tmp_path / "train" / "x.npz"
    good = dict(np.load(next((made / "train").glob("studio-*.npz"))))
    for change in ({"held": good["held"][:, :10]}, {"song": good["song"][:2]}, {"shape": np.array([4, 9, 72, 5])}):
        np.savez(path, **(good | change))
        with pytest.raises(D2MError, match=r"x\.npz"):
            Phrases(tmp_path)
    path.write_bytes(b"PK")
    with pytest.raises(D2MError, match=r"x\.npz"):
        Phrases(tmp_path)
    with pytest.raises(D2MError, match="prepare"):
        Phrases(tmp_path, "held_out")


# The command line


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "d2m.cli.main", *words], capture_output=True, text=True)


@pytest.mark.slow
def test_render_metrics_and_pictures_from_the_command_line(tmp_path, capsys):
    import wave

    from d2m.cli.main import main

    write_roll(piece("A", 2), tmp_path / "a.mid")
    assert main(["symbolic", "render", str(tmp_path / "a.mid"), "-o", str(tmp_path / "b.wav"), "--png"]) == 0
    with wave.open(str(tmp_path / "b.wav")) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (2, 44100)
        data = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)
    assert len(data) / 44100 == pytest.approx(8 * 60 / 110 + 2, abs=0.05)
    assert 3000 < np.abs(data.astype(int)).max() < 32000
    assert np.abs(data[:, 0].astype(int) - data[:, 1]).max() > 100
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert main(["symbolic", "metrics", str(tmp_path / "a.mid"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bars"] == 2
    assert found["used_pitch_classes"]["piano"] == 3
    assert found["drum_pattern"] == 100
    assert main(["evaluate", "symbolic", str(tmp_path / "a.mid"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["render", "no.mid"], "no.mid"),
        (["render", "bad.mid"], "bad.mid"),
        (["render", "empty.mid"], "no notes"),
        (["metrics", "waltz.mid"], "no bars in 4/4"),
        (["metrics", "bad.npz"], "bad.npz"),
        (["metrics", "."], "none of the"),
        (["prepare", "nowhere", "-o", "out"], "nowhere"),
        (["prepare", "studio:1", "-o", "out", "--resolution", "fine"], "unknown resolution"),
    ],
)
def test_bad_input_is_one_line_and_status_1(words, said, tmp_path, monkeypatch, capsys):
    from d2m.cli.main import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.mid").write_bytes(b"MThd nonsense")
    (tmp_path / "bad.npz").write_bytes(b"PK nonsense")
    (tmp_path / "empty.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\4\0\xff\x2f\0")
    roll = piece("A", 2)
    waltz = PianoRoll(roll.held, roll.onsets, 24, roll.tempo, np.arange(0, 192, 72), (Metre(0, 3, 4),))
    write_roll(waltz, tmp_path / "waltz.mid")
    if words == ["metrics", "."]:
        (tmp_path / "waltz.mid").unlink()
    assert main(["symbolic", *words]) == 1
    said_on_stderr = capsys.readouterr().err.strip()
    assert said in said_on_stderr
    assert len(said_on_stderr.splitlines()) == 1
