"""Write ``constraints.txt``: the version of every package that d2m is installed and tested with.

    pip install uv && python scripts/make_constraints.py

``uv pip compile --universal`` resolves the requirements of setup.cfg for Linux, macOS and Windows and each supported
Python. PyTorch and the GPU libraries that it brings are left out: which build fits depends on the machine.
"""

from __future__ import annotations

import argparse
import configparser
import re
import subprocess
import tempfile
from pathlib import Path

from d2m.errors import D2MError
from d2m.extras import DISTRIBUTION

ROOT = Path(__file__).resolve().parent.parent
#: Packages whose version the platform decides.
PLATFORM = re.compile(r"^(torch|torchvision|triton|nvidia-|cuda-)")
HEADER = "# Tested versions; made by scripts/make_constraints.py. Use: pip install -c constraints.txt -e .\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "constraints.txt")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wanted, resolved = Path(folder) / "requirements.in", Path(folder) / "resolved.txt"
        wanted.write_text("\n".join(requirements()) + "\n", encoding="utf-8")
        command = ["uv", "pip", "compile", "--universal", "--python-version", "3.10", "--no-annotate", "--no-header"]
        if subprocess.run([*command, "--quiet", str(wanted), "-o", str(resolved)]).returncode:
            raise D2MError("the requirements of setup.cfg cannot be met together; uv says why above")
        lines = resolved.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.strip() and not line.startswith(("-", "#")) and not PLATFORM.match(line)]
    temporary = arguments.output.with_suffix(".part")
    temporary.write_text(HEADER + "\n".join(kept) + "\n", encoding="utf-8")
    temporary.replace(arguments.output)
    print(f"{arguments.output}: {len(kept)} lines")


def requirements() -> list[str]:
    """Return the requirements of setup.cfg, with those of every extra."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    # An extra that consists of others names them as extras of this distribution.
    own = ("#", f"{DISTRIBUTION}[")
    return sorted({line for line in lines if line and not line.startswith(own)})


if __name__ == "__main__":
    from one_line import run_main

    run_main(main)
