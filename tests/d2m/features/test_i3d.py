"""Visual features: the network's own, for the same content the same, and from weights that are checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from d2m.errors import D2MError
from d2m.features import i3d
from d2m.features.extract import read_features
from d2m.media import open_video

pytestmark = pytest.mark.slow

pytest.importorskip("pytorchvideo")


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """The published architecture with weights from a seed, each layer keeping the size of what it is given."""
    with torch.device("meta"):
        made = i3d._network()
    made.to_empty(device="cpu")
    chance = torch.Generator().manual_seed(0)
    for name, value in made.state_dict().items():
        if value.ndim > 1:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=chance)
        else:
            value.fill_(1 if name.endswith(("norm.weight", "running_var")) or "norm_" in name else 0)
        if name.endswith(("bias", "running_mean", "tracked")):
            value.zero_()
    return made.eval()


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory) -> Path:
    """A file as pytorchvideo publishes it."""
    path = tmp_path_factory.mktemp("i3d") / "I3D_8x8_R50.pyth"
    torch.save({"model_state": network.state_dict(), "epoch": 196, "cfg": "MODEL: ResNet"}, path)
    return path


@pytest.fixture(scope="module")
def model(weights) -> torch.nn.Module:
    return i3d.load_i3d(weights, "cpu")


def moving(path: Path, rate: int, seconds: float, size: tuple[int, int] = (192, 144), codec: str = "libx264") -> Path:
    """A soft light that wanders: the same content at any frame rate."""
    import av

    x, y = np.meshgrid(np.arange(size[0]) / size[1], np.arange(size[1]) / size[1])
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate)
        stream.options = {"crf": "10", **({"preset": "ultrafast"} if codec == "libx264" else {"cpu-used": "8"})}
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(round(rate * seconds)):
            time = index / rate
            light = np.exp(-((x - 0.3 - 0.25 * time) ** 2 + (y - 0.5 - 0.2 * np.sin(2 * time)) ** 2) / 0.05)
            rgb = (30 + 200 * light[..., None] * np.array([1.0, 0.8, 0.5])).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def alike(a: np.ndarray, b: np.ndarray) -> float:
    """Distance in relation to how far the features of unlike pictures are."""
    return float(np.linalg.norm(a - b) / np.linalg.norm(a))


def test_the_feature_is_what_the_classifier_reads(network, model) -> None:
    clip = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 256, 300, 3), np.uint8))
    prepared = i3d.prepare(clip)[None]
    with torch.inference_mode():
        feature, logits = model(prepared), network(prepared)
        assert feature.shape == (1, 2048)
        assert torch.allclose(
            network.blocks[-1].proj(feature), logits, rtol=1e-4, atol=1e-5 * float(logits.abs().max())
        )


@pytest.mark.parametrize("size", [(256, 300), (300, 256), (120, 90), (1080, 608)])
def test_pictures_are_cut_to_the_middle_and_scaled_as_kinetics(size) -> None:
    pictures = torch.full((8, *size, 3), 255, dtype=torch.uint8)
    pictures[:, : size[0] // 2] = 0
    ready = i3d.prepare(pictures)
    assert ready.shape == (3, 8, 256, 256)
    assert ready.max() == pytest.approx((1 - 0.45) / 0.225, abs=1e-5)
    assert ready.min() == pytest.approx(-0.45 / 0.225, abs=1e-5)
    assert ready[0, 0, 127, 128] < 0 < ready[0, 0, 129, 128]


def test_segments_cover_the_video() -> None:
    assert i3d.segments(2.0, 2.0).tolist() == [[0, 2]]
    assert i3d.segments(2.002, 2.0).tolist() == [[0, 2]]
    assert np.allclose(i3d.segments(4.9, 2.0), [[0, 2], [2, 4], [2.9, 4.9]])
    assert i3d.segments(1.2, 2.0).tolist() == [[0, 1.2]]
    assert len(i3d.segments(3600.0, 2.0)) == 1800
    for seconds in (0, -1, float("nan"), 61):
        with pytest.raises(ValueError, match="segment"):
            i3d.segments(4.0, seconds)


class Light(torch.nn.Module):
    """Where the light is in each picture, in the place of a network: float (B, 8)."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        light = (clips[:, 0] * i3d.DEVIATION + i3d.MEAN).pow(4)
        return (light * torch.linspace(-1, 1, 256)).sum((2, 3)) / light.sum((2, 3))


def test_each_segment_has_its_own_pictures_and_the_last_is_whole(tmp_path) -> None:
    video = open_video(moving(tmp_path / "a.mp4", 24, 2.5, (96, 80)))
    told: list[float] = []
    visual = i3d.i3d_features(video, Light(), 1.0, told.append)
    assert visual.model == "i3d-r50-k400"
    assert visual.features.shape == (3, 8)
    assert visual.features.dtype == np.float32
    assert told == [pytest.approx(1 / 3), pytest.approx(2 / 3), 1.0]
    # The light wanders to the right at one speed: no picture is held, the last segment starts half a second early.
    step = np.diff(visual.features[0]).mean()
    assert step > 0.01
    assert np.allclose(visual.features[1] - visual.features[0], 8 * step, rtol=0.1)
    assert np.allclose(visual.features[2] - visual.features[1], 4 * step, rtol=0.1)


