"""Actor and critic that move latent vectors of a MusicVAE towards an emotion.

The method is that of latent constraints (Engel, Hoffman and Roberts 2017, "Latent Constraints: Learning to Generate
Conditionally from Unconditional Generative Models"): MusicVAE is frozen; a critic learns to distinguish vectors of real
melodies from others, and to predict attributes of the decoded melody; an actor learns to move vectors to where the
critic's losses are low, and not further than necessary.

The actor gets the targets of an emotion, not its name, so that the table can be changed and any point between two
emotions can be used.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from d2m.errors import D2MError
from d2m.symbolic.emotion.emotions import REGION, Emotion, EmotionTable, attributes, check_strength, load_emotions
from d2m.symbolic.emotion.forms import Forms, load_forms
from d2m.symbolic.emotion.musicvae import HierarchicalMusicVae, MusicVae
from d2m.symbolic.melody import STEPS

#: Targets of an emotion: mean pitch and density.
TARGETS = 2
#: Attributes that the critic predicts: mean pitch, density, and the share off the chords.
HEARD = 3
#: Number of corrections of the actor's targets.
LOOKS = 3
#: How often a new melody is drawn before the nearest to its emotion is taken.
DRAWS = 3
#: Nats by which notes outside the scale of a new melody become less likely, so that it has as many as real melodies.
OUTSIDE = 2.5
#: Range of the actor's targets, in standard deviations of real melodies.
WIDEST = 2.5


@dataclass(frozen=True)
class ActorCriticConfig:
    """Sizes.

    Attributes:
        latent: values of a latent vector.
        units: number of units of each hidden layer; there are three in each network.
        reach: how far a value can be moved, in standard deviations of the prior.
        edge: vectors are kept within this times the square root of ``latent``, where the prior's are; one that starts
            further out is not taken further.
        vae: :func:`fingerprint` of the MusicVAE whose vectors these are.
    """

    latent: int
    units: int = 512
    reach: float = 2.0
    edge: float = 1.1
    vae: int = 0


class Actor(nn.Module):
    """Network that moves latent vectors by gated steps, so that most values can stay unchanged (Engel et al. 2017)."""

    def __init__(self, config: ActorCriticConfig):
        super().__init__()
        self.config = config
        self.net = _layers(config.latent + TARGETS, config.units, 2 * config.latent)
        # It starts out not moving anything.
        for parameter in self.net[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, z: Tensor, targets: Tensor, strength: Tensor | float = 1.0) -> Tensor:
        """Move vectors towards targets.

        Args:
            z: (B, latent).
            targets: (B, 2), mean pitch and density, in standard deviations from the mean of real melodies.
            strength: strength of the whole step, 0 to 1, one or (B, 1); at 0 the vectors stay unchanged.

        Returns:
            (B, latent).
        """
        step, gate = self.net(torch.cat([z, targets.to(z.dtype)], dim=1)).float().chunk(2, dim=1)
        moved = z + strength * self.config.reach * step.tanh() * gate.sigmoid()
        before, after = z.norm(dim=1, keepdim=True), moved.norm(dim=1, keepdim=True)
        most = before.clamp_min(self.config.edge * math.sqrt(self.config.latent))
        return torch.where(after > most, moved * (most / after.clamp_min(1e-6)), moved)


class Critic(nn.Module):
    """Critic of latent vectors: realism, and attributes of the decoded melody."""

    def __init__(self, config: ActorCriticConfig):
        super().__init__()
        self.real = _layers(config.latent, config.units, 1)
        self.heard = _layers(config.latent, config.units, HEARD)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Predict realism and attributes of latent vectors.

        Args:
            z: (B, latent).

        Returns:
            Logits (B,) of being a real melody's vector; and attributes (B, 3): mean pitch and density in standard
            deviations from real melodies, and the share of notes off the chords.
        """
        return self.real(z)[:, 0].float(), self.heard(z).float()


