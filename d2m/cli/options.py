"""Help texts of options that several commands share, so that each option reads the same everywhere."""

from __future__ import annotations

OUTPUT_FOLDER = "Output folder; created if missing."
RESUMED_FOLDER = f"{OUTPUT_FOLDER} An unfinished run is resumed."
SEED = "Random seed."
JSON = "Print the result as one JSON object on stdout."
PROCESSES = "Number of parallel processes. The result does not depend on it."
SOUNDFONT = "SoundFont (.sf2 or .sf3) that plays the notes. Default: d2m's sound library."
ACCELERATOR = "Device type: auto, cpu, cuda or mps."
GENRE_NETWORK = "Weights of the genre network (name or file). Default: studio-genre."
VISUAL = "Visual features of the videos, as written by 'd2m features --visual i3d'."
LEVEL = "Level of the JukeBox VQ-VAE: high (hop 128) or low (hop 32)."
WAV = "Also render a .wav file beside the MIDI file."
PNG = "Also draw the piano-roll as a .png beside the MIDI file."
BRIDGE_BARS = "Bridge length in bars (1-8)."
MIX_METHOD = "Mix point search: harmonic, dtw or jsd (both from Smootify), or random."
STEPS = "Number of training steps of the whole run."
RATE = "Peak learning rate."
ADVERSARIAL_AFTER = "Step at which the adversarial loss starts. Default: never."
DECODER_ONLY = "With --from: freeze the encoder and the codebooks, train the decoder only."

#: Options that were renamed, without their dashes: old name -> new name. The old names stay for one release.
RENAMED = {
    "unheard": "input-dropout",
    "turned": "rotate-prob",
    "spare": "min-play",
    "guided": "imitation-weight",
    "lessons": "replay-steps",
    "judged": "critic-weight",
}


def current_name(name: str) -> str:
    """Return the current name of an option that was renamed, and any other name as it is."""
    return RENAMED.get(name, name)