def test_a_video_shorter_than_a_segment_is_one_segment(tmp_path) -> None:
    seen = i3d.i3d_features(open_video(moving(tmp_path / "a.mp4", 24, 0.7, (96, 80))), Light()).features
    assert seen.shape == (1, 8)
    assert np.diff(seen[0]).min() > 0


def test_a_segment_longer_than_the_model_sees_is_the_average_of_clips(tmp_path) -> None:
    video = open_video(moving(tmp_path / "a.mp4", 10, 4.0, (96, 80)))
    halves = i3d.i3d_features(video, Light(), 2.0).features
    assert halves.shape == (2, 8)
    assert np.allclose(i3d.i3d_features(video, Light(), 4.0).features[0], halves.mean(axis=0), atol=1e-6)


def test_memory_does_not_grow_with_the_video(tmp_path) -> None:
    """The pictures of a segment are all that is held."""
    import tracemalloc

    peaks = []
    for seconds in (4.0, 16.0):
        video = open_video(moving(tmp_path / f"{seconds}.mp4", 5, seconds, (96, 80)))
        tracemalloc.start()
        assert len(i3d.i3d_features(video, Light()).features) == seconds / 2
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_the_same_content_has_the_same_features_in_any_container(model, tmp_path) -> None:
    first = i3d.i3d_features(open_video(moving(tmp_path / "a.mp4", 24, 2.0)), model).features
    again = i3d.i3d_features(open_video(tmp_path / "a.mp4"), model).features
    assert np.array_equal(first, again)
    second = i3d.i3d_features(
        open_video(moving(tmp_path / "b.webm", 60, 2.0, (192, 144), "libvpx-vp9")), model
    ).features
    still = i3d.i3d_features(open_video(moving(tmp_path / "c.mp4", 1, 2.0)), model).features
    assert first.shape == (1, 2048)
    assert alike(first, second) < 0.05
    assert alike(first, still) > 3 * alike(first, second)


def test_the_command_writes_a_row_for_each_segment(weights, clip, tmp_path, capfd) -> None:
    from d2m.cli.main import main

    video = clip(tmp_path / "grey.mp4", duration=0.6, rate=10)
    words = ["features", str(video), "-o", str(tmp_path), "--fps", "2", "--keep-empty", "--visual", "i3d"]
    words += ["--i3d-weights", str(weights), "--cache", str(tmp_path / "cache")]
    assert main(words) == 0
    with np.load(tmp_path / "grey.npz", allow_pickle=False) as data:
        assert data["visual"].shape == (1, 2048)
        assert np.allclose(data["segments"], [[0, 0.6]])
        assert str(data["visual_model"]).startswith("i3d-r50-k400:")
    assert "1 segment, extracted" in capfd.readouterr().out
    assert np.array_equal(read_features(tmp_path / "grey.npz").segments, [[0, 0.6]])
    # The parts are kept apart: other visual features do not need the landmarks again.
    assert len(list((tmp_path / "cache").rglob("*.npz"))) == 2


def test_weights_are_read_from_safetensors_and_in_half_precision(network, model, tmp_path) -> None:
    from safetensors.torch import save_file

    halves = {
        name: value.half() if value.is_floating_point() else value for name, value in network.state_dict().items()
    }
    save_file(halves, tmp_path / "a.safetensors")
    read = i3d.load_i3d(tmp_path / "a.safetensors", "cpu").state_dict()
    assert all(value.dtype == model.state_dict()[name].dtype for name, value in read.items())
    assert all(torch.allclose(value, model.state_dict()[name], atol=1e-3) for name, value in read.items())


def bad_weights(state: dict[str, torch.Tensor], folder: Path) -> dict[str, str]:
    """File -> what is said of it."""
    name = "blocks.0.conv.weight"
    torch.save({k: v for k, v in state.items() if k != name}, folder / "part.pt")
    torch.save(state | {"other.weight": torch.zeros(1)}, folder / "more.pt")
    torch.save(state | {name: torch.zeros(3)}, folder / "shape.pt")
    torch.save(state | {name: torch.full_like(state[name], torch.nan)}, folder / "nan.pt")
    (folder / "text.pt").write_text("hello " * 100)
    (folder / "text.safetensors").write_text("hello " * 100)
    return {
        "part.pt": "missing", "more.pt": "not part of it", "shape.pt": "other sizes", "nan.pt": "not finite",
        "text.pt": "PyTorch file", "text.safetensors": "not a weights file", "none.pt": "d2m models fetch",
    }  # fmt: skip


def test_weights_that_do_not_fit_are_refused_in_one_line(network, tmp_path) -> None:
    for name, said in bad_weights(network.state_dict(), tmp_path).items():
        with pytest.raises(D2MError, match=said) as caught:
            i3d.load_i3d(tmp_path / name, "cpu")
        assert "\n" not in str(caught.value)
        assert name in str(caught.value)
        (tmp_path / name).unlink(missing_ok=True)


def test_without_weights_one_line_says_how_to_get_them(monkeypatch) -> None:
    from d2m import weights

    def nothing(*_: object) -> None:
        raise D2MError("no weights called 'i3d-r50-k400'")

    monkeypatch.setattr(weights, "find", nothing)
    with pytest.raises(D2MError, match="d2m models fetch i3d-r50-k400"):
        i3d.find_weights()