class Starts(nn.Module):
    """Distribution of the vectors of new melodies: normal, with the mean and covariance of real melodies' vectors.

    MusicVAE's own prior treats all values as independent, which they are not in real melodies: its samples wander
    between keys. A density fitted to the vectors after training is the simplest remedy (Ghosh et al. 2020, "From
    Variational to Deterministic Autoencoders", section 4).
    """

    mean: Tensor
    factor: Tensor

    def __init__(self, latent: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("factor", torch.eye(latent))

    @torch.no_grad()
    def fit(self, z: np.ndarray) -> None:
        """Estimate mean and covariance of the vectors of real melodies, with shrinkage if they are few.

        Args:
            z: float (N, latent).
        """
        covariance = np.cov(z.T.astype(np.float64)).reshape(z.shape[1], z.shape[1])
        share = z.shape[1] / (z.shape[1] + len(z))
        covariance = (1 - share) * covariance + share * np.diag(np.diag(covariance))
        factor = np.linalg.cholesky(covariance + 1e-4 * np.eye(len(covariance)))
        self.mean.copy_(torch.from_numpy(z.mean(axis=0)))
        self.factor.copy_(torch.from_numpy(factor))

    def forward(self, noise: Tensor) -> Tensor:
        """Convert standard normal noise to latent vectors.

        Args:
            noise: float32 (B, latent).

        Returns:
            float32 (B, latent).
        """
        return self.mean + noise @ self.factor.T


class ActorCritic(nn.Module):
    """Actor and critic as one module, as they are stored, with the distribution of new melodies."""

    def __init__(self, config: ActorCriticConfig):
        super().__init__()
        self.config = config
        self.actor, self.critic, self.starts = Actor(config), Critic(config), Starts(config.latent)

    def settings(self) -> dict[str, Any]:
        """Return plain values that rebuild the model."""
        return asdict(self.config)


def fingerprint(network: HierarchicalMusicVae) -> int:
    """Compute a number that identifies a trained MusicVAE, the same in single and half precision.

    Args:
        network: the MusicVAE.

    Returns:
        0 to 65535.
    """
    weights = network.mu.weight.detach().cpu().half().numpy()
    return zlib.crc32(np.ascontiguousarray(weights).tobytes()) & 0xFFFF


class EmotionModel:
    """Trained actor and critic with their MusicVAE, for inference; arguments and results are numpy arrays.

    Args:
        vae: MusicVAE whose latent vectors are moved.
        network: trained network, on the same device; it is set to evaluation mode.
        table: table of the emotions.

    Raises:
        D2MError: if the network was trained on another MusicVAE.
    """

    def __init__(self, vae: MusicVae, network: ActorCritic, table: EmotionTable | None = None):
        if network.config.latent != vae.config.latent or network.config.vae != fingerprint(vae.network):
            raise D2MError("the actor was trained on another MusicVAE; give that one, or train the actor again")
        self.vae, self.network, self.table = vae, network.eval(), table or load_emotions()

    @torch.no_grad()
    def steer(self, z: np.ndarray, targets: np.ndarray, strength: float = 1.0) -> np.ndarray:
        """Move latent vectors towards targets.

        Args:
            z: float32 (N, latent).
            targets: mean pitches (MIDI) and notes per bar (N, 2).
            strength: 0 to 1.

        Returns:
            float32 (N, latent).

        Raises:
            D2MError: if the strength is not between 0 and 1.
        """
        start = self._tensor(z)
        scaled = self.table.scaled(targets).clip(-WIDEST, WIDEST)
        wanted = torch.from_numpy(scaled.astype(np.float32)).to(start.device)
        return self.network.actor(start, wanted, check_strength(strength)).cpu().numpy()

    @torch.no_grad()
    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw vectors of new melodies, before they are moved.

        Args:
            count: number of vectors.
            rng: random generator.

        Returns:
            float32 (count, latent).
        """
        return self.network.starts(self._tensor(rng.standard_normal((count, self.vae.config.latent)))).cpu().numpy()

    def aim(
        self,
        z: np.ndarray,
        targets: np.ndarray,
        strength: float = 1.0,
        looks: int = LOOKS,
        forms: Forms | None = None,
    ) -> np.ndarray:
        """Move vectors as :meth:`steer` does, several times, with targets that are corrected by the remaining error.

        After each decoding the targets are corrected by the error of the decoded melodies; of all attempts the targets
        with the least error are kept. They are found at full strength and then applied with ``strength``.

        Args:
            z: (N, latent).
            targets: mean pitches (MIDI) and notes per bar (N, 2).
            strength: 0 to 1.
            looks: number of decodings; 0 is the same as :meth:`steer`.
            forms: forms of N melodies, in which they will be written.

        Returns:
            float32 (N, latent).
        """
        targets = np.asarray(targets, dtype=np.float64)
        told = best = targets.copy()
        least = np.full(len(targets), np.inf)
        for look in range(looks if strength and len(targets) else 0):
            got = attributes(self.vae.decode(self.steer(z, told), forms=forms))
            missed = np.where(np.isfinite(got), targets - got, 0.0)
            error = np.nan_to_num(self.table.errors(got, targets).mean(axis=1), nan=np.inf)
            better = error < least
            best, least = np.where(better[:, None], told, best), np.where(better, error, least)
            if look + 1 < looks:
                told = told + np.where(better[:, None], missed, 0.5 * (best - told))
        return self.steer(z, best, strength)

    def move(
        self,
        z: np.ndarray,
        emotion: str | Emotion,
        strength: float = 1.0,
        looks: int = 0,
        forms: Forms | None = None,
    ) -> np.ndarray:
        """Move latent vectors towards an emotion.

        Args:
            z: float32 (N, latent).
            emotion: name or entry of the table.
            strength: 0 to 1.
            looks, forms: as for :meth:`aim`.

        Returns:
            float32 (N, latent).

        Raises:
            D2MError: if there is no such emotion, or the strength is not between 0 and 1.
        """
        found = emotion if isinstance(emotion, Emotion) else self.table.find(emotion)
        return self.aim(z, np.tile([found.pitch, found.density], (len(z), 1)), strength, looks, forms)

    @torch.no_grad()
    def realism(self, z: np.ndarray) -> np.ndarray:
        """Compute the critic's probability that vectors are those of real melodies.

        Args:
            z: float32 (N, latent).

        Returns:
            float32 (N,), 0 to 1.
        """
        return self.network.critic(self._tensor(z))[0].sigmoid().cpu().numpy()

    def compose(
        self,
        emotion: str | Emotion,
        count: int,
        seed: int = 0,
        strength: float = 1.0,
        temperature: float = 0.5,
        looks: int = LOOKS,
    ) -> np.ndarray:
        """Generate melodies with an emotion, in the forms of real ones.

        At full strength those that miss the emotion's region are drawn anew, :data:`DRAWS` times in all; the nearest
        is kept.

        Args:
            emotion: name or entry of the table.
            count: number of melodies.
            seed: random seed.
            strength: 0 to 1.
            temperature: temperature of the decoder.
            looks: as for :meth:`aim`.

        Returns:
            uint8 (count, 256).

        Raises:
            D2MError: if there is no such emotion, or the strength is not between 0 and 1.
        """
        found = emotion if isinstance(emotion, Emotion) else self.table.find(emotion)
        rng, target = np.random.default_rng(seed), np.array([found.pitch, found.density])
        melodies, misses = np.zeros((count, STEPS), np.uint8), np.full(count, np.inf)
        missing = np.arange(count)
        for _ in range(DRAWS if strength == 1 else 1):
            z, forms = self.draw(len(missing), rng), load_forms().draw(len(missing), rng)
            drawn = self.vae.decode(self.move(z, found, strength, looks, forms), temperature, rng, forms, OUTSIDE)
            errors = np.nan_to_num(self.table.errors(attributes(drawn), target[None]).max(axis=1), nan=np.inf)
            better = (errors < misses[missing]) | ~np.isfinite(misses[missing])
            melodies[missing[better]], misses[missing[better]] = drawn[better], errors[better]
            missing = np.flatnonzero(misses > REGION)
            if not len(missing):
                break
        return melodies

    def recolour(
        self,
        melodies: np.ndarray,
        emotion: str | Emotion,
        strength: float = 1.0,
        temperature: float = 0.0,
        rng: np.random.Generator | None = None,
        looks: int = LOOKS,
    ) -> np.ndarray:
        """Change the emotion of melodies; at strength 0 the result is MusicVAE's reconstruction.

        Args:
            melodies: uint8 (N, 256).
            emotion: name or entry of the table.
            strength: 0 to 1.
            temperature: temperature of the decoder.
            rng: random generator, for a temperature above 0.
            looks: as for :meth:`aim`.

        Returns:
            uint8 (N, 256).

        Raises:
            D2MError: if there is no such emotion, or the strength is not between 0 and 1.
        """
        return self.vae.decode(self.move(self.vae.encode(melodies)[0], emotion, strength, looks), temperature, rng)

    def _tensor(self, z: np.ndarray) -> Tensor:
        z = np.asarray(z, dtype=np.float32)
        if z.ndim != 2 or z.shape[1] != self.vae.config.latent:
            raise D2MError(f"latent vectors are (N, {self.vae.config.latent}) values, not {z.shape}")
        return torch.from_numpy(z).to(next(self.network.parameters()).device)


def _layers(inputs: int, units: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, units),
        nn.SiLU(),
        nn.Linear(units, units),
        nn.SiLU(),
        nn.Linear(units, units),
        nn.SiLU(),
        nn.Linear(units, outputs),
    )
