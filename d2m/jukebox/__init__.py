"""JukeBox VQ-VAE (Dhariwal et al. 2020, "Jukebox: A Generative Model for Music", section 3 and table 4).

Three separate auto-encoders of raw audio, at hops of 8, 32 and 128 samples, each with one codebook of 2048
entries of 64 values. Parameter names and shapes are those of the published checkpoints, so they load
strictly:

    vqvae = d2m.jukebox.load("vqvae.pth.tar")       # OpenAI's (non-commercial licence), D2M-GAN's, or ours
    codes = vqvae.encode(waveform)                   # [(B, T/8), (B, T/32), (B, T/128)]
    waveform = vqvae.decode(codes, level=2)          # (B, T)

:class:`JukeboxCodec` is one level of it behind the interface that all codecs share.
"""

from __future__ import annotations

from .checkpoint import load, save
from .codec import JukeboxCodec
from .config import VQVAEConfig
from .vqvae import VQVAE, Reconstruction

__all__ = ["VQVAE", "JukeboxCodec", "Reconstruction", "VQVAEConfig", "load", "save"]
