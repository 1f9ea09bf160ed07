"""A genre that another package adds with a data file."""

from __future__ import annotations

import numpy as np
import pytest
from other_packages import install

from d2m.audio.presets import characters, preset
from d2m.cli.main import main
from d2m.engines.vq import VqEngine
from d2m.errors import D2MError
from d2m.features.octave import octave_of, tempos_of
from d2m.generator.temporal import TemporalConfig, TemporalGenerator
from d2m.genres import GENRES, Genre, added_genre, genre_code, genre_names
from d2m.sounds.patches import genre_sound
from d2m.symbolic.composer import compose, typical_tempo
from d2m.symbolic.composer.arrange import STYLES, style_of
from d2m.symbolic.composer.production import taste_of
from d2m.symbolic.midi_write import write_midi
from d2m.types import BeatGrid, Dance

TABLE = """
name = "salsa"
like = "gWA"
tempos = [150.0, 220.0]

[style]
tonics = [0]
swing = [0.5, 0.5]

[[style.songs]]
scale = "minor"
verse = "1:m7 | 5:7 | 5:7 | 1:m7"
chorus = "1:m7 | 4:m7 | 5:7 | 1:m7"
bridge = "b6:maj7 | 5:7"
home = "1:m7"
cadence = "5:7"

[[style.grooves]]
kick = "X.....X...X....."
snare = "....x.......x..."
hats = "x.x.x.x.x.x.x.x."
bass = ["...R....5.......", "R.....5...R....."]
extras = { 56 = "x...x...x...x..." }

[sounds]
bass = { "bass.upright" = 1 }

[production]
pause = 0.0

[mix.strips.bass]
gain = 3.0
"""
MODULE = """
from pathlib import Path

from d2m.genres import Genre

SALSA = Genre.read(Path(__file__).with_name("salsa.toml"))
OTHER = SALSA
"""


@pytest.fixture
def salsa(tmp_path, monkeypatch) -> None:
    install(
        tmp_path / "site", monkeypatch, "salsa_genre", MODULE,
        "[d2m.genres]\nsalsa = salsa_genre:SALSA\nother = salsa_genre:OTHER\n",
    )  # fmt: skip
    (tmp_path / "site" / "salsa.toml").write_text(TABLE, encoding="utf-8")


def test_an_added_genre_has_its_own_values_and_those_of_the_genre_that_it_is_like(salsa):
    assert genre_code("Salsa") == "salsa"
    assert genre_names()[-2:] == ("other", "salsa")
    assert tempos_of("salsa") == (150.0, 220.0)
    assert typical_tempo("salsa") == (150, 220)
    assert (octave_of(90.0, "salsa"), octave_of(90.0, "gWA")) == (2.0, 1.0)
    style = style_of("salsa")
    assert style.grooves[0].extras == {56: "x...x...x...x..."}
    assert style.layers == STYLES["gWA"].layers
    assert genre_sound("salsa").weights["bass"] == {"bass.upright": 1}
    assert genre_sound("salsa").weights["drums"] == genre_sound("gWA").weights["drums"]
    assert (taste_of("salsa").pause, taste_of("salsa").strength) == (0.0, taste_of("gWA").strength)
    assert preset("salsa").strips["bass"].gain == 3.0
    assert preset("salsa").strips["keys"] == preset("gWA").strips["keys"]
    assert characters("salsa") == characters("gWA")
    assert len(GENRES) == 10


def test_music_of_an_added_genre_is_composed_and_played_without_a_genre_for_the_network(salsa):
    grid = BeatGrid.steady(180.0, 8.0)
    score = compose(grid, 8.0, "salsa", np.random.default_rng(1))
    assert score.genre == "salsa"
    (bass,) = (part for part in score.parts if part.track == "bass")
    assert bass.patch == "bass.upright"
    dance = Dance(2.0, None, BeatGrid.steady(180, 2.0), np.full(7, 0.5, np.float32), np.zeros(7, np.float32), "salsa")
    from d2m import codec

    generator = TemporalGenerator(
        TemporalConfig(codec.load().feature_size, channels=16, blocks=1, part_channels=8, part_blocks=1)
    )
    engine = VqEngine(codec.load(), generator.eval(), ())
    assert engine._conditions(dance, score, 0, 0, 20).genre is None


@pytest.mark.slow
def test_generate_makes_a_soundtrack_in_it(salsa, clip, tmp_path):
    import d2m

    made = d2m.generate(clip(tmp_path / "v.mp4", duration=3.0), tmp_path / "out", genre="salsa", write_video=False)
    assert made.soundtrack.score is not None
    assert made.soundtrack.score.genre == "salsa"


@pytest.mark.slow
def test_it_can_be_asked_for_and_unknown_ones_are_told(salsa, tmp_path, capsys):
    score = compose(BeatGrid.steady(180.0, 4.0), 4.0, "salsa", np.random.default_rng(1))
    write_midi(score, tmp_path / "a.mid")
    assert main(["symbolic", "render", str(tmp_path / "a.mid"), "-o", str(tmp_path / "a.wav"), "--genre", "salsa"]) == 0
    assert main(["symbolic", "render", str(tmp_path / "a.mid"), "-o", str(tmp_path / "a.wav"), "--genre", "polka"]) == 1
    assert "unknown genre 'polka'; choose one of break, " in capsys.readouterr().err
    assert main(["evaluate", "genre", str(tmp_path / "a.wav"), "--genre", "salsa"]) == 1
    assert "genre networks know the genres of AIST only, not 'salsa'" in capsys.readouterr().err


def use(path):
    """Read a genre and everything that is made of its tables."""
    Genre.read(path)
    for part in (style_of, taste_of, genre_sound):
        part("salsa")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('like = "gWA"', 'like = "gXX"', "is like 'gXX'; it must be one of gBR"),
        ('name = "salsa"', 'name = "house"', "'house' cannot be the name of a genre"),
        ("tempos = [150.0, 220.0]", "tempos = [150.0]", "'tempos' are two numbers"),
        ("[production]", "[colour]", "a genre has no 'colour'"),
        ("tonics = [0]", "tonic = [0]", "has no field 'tonic'"),
        ('hats = "x.x.x.x.x.x.x.x."', 'hats = "x.x."', "16 steps a bar"),
        ('kick = "X.....X...X....."', 'boom = "X"', "unexpected keyword argument 'boom'"),
        ('verse = "1:m7 | 5:7 | 5:7 | 1:m7"', 'verse = "1:m777"', "unknown chord quality"),
        ('scale = "minor"', 'scale = "blue"', "no scale 'blue'"),
        ('"bass.upright"', '"bass.none"', "no patch 'bass.none'"),
        ("pause = 0.0", "rest = 0.0", "unknown field"),
        ("name =", "name", "cannot read the genre in"),
    ],
)
def test_a_file_that_is_wrong_is_told_in_one_line(tmp_path, monkeypatch, old, new, message):
    assert old in TABLE
    install(tmp_path / "site", monkeypatch, "salsa_genre", MODULE, "[d2m.genres]\nsalsa = salsa_genre:SALSA\n")
    (tmp_path / "site" / "salsa.toml").write_text(TABLE.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(D2MError, match=message) as caught:
        use(tmp_path / "site" / "salsa.toml")
    assert "\n" not in str(caught.value)


def test_what_is_no_genre_of_its_name_is_told(salsa):
    assert added_genre("gWA") is added_genre("polka") is added_genre(None) is None
    with pytest.raises(D2MError, match="the genre 'other' must be a d2m.genres.Genre of that name"):
        added_genre("other")
