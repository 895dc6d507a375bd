"""Programs that try what a program of a model's must not: each comes to nothing, and nothing of it is left.

All of them are small and do no harm where a guard fails: they fork a few dozen processes, ask for a signal that this process
catches, and read a file that this test wrote.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.verify.sandbox.choose import sandbox_fault
from tasks.verify.sandbox.limits import SandboxLimits
from tasks.verify.sandbox.run import ProgramRun, SandboxKind, run_program

TIGHT = SandboxLimits(wall_s=20.0, cpu_s=2, memory_mb=256, processes=8, file_mb=1, folder_mb=4, output_kb=64)
IN_THE_WAY = {kind: sandbox_fault(kind) for kind in ("namespaces", "bubblewrap")}
SECRET = "the secret of the test"


@pytest.fixture(params=list(IN_THE_WAY))
def kind(request: pytest.FixtureRequest) -> SandboxKind:
    if IN_THE_WAY[request.param]:
        pytest.skip(f"{request.param}: {IN_THE_WAY[request.param]}")
    return request.param


@pytest.fixture
def mark(kind: SandboxKind) -> Iterator[str]:
    """A word in the command line of each process of a program; none has it once the program is over."""
    word = f"hostile-{kind}-{os.getpid()}-{time.monotonic_ns()}"
    yield word
    left = [entry.name for entry in Path("/proc").glob("[0-9]*") if word.encode() in _command(entry) and entry.is_dir()]
    assert not left, "a process is left over"


def _command(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def run(kind: SandboxKind, mark: str, program: str, limits: SandboxLimits = TIGHT) -> ProgramRun:
    ran = run_program(f"# {mark}\nimport os, sys, time\n{program}", "", kind, limits)
    assert ran.has_begun, ran.said
    return ran


def test_a_fork_bomb_gets_no_further_than_its_limit(kind: SandboxKind, mark: str) -> None:
    program = """
made = 0
for _ in range(40):
    try:
        if os.fork() == 0:
            time.sleep(300)
            os._exit(0)
        made += 1
    except BlockingIOError:
        break
print(made)
"""
    assert 0 < int(run(kind, mark, program).output) < TIGHT.processes


def test_a_process_that_leaves_its_group_is_not_left_over(kind: SandboxKind, mark: str) -> None:
    program = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(300)
    os._exit(0)
print("gone")
"""
    assert run(kind, mark, program).output == "gone\n"


def test_files_outside_are_neither_read_nor_written(kind: SandboxKind, mark: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    tmp_path.chmod(0o777)
    (tmp_path / "secret").chmod(0o666)
    program = f"""
for path, how in [({str(tmp_path / "secret")!r}, "r"), ({str(tmp_path / "new")!r}, "w"), ("/etc/passwd", "r"), ("/usr/new", "w"), ("/new", "w")]:
    try:
        print(open(path, how).read() if how == "r" else open(path, how).write("x"))
    except OSError as error:
        print("refused")
print(os.listdir("."), sorted(set(os.listdir("/")) & {{"home", "work", "srv", "var"}}))
"""
    assert run(kind, mark, program).output == "refused\n" * 5 + "[] []\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret"]


def test_there_is_no_network(kind: SandboxKind, mark: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        program = f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), 2)
    print("connected")
except OSError as error:
    print("refused")
print([name for _, name in socket.if_nameindex()])
"""
        assert run(kind, mark, program).output.splitlines()[0] == "refused"
        with pytest.raises(TimeoutError):
            server.accept()


def test_endless_output_is_cut_off(kind: SandboxKind, mark: str) -> None:
    program = "for _ in range(20000):\n    print('x' * 1000)"
    ran = run(kind, mark, program)
    assert ran.too_much and len(ran.output) == TIGHT.output_kb << 10


def test_signals_reach_no_process_outside(kind: SandboxKind, mark: str) -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: caught.append(number))
    program = f"""
import signal
for pid in ({os.getpid()}, os.getppid(), 1):
    try:
        os.kill(pid, signal.SIGUSR1)
    except OSError:
        pass
