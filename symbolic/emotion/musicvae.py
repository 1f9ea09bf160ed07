"""MusicVAE for melodies of 16 bars, in Magenta's size (``hierdec-mel_16bar``) and in one that two cores can train.

Source: Roberts et al. 2018, "A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music".
"""

from __future__ import annotations

import copy
import itertools
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from d2m.errors import D2MError
from d2m.symbolic.emotion.decoder import Choose, HierarchicalDecoder
from d2m.symbolic.emotion.encoder import FlatEncoder
from d2m.symbolic.emotion.forms import Forms, shared_noise
from d2m.symbolic.emotion.side_by_side import BarReader, BarWriter
from d2m.symbolic.melody import CLASSES, STEPS, canonical, in_scale, scale_roots

#: Melodies that go through the networks at a time.
_ROWS = 128
_MOST_LAYERS = 8


@dataclass(frozen=True)
class MusicVaeConfig:
    """Sizes; the defaults are those of ``hierdec-mel_16bar`` in Magenta's ``music_vae/configs.py``.

    Attributes:
        latent: values of a latent vector (``z_size``).
        encoder, encoder_layers: units of each direction and layers (``enc_rnn_size``).
        side_by_side: bars are read and written at the same time (:mod:`~d2m.symbolic.emotion.side_by_side`), by one
            layer each, instead of one after the other.
        conductor, decoder, decoder_layers: units and layers of the decoder's two levels (``dec_rnn_size``).
    """

    latent: int = 512
    encoder: int = 2048
    encoder_layers: int = 2
    side_by_side: bool = False
    conductor: int = 1024
    decoder: int = 1024
    decoder_layers: int = 2

    def __post_init__(self) -> None:
        if not 1 <= self.encoder_layers <= _MOST_LAYERS or not 1 <= self.decoder_layers <= _MOST_LAYERS:
            raise ValueError(f"between 1 and {_MOST_LAYERS} layers")
        if self.side_by_side and (self.encoder_layers, self.decoder_layers) != (1, 1):
            raise ValueError("one layer each where bars lie side by side")


FULL = MusicVaeConfig()
COMPACT = MusicVaeConfig(256, 256, 1, True, 256, 128, 1)
SIZES: dict[str, MusicVaeConfig] = {"compact": COMPACT, "full": FULL}


