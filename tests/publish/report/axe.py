"""axe-core, which finds what stands in the way of people who cannot see a page (MPL-2.0): fetched for the tests, never shipped."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path

import pytest

PACKAGE, FILE = "axe-core@4.14.1", "package/axe.min.js"
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
WAIT_S = 120


@cache
def axe_source() -> str:
    """The script. Skips the test, with the reason, where it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"needs npm, to fetch {PACKAGE}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            packed = subprocess.run(
                [npm, "pack", PACKAGE, "--silent"], cwd=folder, capture_output=True, text=True, timeout=WAIT_S
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"npm did not give {PACKAGE} in {WAIT_S} s")
        if packed.returncode:
            pytest.skip(f"npm does not give {PACKAGE}: {packed.stderr.strip().splitlines()[-1:]}")
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as files:
            member = files.extractfile(FILE)
            assert member is not None
            source = member.read()
    assert hashlib.sha256(source).hexdigest() == SHA256
    return source.decode()
