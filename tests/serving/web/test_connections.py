"""Connections: bounded below what the system allows, and the idle ones give way."""

from __future__ import annotations

import json
import resource
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from running_server import Server

from pipeline.serving.web import server as connections
from pipeline.serving.web.server import BURST, FEWEST, MOST, OTHER_FILES, most_connections

FILES = 160
"""Files that the small server may open."""
MANY = 180
HEAD = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"


@pytest.fixture(scope="module")
def small(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server that may open few files, and what it says on stderr."""
    told = tmp_path_factory.mktemp("small") / "stderr"
    stage = ["--cache", server.scratch.parent / "features_cache", "--runs", server.scratch.parent / "runs"]
    words = [sys.executable, "-m", "pipeline", "serve", "--data", server.photos.root, *stage]
    command = f"ulimit -n {FILES}; exec {shlex.join(map(str, words))} --port 0 --json"
    with told.open("w") as stderr:
        process = subprocess.Popen(
            ["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=stderr, text=True
        )
    try:
        yield Server(process, json.loads(process.stdout.readline())["url"], server.photos, told.parent), told
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        pytest.param(b"GET / HT", marks=pytest.mark.torture),
        pytest.param(HEAD, marks=pytest.mark.torture),
        HEAD + b"Content-Length: 8\r\n\r\nno imag",
    ],
)
def test_idle_connections_keep_nobody_out(said: bytes, small: tuple[Server, Path]) -> None:
    server, told = small
    with ExitStack() as stack:
        for number in range(MANY):
            if number % BURST == 0:  # whoever finds the queue full waits a second for his next try
                assert server.ask("/about")[0] == 200
            one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=30))
            one.sendall(said)
        assert server.ask("/about")[0] == 200
        assert server.ask("/predict", b"no image")[0] == 422
        open_files = len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))
        assert open_files < FILES
    assert told.read_text() == "loading pixels (pixels)\n"


def test_a_connection_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio
    import threading

    import uvicorn
    from starlette.applications import Starlette

    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    protocol = connections.BoundedProtocol.for_server(4)
    config = uvicorn.Config(Starlette(), http=protocol, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
    thread.start()
    try:
        for said in (
            b"",
            b"GET /",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET",
        ):  # the last asks for more after an answer
            with socket.create_connection(listening.getsockname(), timeout=30) as one:
                one.sendall(said)
                answer = b""
                try:
                    while part := one.recv(4096):
                        answer += part
                except ConnectionResetError:
                    pass
                assert answer.startswith(b"HTTP/1.1 404") == said.endswith(b"GET")
        deadline = time.monotonic() + 30
        while protocol.open and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not protocol.open
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@pytest.mark.parametrize(
    ("files", "most"),
    [
        (256, 256 - OTHER_FILES),
        (64, FEWEST),
        (1 << 20, MOST),
        (resource.RLIM_INFINITY, MOST),
    ],
)
def test_there_are_files_left_beside_the_connections(
    files: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (files, files))
    assert most_connections() == most
