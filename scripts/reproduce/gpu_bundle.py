"""Make the bundle with which a bare GPU machine trains: code, two small packages of the command line, and data.

    python scripts/reproduce/gpu_bundle.py bundle.tar.gz                       # at most 60 MiB
    python scripts/reproduce/gpu_bundle.py tiny.tar.gz --songs 3 --examples 2 --seconds 6 --work tiny

The data is a prepared studio (music and dances for D2M-GAN and the codec) and examples (for the generator), made by the
commands of d2m, which go on where they were interrupted. The machine needs torch, lightning, numpy, scipy and
safetensors, the same minor version of Python as here, and no network.
"""

from __future__ import annotations

import argparse
import configparser
import json
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

from bare_site import PACKAGES, required

ROOT = Path(__file__).resolve().parent.parent.parent
#: What the command line needs besides the packages of the machine.
EXTRA = ("typer", "rich")
#: Weights that training reads.
WEIGHTS = ("studio-vqvae", "studio-codec")
LARGEST = 60 << 20
#: Files of the package that are no code: tables and cards.
_ENDINGS = (".py", ".toml", ".json", ".csv")


#: Starts d2m on the machine, whose own packages come before those of the bundle.
START = """import os, sys
sys.path.append(os.environ["BUNDLE_SITE"])
from d2m.cli.main import main
sys.exit(main())
"""


def copy_code(site: Path) -> None:
    """Copy the package in the layout in which it is installed, without sounds, pages and other weights."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    places = dict(line.replace(" ", "").split("=") for line in config["options"]["package_dir"].strip().splitlines())
    for package, folder in places.items():
        for path in sorted((ROOT / folder).rglob("*")):
            weights = path.suffix == ".safetensors" and path.stem in WEIGHTS
            if (path.suffix in _ENDINGS or weights) and "__pycache__" not in path.parts:
                target = site.joinpath(*package.split(".")) / path.relative_to(ROOT / folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def copy_packages(site: Path) -> None:
    """Copy installed packages."""
    for name in required(EXTRA) - required(PACKAGES):
        for file in metadata.files(name) or []:
            source = Path(str(file.locate()))
            if file.parts[0] != ".." and "__pycache__" not in file.parts and source.is_file():
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, site / file)


def make_data(work: Path, options: argparse.Namespace) -> None:
    """Make the prepared studio and the examples."""
    seconds, processes = str(options.seconds), str(options.processes)
    shared = ["--seed", "0", "--processes", processes]
    commands = (
        ["data", "studio", work / "studio", "--songs", options.songs, "--dances", 1, "--seconds", seconds, *shared],
        ["data", "prepare", "studio", "--root", work / "studio", "-o", work / "data" / "prepared"],
        ["data", "examples", work / "data" / "examples", "--studio-songs", options.examples, "--held-out",
         max(1, options.examples // 8), "--seconds", seconds, *shared],
    )  # fmt: skip
    for command in commands:
        subprocess.run([sys.executable, "-P", "-m", "d2m", *map(str, command)], check=True)


def main() -> None:
    """Make the bundle."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--songs", type=int, default=24, help="songs of the studio, with a dance each")
    parser.add_argument("--examples", type=int, default=10, help="examples for the generator")
    parser.add_argument("--seconds", type=float, default=12.0, help="length of songs and examples")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--work", type=Path, default=Path("gpu-work"), help="folder for the data, which is kept")
    options = parser.parse_args()
    make_data(options.work, options)
    with tempfile.TemporaryDirectory(prefix="d2m-bundle-") as folder:
        site = Path(folder) / "site"
        copy_code(site)
        copy_packages(site)
        (site / "start.py").write_text(START)
        about = {"python": platform.python_version(), "songs": options.songs, "seconds": options.seconds}
        (Path(folder) / "bundle.json").write_text(json.dumps(about) + "\n")
        with tarfile.open(options.bundle, "w:gz", compresslevel=9) as archive:
            archive.add(Path(folder) / "bundle.json", "bundle.json")
            archive.add(site, "site")
            archive.add(options.work / "data", "data")
    size = options.bundle.stat().st_size
    print(f"{options.bundle}: {size / 2**20:.1f} MiB")
    if size > LARGEST:
        options.bundle.unlink()
        sys.exit(f"the bundle would be larger than {LARGEST >> 20} MiB; give fewer --songs, --examples or --seconds")


if __name__ == "__main__":
    main()
