"""d2m generate with D2M-GAN's own models: files in any order, music of the video's length, clear words for the rest."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from d2m import engines
from d2m.cli.main import main
from d2m.datasets.aist import write_motion
from d2m.engines import d2m_gan_files, kinds
from d2m.engines.d2m_gan import D2MGanEngine
from d2m.engines.d2m_gan_files import Sorted
from d2m.engines.d2m_gan_inputs import Keypoints, read_motion_file, read_visual_file
from d2m.errors import D2MError
from d2m.files.download import sha256_of
from d2m.generator.d2m_gan import D2MGAN, D2MGANConfig
from d2m.generator.d2m_gan_checkpoint import GENERATOR, Part
from d2m.jukebox import VQVAE, JukeboxCodec, VQVAEConfig
from d2m.jukebox.codec import codebook_digest
from d2m.types import BeatGrid, Dance, Motion, SmplMotion, Visual

pytestmark = pytest.mark.slow

SECONDS = 2.6


@pytest.fixture(autouse=True)
def one_thread():
    """Small models are faster on one core, and the other may be busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@torch.no_grad()
def lively(module: torch.nn.Module) -> torch.nn.Module:
    """Untrained weights that let what goes in through to what comes out; codebooks are as wide as that."""
    for name, parameter in module.named_parameters():
        if name.endswith("weight_g"):
            parameter.fill_(1)
        elif parameter.dim() > 1:
            parameter.normal_(0, parameter[0].numel() ** -0.5)
    for name, buffer in module.named_buffers():
        if name.endswith(".k"):
            buffer.normal_(0, 5)
    return module.eval().requires_grad_(False)


def smpl(seconds: float, rate: float = 60.0) -> SmplMotion:
    rng = np.random.default_rng(4)
    frames = round(seconds * rate)
    poses = np.cumsum(rng.normal(0, 0.02, (frames, 24, 3)), 0)
    return SmplMotion(poses.astype(np.float32), rng.normal(0, 5, (frames, 3)).astype(np.float32), 90.0, rate)


@pytest.fixture(scope="module")
def files(tmp_path_factory, clip) -> Path:
    """A video, its motion and visual features, and untrained weights of the published shapes in the authors' form."""
    folder = tmp_path_factory.mktemp("gan")
    torch.manual_seed(0)
    model = lively(D2MGAN())
    torch.save(model.motion_encoder.state_dict(), folder / "mencoder.pt")
    torch.save(model.generator.state_dict(), folder / "netG.pt")
    torch.save(lively(VQVAE()).state_dict(), folder / "vqvae_high.pt")
    clip(folder / "dance.mp4", duration=SECONDS, rate=10)
    write_motion(folder / "dance.pkl", smpl(SECONDS))
    np.save(folder / "dance.npy", np.random.default_rng(1).normal(0, 1, (2, 2048)).astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def engine(files) -> D2MGanEngine:
    return engines.load("vq", weights=[str(files / name) for name in ("vqvae_high.pt", "netG.pt", "mencoder.pt")])


@pytest.fixture(scope="module")
def dance() -> Dance:
    grid = BeatGrid.steady(120, SECONDS)
    flat = np.full(len(grid.beats), 0.5, np.float32)
    visual = Visual(np.random.default_rng(1).normal(0, 1, (2, 2048)).astype(np.float32), "test")
    return Dance(SECONDS, None, grid, flat, flat, "gHO", visual, smpl(SECONDS))


@pytest.fixture(scope="module")
def tiktok() -> D2MGanEngine:
    """A small engine that follows keypoints, motion alone, at the high level."""
    torch.manual_seed(1)
    model = lively(D2MGAN(D2MGANConfig("tiktok", modality="motion")))
    vqvae = lively(VQVAE(VQVAEConfig(downs=(7,), strides=(2,), widths=(8,), depths=(1,))))
    return D2MGanEngine(model, JukeboxCodec(vqvae, "high"), ("test",))


# From the command line -----------------------------------------------------------------------------------------


def test_generate_writes_music_and_says_what_made_it(files, tmp_path, capsys):
    args = ["generate", str(files / "dance.mp4"), "-o", str(tmp_path), "--genre", "waack", "--denoise", "--json"]
    # The VQ-VAE first: the order of files does not matter.
    for name in ("vqvae_high.pt", "netG.pt", "mencoder.pt"):
        args += ["--weights", str(files / name)]
    args += ["--motion", str(files / "dance.pkl"), "--visual", str(files / "dance.npy")]
    assert main(args) == 0
    report = json.loads(capsys.readouterr().out)
    import soundfile

    sound, rate = soundfile.read(tmp_path / "dance.d2m.wav")
    assert rate == report["sample_rate"] == 22050
    assert len(sound) == pytest.approx(report["duration"] * rate, abs=1)
    assert 0.05 < np.abs(sound).max() < 1
    assert (report["engine"], report["codec"], report["level"]) == ("d2m-gan", "jukebox", "high")
    assert (report["genre"], report["dataset"], report["denoised"]) == ("waack", "aist", True)
    used = {file["name"]: file["sha256"] for file in report["inputs"]}
    assert used == {
        name: sha256_of(files / name) for name in ("mencoder.pt", "netG.pt", "vqvae_high.pt", "dance.pkl", "dance.npy")
    }
    assert {path.suffix for path in tmp_path.iterdir()} == {".wav", ".mp4", ".json", ".png"}


def test_what_the_models_need_and_do_not_get_is_said_before_anything_is_written(files, tmp_path, capsys):
    args = ["generate", str(files / "dance.mp4"), "-o", str(tmp_path / "out")]
    for name in ("mencoder.pt", "netG.pt"):
        args += ["--weights", str(files / name)]
    assert main(args) == 1
    assert "add --weights vqvae_high.pt" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*args, "--weights", str(files / "vqvae_high.pt"), "--visual", str(files / "dance.npy")]) == 1
    assert "add --motion FILE.pkl" in capsys.readouterr().err
    assert main(["generate", str(files / "dance.mp4"), "--motion", str(files / "dance.pkl")]) == 1
    assert "--motion is for D2M-GAN models" in capsys.readouterr().err
    assert main(["generate", "a.mp4", "b.mp4", "--visual", "x.npy"]) == 1
    assert "one by one" in capsys.readouterr().err


