"""Install the servers, ask each the same, and write what came of it into the table of docs/servers.md.

    python -m tests.real_servers [--server vllm] [--check "evolved"]... [--folder FOLDER]
    python -m tests.real_servers --server vllm --bench                 # tests/benchmarks/served.py on it, no checks

`--url` asks a server that runs already, by the name of `--server`. Cells that were not asked for stay as they are.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

from tests.real_servers.checks import CHECKS, Place
from tests.real_servers.servers import SERVERS, Server, install, started, version
from tests.real_servers.weights import weights

TABLE = Path(__file__).parents[2] / "docs" / "servers.md"
BEGIN, END = "<!-- made by make real-servers -->", "<!-- end -->"


def asked(server: Server, checks: list[str], folder: Path, url: str | None) -> dict[str, str]:
    """What came of each check on a server, and its version under "version"."""
    model, bin_ = weights(), install(server, folder)
    cells = {"version": version(server, bin_)}
    here = folder / "runs" / server.name
    shutil.rmtree(here, ignore_errors=True)
    with nullcontext(url) if url else started(server, bin_, model, folder) as base:
        name = str(model) if server.name == "transformers" else server.model
        for check in checks:
            place = Place(here / check.replace(" ", "-"), f"{name}@{base}", model, server.options)
            place.folder.mkdir(parents=True)
            cells[check] = cell_of(check, place, server)
            print(f"{server.name}: {check}: {cells[check]}", flush=True)
    return cells


def cell_of(check: str, place: Place, server: Server) -> str:
    """What came of one check, with what there is to know of it."""
    try:
        came = CHECKS[check](place)
    except Exception as error:  # noqa: BLE001  # a server that fails one check is asked the others
        came = f"**no**: {' '.join(str(error).split())[:160] or type(error).__name__}"
    return "; ".join(filter(None, (came, server.notes.get(check))))


def bench(server: Server, folder: Path, url: str | None) -> None:
    """Our client and our engine against a server."""
    model, bin_ = weights(), install(server, folder)
    with nullcontext(url) if url else started(server, bin_, model, folder) as base:
        name = str(model) if server.name == "transformers" else server.model
        command = [
            sys.executable,
            "-m",
            "tests.benchmarks.served",
            "--url",
            base,
            "--model",
            name,
            "--weights",
            str(model),
        ]
        subprocess.run(command, check=True)


def table(found: Mapping[str, Mapping[str, str]]) -> str:
    """The cells as Markdown, a column a server."""
    rows = ["version", *CHECKS]
    lines = ["| | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(cells.get(row, "") for cells in found.values()) + " |" for row in rows]
    return "\n".join(lines)


def cells_in(written: str) -> dict[str, dict[str, str]]:
    """The cells of a table as `table` writes it, by server and check."""
    grid = [[cell.strip() for cell in line.strip("|").split("|")] for line in written.strip().splitlines()]
    if not grid:
        return {}
    head, _, *rows = grid
    return {server: {row[0]: row[at] for row in rows} for at, server in enumerate(head[1:], 1)}


def put_in(document: str, found: Mapping[str, Mapping[str, str]]) -> str:
    """The document with these cells in its table; all others are as they were."""
    before, _, rest = document.partition(BEGIN)
    written, _, after = rest.partition(END)
    known = cells_in(written)
    names = [server.name for server in SERVERS if server.name in known or server.name in found]
    cells = {name: known.get(name, {}) | dict(found.get(name, {})) for name in names}
    return f"{before}{BEGIN}\n{table(cells)}\n{END}{after}"


def main() -> None:
    """Ask, print, and put what came of it into the document."""
    parser = argparse.ArgumentParser(description="both pipelines on real servers")
    parser.add_argument("--server", choices=[server.name for server in SERVERS], help="this one alone")
    parser.add_argument("--check", choices=list(CHECKS), action="append", help="this one alone, or these")
    parser.add_argument("--bench", action="store_true", help="the benchmark in place of the checks")
    parser.add_argument("--url", help="a server that runs already, ending in /v1; with --server")
    parser.add_argument("--folder", type=Path, default=Path(".stillroom/real-servers"), help="where they are installed")
    options = parser.parse_args()
    folder = options.folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    servers = [server for server in SERVERS if options.server in (None, server.name)]
    if options.bench:
        for server in servers:
            bench(server, folder, options.url)
        return
    found = {server.name: asked(server, options.check or list(CHECKS), folder, options.url) for server in servers}
    print(table(found))
    TABLE.write_text(put_in(TABLE.read_text(), found))


if __name__ == "__main__":
    main()
