"""Embeddings of networks that a user has installed, with weights from elsewhere: VGGish, PANNs, CLAP, EnCodec.

None of these packages is needed by d2m. Without it, the embedding says what to install; without its weights, where they
belong. All results are mean vectors of windows, so distances are comparable with those of this package only.

References
----------
S. Hershey et al., "CNN Architectures for Large-Scale Audio Classification", ICASSP 2017 (VGGish). Q. Kong et al.,
"PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern Recognition", IEEE/ACM TASLP 28, 2020. Y. Wu et
al., "Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption Augmentation",
ICASSP 2023 (CLAP). A. Défossez et al., "High Fidelity Neural Audio Compression", TMLR 2023 (EnCodec).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d2m.errors import D2MError

from .package_embeddings import package_folder, windows

if TYPE_CHECKING:
    import torch


class _Network(ABC):
    """A network that is run on each window; the next window starts half a window later.

    Args:
        window: seconds, or None for the usual length.

    Raises:
        D2MError: if the package or its weights are missing, or the window is out of range.
    """

    name: str
    version: str
    size: int
    sample_rate: int
    standardise = False
    #: Import name, what ``pip install`` takes, usual window, shortest and longest window in seconds.
    package: tuple[str, str]
    seconds: tuple[float, float, float]

    def __init__(self, window: float | None = None) -> None:
        usual, shortest, longest = self.seconds
        self.window = usual if window is None else window
        if not shortest <= self.window <= longest:
            raise D2MError(
                f"a window of {window} s is not possible with '{self.name}'; choose {shortest:g} to {longest:g} s"
            )
        package_folder(self.package[0], self.package[1], self.name)
        try:
            self.network = self.load()
        except D2MError:
            raise
        except Exception as error:
            raise D2MError(
                f"the embedding '{self.name}' cannot be loaded ({error}); see the package {self.package[1]}"
            ) from error

    @abstractmethod
    def load(self) -> Any:
        """Load the network with its weights."""

    @abstractmethod
    def run(self, window: torch.Tensor) -> torch.Tensor:
        """Embed one window.

        Args:
            window: float32 (samples,).

        Returns:
            (size,).
        """

    def embed(self, waveform: np.ndarray) -> np.ndarray:
        """Embed a waveform.

        Args:
            waveform: float32 (samples,).

        Returns:
            float32 (windows, size).
        """
        import torch

        length = round(self.window * self.sample_rate)
        with torch.no_grad():
            parts = windows(waveform, length, max(1, length // 2))
            return np.stack([self.run(torch.from_numpy(part.copy())).float().numpy() for part in parts])


class Vggish(_Network):
    """VGGish without its postprocessing, 128 values for each 0.96 s; several are averaged in longer windows."""

    name, version, size, sample_rate = "vggish", "torchvggish-0.2", 128, 16000
    package, seconds = ("torchvggish", "torchvggish resampy"), (0.975, 0.975, 30.0)

    def load(self) -> Any:
        """Load the network; torch.hub keeps its weights."""
        from torchvggish.torchvggish import VGGISH_WEIGHTS, _vgg

        network = _vgg(postprocess=False)
        network.load_state_dict(_hub_weights(VGGISH_WEIGHTS, self.name))
        return network.eval()

    def run(self, window: torch.Tensor) -> torch.Tensor:
        """Embed one window.

        Args:
            window: float32 (samples,).

        Returns:
            (128,).
        """
        from torchvggish.vggish_input import waveform_to_examples

        return self.network(waveform_to_examples(window.numpy().astype(np.float64), self.sample_rate).detach()).mean(
            dim=0
        )


class Panns(_Network):
    """Embedding of PANNs' CNN14, 2048 values."""

    name, version, size, sample_rate = "panns", "Cnn14_mAP=0.431", 2048, 32000
    package, seconds = ("panns_inference", "panns-inference torchlibrosa"), (3.0, 1.0, 30.0)

    def load(self) -> Any:
        """Load the network from ``~/panns_data``, where the package keeps its files."""
        for file in ("Cnn14_mAP=0.431.pth", "class_labels_indices.csv"):
            # The package would download it with a shell command.
            if not (Path.home() / "panns_data" / file).is_file():
                raise D2MError(
                    f"the embedding 'panns' needs ~/panns_data/{file}; see the package panns-inference for its address"
                )
        from panns_inference import AudioTagging

        return AudioTagging(checkpoint_path=str(Path.home() / "panns_data" / "Cnn14_mAP=0.431.pth"), device="cpu")

    def run(self, window: torch.Tensor) -> torch.Tensor:
        """Embed one window.

        Args:
            window: float32 (samples,).

        Returns:
            (2048,).
        """
        import torch

        return torch.from_numpy(self.network.inference(window.numpy()[None])[1][0])


class Clap(_Network):
    """Audio embedding of LAION's CLAP for music, 512 values."""

    name, version, size, sample_rate = "clap", "laion/larger_clap_music", 512, 48000
    package, seconds = ("transformers", "transformers"), (10.0, 1.0, 10.0)

    def load(self) -> Any:
        """Load network and feature extractor from the cache of Hugging Face, or download them there."""
        from transformers import ClapFeatureExtractor, ClapModel

        return ClapModel.from_pretrained(self.version).eval(), ClapFeatureExtractor.from_pretrained(self.version)

    def run(self, window: torch.Tensor) -> torch.Tensor:
        """Embed one window.

        Args:
            window: float32 (samples,).

        Returns:
            (512,).
        """
        network, extractor = self.network
        given = extractor(window.numpy(), sampling_rate=self.sample_rate, return_tensors="pt")
        found = network.get_audio_features(**given)
        # Since version 5 of transformers the projected vector is one of several results.
        return getattr(found, "pooler_output", found)[0]


class Encodec(_Network):
    """Mean of EnCodec's continuous codes at 24 kHz, 128 values."""

    name, version, size, sample_rate = "encodec", "encodec_24khz", 128, 24000
    package, seconds = ("encodec", "encodec"), (1.0, 0.5, 30.0)

    def load(self) -> Any:
        """Load the encoder; torch.hub keeps its weights."""
        from encodec import EncodecModel

        return EncodecModel.encodec_model_24khz(pretrained=True).eval()

    def run(self, window: torch.Tensor) -> torch.Tensor:
        """Embed one window.

        Args:
            window: float32 (samples,).

        Returns:
            (128,).
        """
        return self.network.encoder(window[None, None])[0].mean(dim=1)


def _hub_weights(address: str, name: str) -> dict[str, Any]:
    """State of a network, from the cache of torch.hub or its address."""
    import torch

    load: Callable[..., dict[str, Any]] = torch.hub.load_state_dict_from_url
    try:
        return load(address, progress=False, map_location="cpu", weights_only=True)
    except OSError as error:
        raise D2MError(f"the weights of '{name}' cannot be downloaded from {address} ({error})") from error