# The engine ----------------------------------------------------------------------------------------------------


def test_music_follows_motion_picture_and_genre_and_nothing_else(engine, dance):
    first = engine.compose(dance, seed=1)
    assert first.waveform.shape == (1, round(SECONDS * 22050))
    assert first.codes.shape == (1, int(np.ceil(SECONDS * 22050 / 128)))
    assert np.array_equal(first.codes, engine.compose(dance, seed=2).codes)
    moved = replace(dance, smpl=replace(dance.smpl, poses=dance.smpl.poses[::-1].copy()))
    for other in (moved, replace(dance, genre="gBR"), replace(dance, visual=Visual(dance.visual.features[::-1], "x"))):
        assert not np.array_equal(first.codes, engine.compose(other).codes)


def test_decoding_in_pieces_gives_the_sound_of_the_whole(tiktok):
    codec = tiktok.codec
    codes = torch.randint(0, 2048, (1, 700), generator=torch.Generator().manual_seed(0))
    whole = codec.decode_features(codec.lookup(codes[:, None]))
    before, codec.vqvae.chunk = codec.vqvae.chunk, 1 << 11
    try:
        assert torch.allclose(tiktok._sound(codes), whole, atol=1e-5)
    finally:
        codec.vqvae.chunk = before


def test_key_points_come_from_the_video_or_a_file(tiktok):
    rng = np.random.default_rng(0)
    grid = BeatGrid.steady(120, 2.5)
    flat = np.full(len(grid.beats), 0.5, np.float32)
    seen = Motion(rng.uniform(0, 1, (60, 33, 3)).astype(np.float32), 24, "mediapipe33", np.ones((60, 33), np.float32))
    dance = Dance(2.5, seen, grid, flat, flat, "gHO")
    video = type("Video", (), {"height": 720})()
    assert tiktok.compose(tiktok.prepare(video, dance)).codes.shape == (1, 431)

    points = rng.uniform(0, 720, (75, 25, 3)).astype(np.float32)
    points[..., 2] = 1
    given = replace(tiktok, motion=Keypoints(points, 30.0, None))
    looked = given.prepare(video, dance)
    assert looked.motion.skeleton == "body25"
    # A file that does not say how high its picture is has the video's pixels, which are what the model reads.
    assert np.allclose(given._rows(looked, 75), points.reshape(75, 75), rtol=1e-4)
    other = replace(given, motion=Keypoints(points, 30.0, 360.0))
    assert np.allclose(other._rows(other.prepare(video, dance), 75)[:, :2], 2 * points[:, 0, :2], rtol=1e-4)
    with pytest.raises(D2MError, match="nobody was found in the video"):
        tiktok.prepare(video, replace(dance, motion=None))
    with pytest.raises(D2MError, match="needs keypoints"):
        replace(tiktok, motion=smpl(2.5)).prepare(video, dance)


def test_motion_and_picture_of_another_video_are_refused(engine, dance):
    video = type("Video", (), {"height": 720})()
    with pytest.raises(D2MError, match="SMPL motion .* add --motion"):
        engine.prepare(video, dance)
    with pytest.raises(D2MError, match=r"lasts 5\.00 s and the video 2\.60 s"):
        replace(engine, motion=smpl(5), visual=dance.visual).prepare(video, dance)
    with pytest.raises(D2MError, match="visual features of I3D.*--visual"):
        replace(engine, motion=smpl(SECONDS)).prepare(video, dance)
    with pytest.raises(D2MError, match=r"5 rows .* has 2 segments"):
        replace(engine, motion=smpl(SECONDS), visual=Visual(np.zeros((5, 2048), np.float32), "v.npy")).prepare(
            video, dance
        )
    with pytest.raises(D2MError, match="30 frames a second; this D2M-GAN reads 60"):
        engine.compose(replace(dance, smpl=smpl(SECONDS, 30.0)))