print("tried")
"""
    try:
        assert run(kind, mark, program).output == "tried\n"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not caught


def test_proc_tells_of_no_process_outside(kind: SandboxKind, mark: str) -> None:
    program = f"""
try:
    print(open("/proc/{os.getpid()}/cmdline").read())
except OSError:
    print("none")
print(len([name for name in (os.listdir("/proc") if os.path.isdir("/proc") else []) if name.isdigit()]) < 5)
print([name for name in os.environ if "KEY" in name or "STILLROOM" in name])
"""
    assert run(kind, mark, program).output == "none\nTrue\n[]\n"


def test_more_memory_than_is_allowed_is_not_given(kind: SandboxKind, mark: str) -> None:
    program = "try:\n    bytearray(2 << 30)\n    print('given')\nexcept MemoryError:\n    print('refused')"
    assert run(kind, mark, program).output == "refused\n"


def test_files_larger_than_allowed_are_not_written(kind: SandboxKind, mark: str) -> None:
    program = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
written = 0
try:
    for number in range(12):
        with open(str(number), "wb") as file:
            written += file.write(b"x" * (900 << 10))
            file.flush()
except OSError:
    pass
print(written <= 4 << 20)
try:
    with open("0", "wb") as file:
        file.write(b"x" * (2 << 20))
    print("written")
except OSError:
    print("refused")
"""
    assert run(kind, mark, program).output == "True\nrefused\n"


def test_one_that_sleeps_is_ended(kind: SandboxKind, mark: str) -> None:
    ran = run(kind, mark, "time.sleep(300)", SandboxLimits(wall_s=1.0))
    assert ran.is_late and ran.output == ""


def test_one_that_works_on_and_on_is_ended(kind: SandboxKind, mark: str) -> None:
    assert run(kind, mark, "while True:\n    pass", SandboxLimits(cpu_s=1, wall_s=60.0)).is_late


@pytest.mark.parametrize(("program", "code"), [("os._exit(0)", 0), ("sys.exit(3)", 3), ("os.abort()", 134)])
def test_an_exit_code_is_what_it_is(kind: SandboxKind, mark: str, program: str, code: int) -> None:
    assert run(kind, mark, program).code == code


def test_a_link_leads_nowhere_outside(kind: SandboxKind, mark: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    tmp_path.chmod(0o777)
    program = f"""
os.symlink({str(tmp_path)!r}, "link")
for path, how in [("link/secret", "r"), ("link/new", "w")]:
    try:
        print(open(path, how).read() if how == "r" else open(path, how).write("x"))
    except OSError:
        print("refused")
"""
    assert run(kind, mark, program).output == "refused\nrefused\n"
    assert not (tmp_path / "new").exists()


def test_rights_are_given_up(kind: SandboxKind, mark: str) -> None:
    program = """
print(os.getuid() != 0 and os.getgroups() in ([], [os.getgid()], [65534]))
try:
    os.setuid(0)
    print("root")
except OSError:
    print("refused")
print([name for name in ("0", "1", "2", "3", "4", "5", "6") if os.path.exists(f"/dev/fd/{name}") and int(name) > 2])
"""
    assert run(kind, mark, program).output.splitlines()[1] == "refused"


def test_limits_alone_end_what_leaves_its_group() -> None:
    program = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(300)
    os._exit(0)
time.sleep(0.2)
"""
    word = f"limits-{os.getpid()}-{time.monotonic_ns()}"
    assert run_program(f"# {word}\n{program}", "", "limits", SandboxLimits(wall_s=20.0)).code == 0
    assert not [entry for entry in Path("/proc").glob("[0-9]*") if word.encode() in _command(entry)]


def test_bubblewrap_is_what_is_taken_where_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.verify.sandbox import choose

    monkeypatch.setattr(choose, "sandbox_fault", lambda _: "")
    monkeypatch.delenv(choose.VARIABLE, raising=False)
    assert choose.sandbox() == "bubblewrap"
    monkeypatch.setenv(choose.VARIABLE, "limits")
    assert choose.sandbox() == "limits"
    monkeypatch.setenv(choose.VARIABLE, "limit")
    with pytest.raises(ValueError, match="did you mean limits"):
        choose.sandbox()