class HierarchicalMusicVae(nn.Module):
    """The networks, from classes to a latent normal distribution and back."""

    def __init__(self, config: MusicVaeConfig = FULL):
        super().__init__()
        self.config = config
        self.encoder: BarReader | FlatEncoder
        self.decoder: BarWriter | HierarchicalDecoder
        if config.side_by_side:
            self.encoder = BarReader(config.encoder)
            self.decoder = BarWriter(config.latent, config.conductor, config.decoder)
        else:
            self.encoder = FlatEncoder(config.encoder, config.encoder_layers)
            self.decoder = HierarchicalDecoder(config.latent, config.conductor, config.decoder, config.decoder_layers)
        self.mu = nn.Linear(self.encoder.size, config.latent)
        self.sigma = nn.Linear(self.encoder.size, config.latent)
        # Magenta starts both near 0, where the vector is noise; here it distinguishes melodies before noise is added.
        nn.init.xavier_uniform_(self.mu.weight)
        nn.init.normal_(self.sigma.weight, std=0.001)
        nn.init.zeros_(self.mu.bias)
        nn.init.constant_(self.sigma.bias, -2.0)

    @torch.no_grad()
    def expect(self, counts: np.ndarray) -> None:
        """Initialise the output biases with class frequencies, so that training begins with differences between
        melodies.

        Finding out that most steps are holds takes large steps in one direction, under which the conductor comes to say
        the same of all melodies. Four melodies stood at 18 nats after 100 steps with it, at 240 after 200 without.

        Args:
            counts: frequency of each class (90,).
        """
        share = torch.from_numpy((counts + 1.0) / (counts + 1.0).sum())
        self.decoder.output.bias.copy_(share.log())

    def settings(self) -> dict[str, Any]:
        """Return plain values that rebuild the model."""
        return asdict(self.config)

    def encode(self, melodies: Tensor) -> tuple[Tensor, Tensor]:
        """Encode melodies.

        Args:
            melodies: int64 (B, 256), classes.

        Returns:
            Mean and standard deviation of the latent vector, float32 (B, latent) each.
        """
        seen = self.encoder(melodies)
        return self.mu(seen).float(), functional.softplus(self.sigma(seen).float())

    def forward(self, melodies: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode melodies and decode ``mean + deviation * noise`` with teacher forcing.

        Args:
            melodies: int64 (B, 256), classes.
            noise: float32 (B, latent).

        Returns:
            Mean, deviation, and logits (B, 256, 90).
        """
        mu, sigma = self.encode(melodies)
        return mu, sigma, self.decoder(mu + sigma * noise, melodies)


def divergence(mu: Tensor, sigma: Tensor) -> Tensor:
    """Compute the KL divergence of each dimension from the standard normal distribution.

    Args:
        mu, sigma: mean and deviation, of any shape.

    Returns:
        Nats, of the same shape.
    """
    return 0.5 * (mu.square() + sigma.square() - 1.0) - sigma.clamp_min(1e-8).log()


def most_likely(logits: Tensor) -> Tensor:
    """Choose the most likely class.

    Args:
        logits: float32 (n, 90).

    Returns:
        One-hot (n, 90).
    """
    return functional.one_hot(logits.argmax(dim=1), CLASSES).float()


def drawing(temperature: float, rng: np.random.Generator | None) -> Choose:
    """Return a function that draws a class from logits divided by a temperature (Gumbel's trick).

    Args:
        temperature: 0 for the most likely class.
        rng: random generator.
    """
    if temperature <= 0:
        return most_likely
    if rng is None:
        raise ValueError("a temperature above 0 needs a random generator")

    def choose(logits: Tensor) -> Tensor:
        noise = torch.from_numpy(rng.gumbel(size=tuple(logits.shape)).astype(np.float32)).to(logits.device)
        return most_likely(logits.float() / temperature + noise)

    return choose


def drawing_in_form(temperature: float, rng: np.random.Generator | None, forms: Forms) -> Choose:
    """Return a function like :func:`drawing` for one call of a decoder's ``write``, in which bars that repeat each
    other use the same random numbers.

    Args:
        temperature: 0 for the most likely class.
        rng: random generator.
        forms: forms of the melodies.
    """
    if temperature <= 0:
        return most_likely
    if rng is None:
        raise ValueError("a temperature above 0 needs a random generator")
    noise = torch.from_numpy(shared_noise(forms, rng))
    steps = noise.flatten(1, 2).unbind(1)
    calls = itertools.count()

    def choose(logits: Tensor) -> Tensor:
        at = next(calls)
        # A decoder writes all bars side by side, or one after the other.
        side_by_side = len(logits) > len(forms)
        told = noise[:, :, at].flatten(0, 1) if side_by_side else steps[at]
        return most_likely(logits.float() / temperature + told.to(logits.device))

    return choose


def _drawing(temperature: float, rng: np.random.Generator | None, forms: Forms | None) -> Choose:
    return drawing(temperature, rng) if forms is None else drawing_in_form(temperature, rng, forms)


def in_one_scale(choose: Choose, melodies: np.ndarray, discount: float) -> Choose:
    """Return a function like ``choose`` that lowers the logits of notes outside a melody's scale.

    Args:
        choose: chooses classes.
        melodies: uint8 (N, 256); the scale of each is the major one that contains most of its onsets.
        discount: what is subtracted, in nats.
    """
    outside = ~torch.from_numpy(in_scale(scale_roots(melodies)))

    def lean(logits: Tensor) -> Tensor:
        # A decoder writes all bars side by side, or one after the other.
        rows = outside.to(logits.device).repeat_interleave(len(logits) // len(outside), dim=0)
        return choose(logits - discount * rows)

    return lean


def spherical(a: np.ndarray, b: np.ndarray, steps: int) -> np.ndarray:
    """Interpolate along the great circle between two vectors (Shoemake 1985), whose lengths the decoder knows (White
    2016).

    That keeps to lengths that the decoder knows (White 2016). Returns (steps, latent), both ends included.

    Args:
        a, b: float32 (latent,).
        steps: number of vectors, both ends included.

    Returns:
        float32 (steps, latent).
    """
    share = np.linspace(0.0, 1.0, steps)[:, None]
    cosine = np.dot(a, b) / max(np.linalg.norm(a) * np.linalg.norm(b), 1e-12)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0))
    # Along one line there is no circle; straight on is the limit.
    if np.sin(angle) < 1e-6:
        return (1 - share) * a + share * b
    return (np.sin((1 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)


class MusicVae:
    """A trained model for use: numpy in, numpy out.

    Melodies are uint8 (N, 256) (:mod:`d2m.symbolic.melody`), latent vectors float32 (N, latent).

    Args:
        network: in evaluation mode, on any device.
    """

    def __init__(self, network: HierarchicalMusicVae):
        self.network = network.eval()

    @property
    def config(self) -> MusicVaeConfig:
        return self.network.config

    @torch.no_grad()
    def encode(self, melodies: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode melodies.

        Args:
            melodies: uint8 (N, 256).

        Returns:
            Mean and standard deviation of the latent vector of each.
        """
        rows = [self.network.encode(part) for part in self._parts(_checked(melodies))]
        mean, deviation = (torch.cat(values).cpu().numpy() for values in zip(*rows, strict=True))
        return mean, deviation

    @torch.no_grad()
    def decode(
        self,
        z: np.ndarray,
        temperature: float = 0.0,
        rng: np.random.Generator | None = None,
        forms: Forms | None = None,
        discount: float = 0.0,
    ) -> np.ndarray:
        """Return melodies of latent vectors, canonical.

        Args:
            z: (N, latent).
            temperature: 0 takes the most likely class at each step; below 1 is calmer, above wilder.
            rng: draws the classes; needed above 0.
            forms: forms of N melodies, if bars are to take up earlier ones; else they are as the vectors have them.
            discount: nats by which notes outside the melody's scale become less likely. The scale is that of the
                melody decoded without it; the melody is then decoded again with the same random numbers.

        Raises:
            D2MError: if ``z`` is of another size, not finite, or the temperature is negative.
        """
        z = np.asarray(z, dtype=np.float32)
        if z.ndim != 2 or z.shape[1] != self.config.latent or not np.isfinite(z).all():
            raise D2MError(f"latent vectors are (N, {self.config.latent}) finite values, not {z.shape}")
        if not 0 <= temperature < float("inf") or (temperature and rng is None):
            raise D2MError("a temperature is 0 or more, and above 0 needs a random generator")
        rows, done = [], 0
        for part in self._parts(z):
            some = None if forms is None else forms[done : done + len(part)]
            same = copy.deepcopy(rng)
            written = self._write(part, _drawing(temperature, rng, some), some)
            if discount:
                written = self._write(part, in_one_scale(_drawing(temperature, same, some), written, discount), some)
            rows.append(written)
            done += len(part)
        return np.stack([canonical(row) for row in np.concatenate(rows)]) if rows else np.zeros((0, STEPS), np.uint8)

    def _write(self, z: Tensor, choose: Choose, forms: Forms | None) -> np.ndarray:
        return self.network.decoder.write(z, choose, forms)[1].argmax(dim=2).cpu().numpy()

    def reconstruct(
        self, melodies: np.ndarray, temperature: float = 0.0, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Encode melodies and decode the means of their latent vectors.

        Args:
            melodies: uint8 (N, 256).
            temperature: temperature of the decoder.
            rng: random generator, for a temperature above 0.

        Returns:
            uint8 (N, 256).
        """
        return self.decode(self.encode(melodies)[0], temperature, rng)

    def sample(self, count: int, temperature: float = 0.5, seed: int = 0, forms: Forms | None = None) -> np.ndarray:
        """Generate melodies from the prior.

        Args:
            count: number of melodies.
            temperature: temperature of the decoder.
            seed: random seed.
            forms: forms to draw from, or None.

        Returns:
            uint8 (count, 256).
        """
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((count, self.config.latent))
        return self.decode(z, temperature, rng, None if forms is None else forms.draw(count, rng))

    def interpolate(
        self, a: np.ndarray, b: np.ndarray, steps: int, temperature: float = 0.0, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Interpolate between two melodies in latent space.

        Args:
            a, b: uint8 (256,).
            steps: number of melodies, the reconstructions of both included.
            temperature: temperature of the decoder.
            rng: random generator, for a temperature above 0.

        Returns:
            uint8 (steps, 256).

        Raises:
            D2MError: if there are fewer than two steps.
        """
        if steps < 2:
            raise D2MError("an interpolation needs at least two steps")
        mu, _ = self.encode(np.stack([a, b]))
        return self.decode(spherical(mu[0], mu[1], steps), temperature, rng)

    @torch.no_grad()
    def log_likelihood(self, melodies: np.ndarray, z: np.ndarray | None = None) -> np.ndarray:
        """Return natural logarithm of the probability of each step given those before it, float32 (N, 256).

        Args:
            melodies: what is judged.
            z: latent vectors to judge by; else the means of the melodies' own.
        """
        melodies = _checked(melodies)
        z = self.encode(melodies)[0] if z is None else np.asarray(z, dtype=np.float32)
        rows = []
        for known, latent in zip(self._parts(melodies), self._parts(z), strict=True):
            logits = self.network.decoder(latent, known).float().log_softmax(dim=2)
            rows.append(logits.gather(2, known.long()[..., None])[..., 0].cpu().numpy())
        return np.concatenate(rows)

    def _parts(self, rows: np.ndarray) -> tuple[Tensor, ...]:
        device = self.network.mu.weight.device
        return torch.from_numpy(np.ascontiguousarray(rows)).to(device).split(_ROWS) if len(rows) else ()


def _checked(melodies: np.ndarray) -> np.ndarray:
    melodies = np.asarray(melodies)
    if melodies.ndim != 2 or melodies.shape[1] != STEPS or not len(melodies):
        raise D2MError(f"melodies are (N, {STEPS}) classes, not {melodies.shape}")
    if not np.issubdtype(melodies.dtype, np.integer) or melodies.min() < 0 or melodies.max() >= CLASSES:
        raise D2MError(f"a melody's classes are whole numbers from 0 to {CLASSES - 1}")
    return melodies.astype(np.uint8)
