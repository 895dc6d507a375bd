"""A real S3 server for the tests that need one: moto's, on 127.0.0.1, in this process, for all processes that ask it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

BUCKET = "still"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of an empty bucket; the environment, for child processes too, says where and with which keys."""
    server_module = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "an-id",
        "AWS_SECRET_ACCESS_KEY": "a-very-secret-key",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    store = s3fs.S3FileSystem()
    store.mkdir(BUCKET)
    yield f"s3://{BUCKET}"
    store.rm(BUCKET, recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()
