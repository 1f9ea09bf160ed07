"""Rebuild ``d2m/features/pose_landmarker_full.task`` from the MediaPipe 0.10.21 wheel.

Newer MediaPipe wheels ship no models. The two BlazePose networks of 0.10.21 are Apache-2.0; the Tasks interface
wants them in one uncompressed zip, each with metadata that says how its input is normalised.

    python scripts/make_pose_asset.py                        # fetches the wheel with pip (needs the network)
    python scripts/make_pose_asset.py --wheel mediapipe-0.10.21-....whl -o pose_landmarker_full.task
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
import types
import zipfile
from pathlib import Path

VERSION = "0.10.21"
HERE = Path(__file__).resolve().parent
DEFAULT_OUTPUT = HERE.parent / "d2m" / "features" / "pose_landmarker_full.task"

#: Name in the bundle -> (path in the wheel, mean and standard deviation of the input, in 0..255 pixels).
MODELS = {
    "pose_detector.tflite": ("mediapipe/modules/pose_detection/pose_detection.tflite", 127.5, 127.5),
    "pose_landmarks_detector.tflite": (
        "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
        0.0,
        255.0,
    ),
}
#: A fixed time, so that the same wheel gives the same bytes.
TIMESTAMP = (2026, 11, 20, 6, 34, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--wheel", type=Path, help=f"the mediapipe {VERSION} wheel; fetched with pip if not given")
    parser.add_argument("-o", "--output", type=Path, default=DEFAULT_OUTPUT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = arguments.wheel or fetch(Path(folder))
        unpacked = Path(folder) / "unpacked"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
        models = {name: with_metadata(unpacked, *source) for name, source in MODELS.items()}
    write(arguments.output, models)
    print(f"{arguments.output}: {arguments.output.stat().st_size} bytes")


def fetch(folder: Path) -> Path:
    """Download the wheel into ``folder``."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "-d", str(folder), f"mediapipe=={VERSION}"], check=True)
    return next(folder.glob("mediapipe-*.whl"))


def with_metadata(unpacked: Path, path: str, mean: float, deviation: float) -> bytes:
    """Return the network with its input normalisation written into it by that wheel's own metadata writer."""
    for name in ("mediapipe", "mediapipe.tasks", "mediapipe.tasks.python"):
        # Only the writer is wanted: what else these packages start needs a NumPy of its time.
        package = types.ModuleType(name)
        package.__path__ = [str(unpacked.joinpath(*name.split(".")))]
        sys.modules.setdefault(name, package)
    module = importlib.import_module("mediapipe.tasks.python.metadata.metadata_writers.metadata_writer")
    writer = module.MetadataWriter.create(bytearray((unpacked / path).read_bytes()))
    # Placeholders, kept so that the bundle comes out byte for byte as shipped.
    writer.add_general_info("m", "d")
    writer.add_image_input([mean], [deviation])
    content, _ = writer.populate()
    return bytes(content)


def write(output: Path, models: dict[str, bytes]) -> None:
    """Write the bundle uncompressed, because MediaPipe maps the networks into memory."""
    temporary = output.with_suffix(".part")
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED) as bundle:
        for name, content in models.items():
            bundle.writestr(zipfile.ZipInfo(name, TIMESTAMP), content)
    temporary.replace(output)


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
