"""``pipeline serve``: a process that tells its address, answers, and ends when it is told to."""

from __future__ import annotations

import importlib.util
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos
from running_server import Server

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def stored(cli: Cli, some_photos: Photos) -> list[str]:
    """Options that pick features of pixels with a trained head."""
    options = ["--data", str(some_photos.root)]
    assert cli("extract", *options, "--backbone", "pixels", "--image-size", 8).exit_code == 0
    assert cli("train-head", *options).exit_code == 0
    return options


@contextmanager
def serving(*options: str) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "pipeline", "serve", *options]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "kill"])
def test_it_answers_as_predict_does_until_it_is_told_to_end(
    number: int, stored: list[str], photos: Photos, cli: Cli, the_object: Read, tmp_path: Path
) -> None:
    image = photos.files("test")[0]
    (expected,) = the_object(cli("predict", image, *stored, "--json"))["images"]
    with serving(*stored, "--port", "0", "--json") as process:
        told = json.loads(process.stdout.readline())
        assert (told["head"], told["dataset"]) == ("logreg", "photos")
        server = Server(process, told["url"], photos, tmp_path)
        status, _, body = server.ask("/predict", image.read_bytes())
        assert (status, json.loads(body)["top"]) == (200, expected["top"])
        idle = server.connect()
        idle.connect()  # an open connection holds nothing up
        assert server.ask("/health")[0] == 200  # by now the server has taken that one, too
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=30)
        idle.close()
    assert process.returncode == 130
    assert stdout == ""
    loading, *others = stderr.splitlines()
    assert loading == "loading pixels (pixels)"
    assert [line.split()[:2] for line in others] == [["pipeline:", "stopped."]], stderr


NO_HTTP = [
    b"nothing of the kind\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n",
]


def test_what_is_no_http_is_refused_and_fills_no_terminal(stored: list[str]) -> None:
    with serving(*stored, "--port", "0", "--json") as process:
        port = int(json.loads(process.stdout.readline())["url"].rstrip("/").rpartition(":")[2])
        for sent in NO_HTTP:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(sent)
                assert connection.recv(100).startswith(b"HTTP/1.1 ")
        process.send_signal(signal.SIGINT)
        loading, stopped = process.communicate(timeout=30)[1].splitlines()
    assert loading == "loading pixels (pixels)"
    assert stopped.startswith("pipeline: stopped.")


def test_a_person_is_told_the_address(stored: list[str]) -> None:
    with serving(*stored, "--port", "0") as process:
        line = process.stdout.readline()
    assert line.startswith("logreg on photos: http://127.0.0.1:")
    assert line.endswith("/  (Ctrl-C ends it)\n")


def test_whoever_lets_others_in_is_warned(stored: list[str]) -> None:
    with serving(*stored, "--port", "0", "--host", "0.0.0.0") as process:  # noqa: S104
        assert process.stdout.readline().startswith("logreg on photos: http://0.0.0.0:")
        assert process.stderr.readline() == "loading pixels (pixels)\n"
        assert process.stderr.readline().startswith("WARNING: whoever can reach this machine")


def test_a_port_that_is_taken_is_told(stored: list[str], cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = cli("serve", *stored, "--port", port)
    assert result.exit_code == 2
    assert f"cannot listen on port {port} of '127.0.0.1': Address already in use" in result.stderr
    assert "--port" in result.stderr


def test_a_host_that_nobody_knows_is_told(stored: list[str], cli: Cli) -> None:
    result = cli("serve", *stored, "--host", "no.such.host.invalid")
    assert result.exit_code == 2
    assert "of 'no.such.host.invalid'" in result.stderr


@pytest.mark.parametrize("name", ["http://x", "x:80", "x/y", "*", "*.example", "-x", "a b", "[::1]"])
def test_what_is_no_name_of_a_machine_is_told_at_once(name: str, cli: Cli) -> None:
    result = cli("serve", "--hostname", name)
    assert result.exit_code == 2
    assert f"--hostname {name!r} is no name of a machine" in result.stderr
    assert "--hostname classifier.example.org" in result.stderr


def test_without_the_extra_the_line_to_install_it_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "uvicorn" else find(name, *rest)
    )
    result = cli("serve")
    assert result.exit_code == 2
    assert "needs the package uvicorn: pip install 'two-stage-pipeline[serve]'" in result.stderr


def test_where_the_images_are_gone_it_answers_without_pictures(
    stored: list[str], photos: Photos, tmp_path: Path
) -> None:
    image = photos.files("test")[0].read_bytes()
    photos.root.rename(tmp_path / "elsewhere")
    with serving(*stored, "--port", "0", "--json") as process:
        server = Server(process, json.loads(process.stdout.readline())["url"], photos, tmp_path)
        assert json.loads(server.ask("/about")[2])["thumbnails"] is False
        assert server.ask("/predict", image)[0] == 200
        assert server.ask("/thumbnail/0")[0] == 404
        assert process.stderr.readline() == "loading pixels (pixels)\n"
        assert "no pictures of the training images" in process.stderr.readline()


def test_features_without_a_head_are_told_before_anything_is_loaded(stored: list[str], cli: Cli) -> None:
    result = cli("serve", *stored, "--head", "dense")
    assert result.exit_code == 2
    assert "no trained head at" in result.stderr
    assert "loading" not in result.stderr