# Its files -----------------------------------------------------------------------------------------------------


def test_files_that_do_not_make_a_model_are_named(files, tmp_path):
    def load(*names: str, **options):
        return engines.load("vq", weights=[str(files / n) if n.endswith(".pt") else n for n in names], **options)

    with pytest.raises(D2MError, match="makes no music by itself; add a D2M-GAN's"):
        load("vqvae_high.pt")
    with pytest.raises(D2MError, match="a motion encoder alone"):
        load("mencoder.pt")
    with pytest.raises(D2MError, match="netG.pt needs the motion encoder"):
        load("netG.pt", "vqvae_high.pt")
    with pytest.raises(D2MError, match="both hold a D2M-GAN motion encoder"):
        load("mencoder.pt", "mencoder.pt", "netG.pt")
    with pytest.raises(D2MError, match="holds a spectral VQ codec; a D2M-GAN is made of"):
        load("mencoder.pt", "netG.pt", "studio-codec")
    with pytest.raises(D2MError, match="no weights called 'nothing'"):
        load("mencoder.pt", "nothing")


def test_a_generator_is_heard_through_the_codebook_that_it_aims_at_only(files, tiktok):
    from d2m import jukebox, weights

    shipped = weights.find("studio-vqvae")[0]
    part = Part(Path("netG.pt"), GENERATOR, {}, {})
    model = D2MGAN(tiktok.model.config)
    with pytest.raises(D2MError, match="netG.pt aims at JukeBox's codebook, so it needs .* vqvae_high.pt"):
        d2m_gan_files._codec(model, Sorted(generator=part))
    with pytest.raises(D2MError, match="has d2m's own codebook, but netG.pt"):
        d2m_gan_files._codec(model, Sorted(generator=part, vqvae=shipped))
    model.codec = "own"
    with pytest.raises(D2MError, match="netG.pt was trained on the VQ-VAE 'own'; add that one"):
        d2m_gan_files._codec(model, Sorted(generator=part))
    model.codec, model.codebook = "studio-vqvae", codebook_digest(jukebox.load(shipped), "high")
    codec, path = d2m_gan_files._codec(model, Sorted(generator=part))
    assert (path, codec.hop, codec.sample_rate) == (shipped, 128, 22050)
    with pytest.raises(D2MError, match="another codebook than the one that netG.pt was trained on"):
        d2m_gan_files._codec(model, Sorted(generator=part, vqvae=files / "vqvae_high.pt"))


def test_the_generator_tells_its_level(files):
    names = [str(files / name) for name in ("mencoder.pt", "netG.pt", "vqvae_high.pt")]
    with pytest.raises(D2MError, match="generator of the high level; leave --level out"):
        engines.load("vq", weights=names, level="low")


def test_ordinary_weights_are_not_taken_for_a_d2m_gan(monkeypatch):
    monkeypatch.setattr(d2m_gan_files, "sort_files", lambda names: pytest.fail("read for nothing"))
    assert kinds._d2m_gan([]) is None
    assert kinds._d2m_gan(["studio-generator"]) is None


def test_motion_files_are_checked(tmp_path):
    points = np.ones((4, 25, 3), np.float32)
    np.savez(tmp_path / "good.npz", body25=points, fps=30, height=720)
    found = read_motion_file(tmp_path / "good.npz")
    assert (found.fps, found.height, found.duration) == (30, 720, 4 / 30)
    bad = points.copy()
    bad[2, 3] = np.nan
    for entries, message in (
        ({"body25": points[:, :17], "fps": 30}, "needs an array 'body25'"),
        ({"body25": points}, "an entry 'fps'"),
        ({"body25": points[:0], "fps": 30}, "needs frames"),
        ({"body25": bad, "fps": 30}, "not finite in frame 2"),
        ({"body25": points, "fps": 30, "height": -1}, "pixels high"),
        ({"body25": np.array([{}]), "fps": 30}, "damaged or not a NumPy file"),
    ):
        np.savez(tmp_path / "bad.npz", **entries)
        with pytest.raises(D2MError, match=message):
            read_motion_file(tmp_path / "bad.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "good.npz").read_bytes()[:300])
    (tmp_path / "cut.pkl").write_bytes(b"\x80\x04}q")
    for name in ("cut.npz", "cut.pkl", "no.npz", "no.pkl"):
        with pytest.raises(D2MError, match=name):
            read_motion_file(tmp_path / name)


def test_picture_features_are_checked(tmp_path):
    rows = np.ones((3, 2048), np.float32)
    np.savez(tmp_path / "v.npz", features=rows, fps=2)
    assert read_visual_file(tmp_path / "v.npz").features.shape == (3, 2048)
    for entries in ({"a": rows, "b": rows}, {"a": rows[:, :100]}, {"a": rows[:0]}):
        np.savez(tmp_path / "bad.npz", **entries)
        with pytest.raises(D2MError, match="one array of"):
            read_visual_file(tmp_path / "bad.npz")
    np.save(tmp_path / "bad.npy", rows * np.inf)
    with pytest.raises(D2MError, match="not finite"):
        read_visual_file(tmp_path / "bad.npy")
