"""Films of a studio dance: a mannequin that a pose model finds, and the example clip that ships."""

from __future__ import annotations

import numpy as np
import pytest
from repository import EXAMPLE, ROOT

from d2m.datasets.studio import Camera, DancerStyle, Performance, choreograph, film, landmark_motion
from d2m.errors import D2MError
from d2m.types import BeatGrid

pytestmark = pytest.mark.slow


def dance(genre: str, seed: int = 0, seconds: float = 8.0) -> Performance:
    rng = np.random.default_rng(seed)
    grid = BeatGrid.steady(112.0, 12.0, first_beat=0.2)
    return choreograph(grid, genre, seconds, rng, dancer=DancerStyle.random(rng))


def test_a_film_is_h264_of_the_asked_length_and_shows_somebody_moving(tmp_path) -> None:
    av = pytest.importorskip("av")
    camera = Camera.looking_at((0, 1.2, 4.5), (0, 0.95, 0), (160, 120), 36.0)
    sound = 0.1 * np.sin(np.arange(32000) * 0.1)[None].astype(np.float32)
    film(dance("gBR", seconds=2.0), camera, tmp_path / "a.mp4", waveform=sound, sample_rate=16000)
    with av.open(str(tmp_path / "a.mp4")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (160, 120)
        assert video.codec_context.name in ("h264", "mpeg4")
        assert len(container.streams.audio) == 1
        frames = [f.to_ndarray(format="rgb24").astype(int) for f in container.decode(video=0)]
    assert len(frames) == 60
    assert np.abs(frames[0] - frames[30]).max() > 60
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


def test_a_film_that_cannot_be_written_leaves_nothing(tmp_path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be")
    camera = Camera.looking_at((0, 1.2, 4.5), (0, 0.95, 0), (160, 120), 36.0)
    with pytest.raises(D2MError, match="cannot write"):
        film(dance("gBR", seconds=0.5), camera, tmp_path / "taken" / "a.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("genre", ["gHO", "gWA", "gBR"])
def test_the_pose_model_finds_the_mannequin_where_it_is(genre: str) -> None:
    mediapipe = pytest.importorskip("mediapipe")
    from d2m.datasets.studio.filming import pictures
    from d2m.datasets.studio.mannequin import Look

    bundle = ROOT / "d2m" / "features" / "pose_landmarker_full.task"
    if not bundle.is_file():
        pytest.skip("needs the pose bundle that ships with the package")
    vision = mediapipe.tasks.vision
    rng = np.random.default_rng(6)
    danced = dance(genre, seed=6, seconds=4.0)
    camera = Camera.looking_at((0.4, 1.3, 4.6), (0, 0.95, 0), (480, 360), 32.0)
    exact = landmark_motion(danced, camera, rng, fps=10.0, noise=0.0).joints
    options = vision.PoseLandmarkerOptions(
        base_options=mediapipe.tasks.BaseOptions(model_asset_path=str(bundle)), running_mode=vision.RunningMode.VIDEO
    )
    errors, frames = [], list(pictures(danced, camera, Look.random(rng), 10.0))
    with vision.PoseLandmarker.create_from_options(options) as model:
        for i, frame in enumerate(frames):
            picture = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
            found = model.detect_for_video(picture, i * 100).pose_landmarks
            if found:
                seen = np.array([(p.x * 480 / 360, p.y) for p in found[0]])
                errors.append(np.linalg.norm(seen - exact[i, :, :2], axis=-1))
    assert len(errors) >= 0.95 * len(frames)
    height = np.median(exact[..., 1].max(axis=1) - exact[..., 1].min(axis=1))
    assert np.median(errors) < 0.03 * height


def test_the_example_clip_is_small_and_found(tmp_path) -> None:
    av = pytest.importorskip("av")
    path = EXAMPLE
    assert path.stat().st_size < 1_000_000
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.duration / 1e6 == pytest.approx(10.0, abs=0.1)
