"""``d2m symbolic emotion`` as a user calls it, in either language, with good input and with bad."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from d2m import weights
from d2m.cli.main import main
from d2m.symbolic.emotion.actor_critic import ActorCritic, ActorCriticConfig, fingerprint
from d2m.symbolic.emotion.emotions import load_emotions
from d2m.symbolic.emotion.musicvae import HierarchicalMusicVae, MusicVaeConfig
from d2m.symbolic.melody import from_notes, to_score
from d2m.symbolic.midi import read_midi, write_midi

pytestmark = pytest.mark.slow

TUNE = from_notes(np.array([(4 * i, 4 * i + 4, 60 + (0, 4, 7, 5, 9, 2)[i % 6]) for i in range(80)]), 320)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Untrained weights of both models, as options."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    vae = HierarchicalMusicVae(MusicVaeConfig(8, 8, 1, True, 8, 12, 1))
    vae.decoder.output.weight.data.mul_(20)
    weights.save_state(folder / "vae.safetensors", vae.state_dict(), "musicvae", vae.settings())
    model = ActorCritic(ActorCriticConfig(8, 16, vae=fingerprint(vae)))
    weights.save_state(folder / "actor.safetensors", model.state_dict(), "emotion", model.settings())
    return ["--vae", str(folder / "vae.safetensors"), "--weights", str(folder / "actor.safetensors")]


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    return write_midi(to_score(TUNE, 120.0), tmp_path_factory.mktemp("songs") / "song.mid")


def run(*words) -> int:
    return main(["symbolic", "emotion", *map(str, words)])


def refusal(capsys, *words) -> str:
    capsys.readouterr()
    assert run(*words) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    return told


def test_new_melodies_in_either_language(models, tmp_path, capsys):
    out = tmp_path / "a.mid"
    words = ["--seed", 3, "-o", out, *models]
    assert run("-e", "우울함", *words, "--png", "--json") == 0
    about = json.loads(capsys.readouterr().out)
    assert about["emotion"] == "melancholic"
    assert about["melodies"][0]["files"] == [str(out), str(out.with_suffix(".png"))]
    assert out.with_suffix(".png").read_bytes()[:4] == b"\x89PNG"
    score = read_midi(out)
    assert 60 * 64 / about["melodies"][0]["seconds"] == pytest.approx(68, rel=0.01)
    assert score.grid.tempo == pytest.approx(68, abs=0.1)
    first = out.read_bytes()
    assert run("-e", "Melancholic", *words) == 0
    assert out.read_bytes() == first
    assert run("-e", "melancholic", *words, "--seed", 4) == 0
    assert out.read_bytes() != first


def test_many_melodies_are_numbered(models, tmp_path):
    assert run("-e", "bright", "--count", 3, "-o", tmp_path / "out.mid", *models, "--temperature", 1) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["out-01.mid", "out-02.mid", "out-03.mid"]
    assert len({(tmp_path / name).read_bytes() for name in names}) == 3


def test_a_song_keeps_its_length_and_its_tempo_moves_with_the_strength(models, song, tmp_path, capsys):
    seconds = []
    for strength in (0, 0.5, 1):
        out = tmp_path / f"{strength}.mid"
        assert run("-e", "gloomy", "--from", song, "--strength", strength, "-o", out, *models, "--json") == 0
        melody = json.loads(capsys.readouterr().out)["melodies"][0]
        assert melody["before"]["mean_pitch"] == pytest.approx(64.5, abs=0.1)
        seconds.append(melody["seconds"])
    assert seconds[0] == pytest.approx(40.0, abs=0.1)
    assert seconds[2] == pytest.approx(80 * 60 / 58, rel=0.01)
    assert seconds[0] < seconds[1] < seconds[2]


def test_a_sound_can_be_made_too(models, tmp_path):
    from d2m.media import read_audio

    assert run("-e", "intense", "-o", tmp_path / "a.mid", "--wav", *models) == 0
    sound = read_audio(tmp_path / "a.wav", 22050)
    assert np.abs(sound).max() > 0.05


def test_a_band_plays_along(models, song, tmp_path, capsys):
    from d2m.symbolic.musegan import COMPACT, save
    from d2m.symbolic.musegan.generator import Generator

    small = replace(COMPACT, temporal_width=16, width=8, encoder_width=4, critic_width=4, latent=16)
    for condition in (1, -1):
        torch.manual_seed(0)
        generator = Generator(replace(small, condition=condition))
        for bars in generator.bars:
            bars.semitones.linear.weight.data.mul_(60)
        save(generator, tmp_path / f"band{condition}.safetensors")
    words = ["-e", "peaceful", "--from", song, "--accompany", "-o", tmp_path / "a.mid", *models]
    assert run(*words, "--band", tmp_path / "band1.safetensors", "--json") == 0
    melody = json.loads(capsys.readouterr().out)["melodies"][0]
    assert len(melody["parts"]) > 2
    assert "piano" in melody["parts"]
    alone = tmp_path / "alone.mid"
    assert run("-e", "peaceful", "--from", song, "-o", alone, *models) == 0
    lead, other = (read_midi(path).parts[0] for path in (tmp_path / "a.mid", alone))
    np.testing.assert_array_equal(lead.pitches, other.pitches)
    np.testing.assert_allclose(lead.starts, other.starts, atol=0.01)
    told = refusal(capsys, *words, "--band", tmp_path / "band-1.safetensors")
    assert "given the piano" in told
    told = refusal(capsys, *words, "--band", "nothing")
    assert "--accompany needs" in told
    assert "'nothing'" in told


def test_bad_input_is_one_clear_line(models, song, tmp_path, capsys):
    out = ["-o", tmp_path / "a.mid", *models]
    assert "did you mean 'melancholic'" in refusal(capsys, "-e", "melanchollic", *out)
    assert "did you mean '우울함'" in refusal(capsys, "-e", "우울", *out)
    assert "between 0" in refusal(capsys, "-e", "bright", "--strength", 7, *out)
    assert "end in .mid" in refusal(capsys, "-e", "bright", *models, "-o", tmp_path / "a.wav")
    assert "--from" in refusal(capsys, "-e", "bright", "--skyline", *out)
    assert "missing.mid" in refusal(capsys, "-e", "bright", "--from", tmp_path / "missing.mid", *out)
    chords = from_notes(np.array([(0, 64, 60)]), 64)
    thick = to_score(chords)
    parts = tuple(replace(thick.parts[0], pitches=thick.parts[0].pitches + up) for up in (0, 4, 7))
    part = replace(
        parts[0], **{f: np.concatenate([getattr(p, f) for p in parts]) for f in ("starts", "ends", "pitches")}
    )
    part = replace(part, velocities=np.full(3, 90))
    write_midi(replace(thick, parts=(part,)), tmp_path / "chords.mid")
    assert "--skyline" in refusal(capsys, "-e", "bright", "--from", tmp_path / "chords.mid", *out)
    short = to_score(from_notes(np.array([(0, 2, 60), (2, 5, 62)]), 16))
    write_midi(short, tmp_path / "short.mid")
    assert "shorter than a bar" in refusal(capsys, "-e", "bright", "--from", tmp_path / "short.mid", *out)
    assert not (tmp_path / "a.mid").exists()


def test_the_help_names_all_emotions(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert run("--help") == 0
    shown = capsys.readouterr().out
    assert all(emotion.name in shown for emotion in load_emotions().emotions)
