"""Requests over real sockets: what is answered, and what is refused."""

from __future__ import annotations

import io
import json
import socket
import struct
import zlib
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pipeline import __version__

if TYPE_CHECKING:
    from running_server import Server

PAGES = [
    "/",
    "/page.css",
    "/page.js",
    "/about",
    "/thumbnail/0",
    "/nothing",
    "/thumbnail/x",
    "/api",
    "/api.css",
]
PAGES += ["/openapi.json", "/health", "/metrics"]
LIMIT = 20 * 2**20


def png_of(width: int, height: int) -> bytes:
    """Makes the beginning of a PNG that says it has this many pixels."""
    header = b"IHDR" + struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    body = b"IDAT" + zlib.compress(b"\0")
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, body))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_an_image_gets_classes_and_neighbours(server: Server) -> None:
    known = server.photos.files("train")[3]
    status, headers, body = server.ask("/predict", known.read_bytes())
    assert status == 200
    assert headers["content-type"] == "application/json"
    answer = json.loads(body)
    assert {one["class"] for one in answer["top"]} == {
        path.parent.name for path in server.photos.files("train")
    }
    assert sum(one["probability"] for one in answer["top"]) == pytest.approx(1)
    assert answer["trained_on"] is True
    first, *others = answer["nearest"]
    assert (first["id"], first["class"]) == (str(known.relative_to(server.photos.root)), known.parent.name)
    assert first["same"]
    assert first["similarity"] == pytest.approx(1)
    assert len(others) == 5
    assert not any(other["same"] for other in others)


def test_a_thumbnail_is_the_training_image(server: Server) -> None:
    row = json.loads(server.ask("/predict", server.photos.files("train")[3].read_bytes())[2])["nearest"][0]
    status, headers, body = server.ask(f"/thumbnail/{row['row']}")
    assert (status, headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(body)) as picture:
        assert picture.size == (128, 128)


@pytest.mark.parametrize("row", ["10", "9" * 5000, "-1", "%c2%b2", "0/../../x", "%2e%2e%2fhead.json"])
def test_there_is_nothing_beside_the_thumbnails(row: str, server: Server) -> None:
    assert server.ask(f"/thumbnail/{row}")[0] == 404


def test_a_thumbnail_of_an_image_that_changed_is_not_shown(server: Server) -> None:
    path = server.photos.files("train")[3]
    whole = path.read_bytes()
    row = json.loads(server.ask("/predict", whole)[2])["nearest"][0]["row"]
    path.write_bytes(server.photos.files("test")[0].read_bytes())
    try:
        assert server.ask(f"/thumbnail/{row}")[0] == 404
    finally:
        path.write_bytes(whole)
    assert server.ask(f"/thumbnail/{row}")[0] == 200


@pytest.mark.parametrize("page", PAGES)
def test_every_response_is_locked_down(page: str, server: Server) -> None:
    _, headers, _ = server.ask(page)
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:80", "localhost:{port}", "LOCALHOST", "[::1]:{port}"]
)
def test_own_names_are_answered(host: str, server: Server) -> None:
    assert server.ask("/", Host=host.format(port=server.port))[0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "localhost.evil", "", "[", "a:b:c"],
)
def test_a_name_that_was_led_here_is_refused(host: str, server: Server) -> None:
    status, headers, body = server.ask("/about", Host=host.format(port=server.port))
    assert status == 421
    assert b"does not go by that name" in body
    assert "content-security-policy" in headers


@pytest.mark.parametrize("host", ["classifier.example", "CLASSIFIER.example:80", "second.example"])
def test_a_name_that_was_given_is_answered(host: str, server: Server, knowing: Server) -> None:
    assert knowing.ask("/metrics", Host=host)[0] == 200
    assert server.ask("/metrics", Host=host)[0] == 421


def test_health_tells_what_answers(server: Server) -> None:
    status, _, body = server.ask("/health")
    told = {"ok": True, "head": "logreg", "backbone": "pixels", "classes": 2, "version": __version__}
    assert (status, json.loads(body)) == (200, told)
    assert server.ask("/health", Host="evil.example")[0] == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[", ""])
def test_what_another_site_sends_is_refused(origin: str, server: Server) -> None:
    assert server.ask("/predict", b"x", Origin=origin)[0] == 403


def test_the_own_page_may_send(server: Server) -> None:
    image = server.photos.files("test")[0].read_bytes()
    assert server.ask("/predict", image, Origin=server.url.rstrip("/"))[0] == 200


def test_a_browser_that_asks_for_another_site_is_not_told_yes(server: Server) -> None:
    connection = server.connect()
    connection.request("OPTIONS", "/predict", headers={"Access-Control-Request-Method": "POST"})
    response = connection.getresponse()
    assert response.status == 405
    assert response.getheader("access-control-allow-origin") is None
    connection.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the file is empty"),
        (b"no image", "no image of a known format"),
        (b"<svg onload='alert(1)'/>", "no image of a known format"),
        (png_of(64, 64), "damaged PNG"),
        (png_of(60_000, 60_000), "are more than the limit of 100,000,000"),
    ],
    ids=["empty", "text", "svg", "cut off", "bomb"],
)
def test_what_cannot_be_read_is_told(body: bytes, reason: str, server: Server) -> None:
    status, _, answer = server.ask("/predict", body)
    assert status == 422
    assert reason in json.loads(answer)["error"]


@pytest.mark.parametrize("kind", ["image/png", "text/plain", "multipart/form-data; boundary=x"])
def test_types_that_a_form_could_send_are_refused(kind: str, server: Server) -> None:
    status, _, answer = server.ask("/predict", b"x", Content_Type=kind)
    assert status == 415
    assert "application/octet-stream" in json.loads(answer)["error"]


def test_a_file_that_says_it_is_too_large_is_not_waited_for(server: Server) -> None:
    request = (
        f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
        f"Content-Length: {LIMIT + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_file_that_does_not_say_how_large_it_is_is_counted(server: Server) -> None:
    request = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.encode())
        chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
        for _ in range(20):
            connection.sendall(chunk)
        connection.sendall(b"1\r\nx\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_slow_uploads_keep_nobody_waiting(server: Server) -> None:
    request = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\n"
        "Content-Length: 8\r\n\r\nno imag"
    )
    slow = [socket.create_connection(("127.0.0.1", server.port), timeout=30) for _ in range(20)]
    try:
        for connection in slow:
            connection.sendall(request.encode())
        assert server.ask("/about")[0] == 200  # by now all of them are being received
        assert server.ask("/predict", b"no image")[0] == 422
        slow[0].sendall(b"e")
        assert slow[0].recv(100).startswith(b"HTTP/1.1 422 ")
    finally:
        for connection in slow:
            connection.close()


def test_an_upload_is_never_written(server: Server) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (1800, 1800)).save(picture, "BMP")
    assert server.ask("/predict", picture.getvalue())[0] == 200
    assert list(server.scratch.rglob("*")) == []
