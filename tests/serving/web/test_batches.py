"""Several images in a form: order, images that spoil only their own answer, and forms that are refused."""

from __future__ import annotations

import gc
import json
import socket
import weakref
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running_server import Server, form_of

from pipeline.serving.web.forms import MAX_FORM_BYTES, Form
from pipeline.serving.web.uploads import MAX_BYTES, Part, UploadError

FORM = "multipart/form-data; boundary=between"


def ask(server: Server, *parts: tuple[str | None, bytes]) -> tuple[int, dict[str, Any]]:
    status, _, body = server.ask("/predict/batch", form_of(*parts), Content_Type=FORM)
    return status, json.loads(body)


def test_a_broken_image_spoils_only_its_own_answer(server: Server) -> None:
    good = [path.read_bytes() for path in server.photos.files("test")]
    parts = [("a.png", good[0]), ("b.png", good[0][:200]), ("c.png", good[-1]), ("", b""), (None, good[1])]
    status, batch = ask(server, *parts)
    assert status == 200
    assert [one["file"] for one in batch["images"]] == ["a.png", "b.png", "c.png", "", None]
    errors = [one["error"] for one in batch["images"]]
    assert "damaged PNG" in errors[1]
    assert "empty" in errors[3]
    assert [errors[place] for place in (0, 2, 4)] == [None] * 3
    for place in (0, 2, 4):
        alone = json.loads(server.ask("/predict", parts[place][1])[2])
        answer = batch["images"][place]["answer"]
        assert answer["nearest"] == alone["nearest"]
        assert [one["class"] for one in answer["top"]] == [one["class"] for one in alone["top"]]
        probabilities = [one["probability"] for one in answer["top"]]
        assert probabilities == pytest.approx([one["probability"] for one in alone["top"]])
    assert [one["answer"] is None for one in batch["images"]] == [False, True, False, True, False]


def test_as_many_as_are_allowed_keep_their_order(server: Server) -> None:
    known = server.photos.files("train")
    sent = [(f"{i}.png", known[i % len(known)].read_bytes()) for i in range(100)]
    status, batch = ask(server, *sent)
    assert status == 200
    assert [one["file"] for one in batch["images"]] == [name for name, _ in sent]
    found = [one["answer"]["nearest"] for one in batch["images"]]
    alone = [json.loads(server.ask("/predict", path.read_bytes())[2])["nearest"] for path in known]
    assert found == [alone[i % len(known)] for i in range(100)]
    assert len({json.dumps(one) for one in alone}) == len(known)


def test_one_that_is_too_large_spoils_only_its_own_answer(server: Server) -> None:
    good = server.photos.files("test")[0].read_bytes()
    status, batch = ask(server, ("large.png", good + bytes(MAX_BYTES)), ("good.png", good))
    assert status == 200
    assert batch["images"][0] == {
        "file": "large.png",
        "answer": None,
        "error": "the file is larger than 20 MB",
    }
    assert batch["images"][1]["error"] is None


@pytest.mark.parametrize("name", ["<script>.png", "../../etc/passwd", "Ä\N{DOG FACE}.png", "x" * 5000])
def test_a_hostile_name_is_given_back_and_used_for_nothing(name: str, server: Server) -> None:
    status, batch = ask(server, (name, server.photos.files("test")[0].read_bytes()))
    assert status == 200
    assert batch["images"][0]["file"] == name
    assert batch["images"][0]["error"] is None


WHOLE = form_of(("a", b"x"))


@pytest.mark.parametrize(
    ("kind", "body", "status", "reason"),
    [
        (FORM, form_of(*[("a", b"x")] * 101), 413, "more than 100 images"),
        (FORM, form_of(), 422, "no image in the form"),
        (FORM, b"", 400, "cut off"),
        (FORM, WHOLE[:-4], 400, "cut off"),
        (FORM, WHOLE[:-16], 400, "cut off"),
        (FORM, WHOLE[:20], 400, "cut off"),
        (FORM, b"x" * 200_000 + WHOLE, 400, "does not begin with the boundary"),
        (FORM, WHOLE.replace(b"\r\n", b"\n"), 400, "Did not find CR at end of boundary"),
        (FORM, WHOLE + b"x" * 200_000, 400, "behind its end"),
        (FORM, WHOLE + WHOLE, 400, "behind its end"),
        (FORM, b"--between\r\n" + b"x" * 200_000, 400, "header size"),
        (FORM, b"--between\r\n" + b"x: y\r\n" * 200, 400, "header count"),
        (FORM, WHOLE.replace(b"between--", b"between--between--"), 400, "behind its end"),
        (FORM, WHOLE.replace(b"Content-Disposition", b"X"), 400, "Content-Disposition"),
        (FORM, WHOLE.replace(b"form-data", b"attachment"), 400, "Content-Disposition"),
        (FORM, WHOLE.replace(b"image", b"\xff\xfe"), 400, "UTF-8"),
        ("multipart/form-data", WHOLE, 400, "no boundary"),
        ("multipart/form-data; boundary=", WHOLE, 400, "no boundary"),
        (f"multipart/form-data; boundary={'x' * 71}", WHOLE, 400, "no boundary"),
        ("multipart/form-data; boundary=\xe4", WHOLE, 400, "no boundary"),
        ("multipart/mixed; boundary=between", WHOLE, 415, "multipart/form-data"),
        ("application/octet-stream", WHOLE, 415, "multipart/form-data"),
        ("application/json", b'{"images": []}', 415, "multipart/form-data"),
        ("application/x-www-form-urlencoded", b"image=x", 415, "multipart/form-data"),
        ("", WHOLE, 415, "multipart/form-data"),
    ],
)
def test_what_is_no_form_of_images_is_refused_in_plain_words(
    kind: str, body: bytes, status: int, reason: str, server: Server
) -> None:
    found, headers, answer = server.ask("/predict/batch", body, Content_Type=kind)
    assert (found, headers["content-type"]) == (status, "application/json")
    assert reason in json.loads(answer)["error"]
    assert server.ask("/health")[0] == 200


def test_a_form_that_says_it_is_too_large_is_not_waited_for(server: Server) -> None:
    request = (
        f"POST /predict/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: {FORM}\r\n"
        f"Content-Length: {MAX_FORM_BYTES + 1}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(request.encode())
        answer = connection.recv(8192)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_form_of_another_site_is_refused(server: Server) -> None:
    """A browser sends a form to other sites without asking; only its origin tells."""
    body = form_of(("a.png", server.photos.files("test")[0].read_bytes()))
    for origin in ("http://evil.example", "null"):
        assert server.ask("/predict/batch", body, Content_Type=FORM, Origin=origin)[0] == 403
    own = server.url.rstrip("/")
    assert server.ask("/predict/batch", body, Content_Type=FORM, Origin=own)[0] == 200


def test_a_batch_is_never_written(server: Server) -> None:
    good = server.photos.files("test")[0].read_bytes()
    assert ask(server, ("a.png", good), ("b.bin", bytes(4 * 2**20)))[0] == 200
    assert list(server.scratch.rglob("*")) == []


def test_what_is_just_allowed_is_taken(server: Server) -> None:
    good, line = server.photos.files("test")[0].read_bytes(), "x" * 70
    body = form_of(("a", good.ljust(MAX_BYTES, b"\0")), boundary=line)
    status, _, answer = server.ask(
        "/predict/batch", body, Content_Type=f'multipart/form-data; boundary="{line}"'
    )
    assert (status, json.loads(answer)["images"][0]["error"]) == (200, None)


def images_of(*chunks: bytes) -> Sequence[Part]:
    form = Form(b"between")
    for chunk in chunks:
        form.write(chunk)
    return form.upload().parts


TRICKY = [
    b"\r\n--betwee\r\n",
    b"",
    b"--between\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\r\n--between-",
    bytes(range(256)),
]


@settings(max_examples=100, deadline=None)
@given(cuts=st.lists(st.integers(0, 1000), max_size=8), size=st.integers(1, 40))
def test_contents_that_look_like_a_boundary_stay_whole_however_they_arrive(
    cuts: list[int], size: int
) -> None:
    body = form_of(*[(f"{i}", content) for i, content in enumerate(TRICKY)])
    places = [0, *sorted(cuts), len(body)]
    expected = [(f"{i}", content) for i, content in enumerate(TRICKY)]
    for chunks in (
        [body],
        [body[start:end] for start, end in pairwise(places)],
        [body[start : start + size] for start in range(0, len(body), size)],
    ):
        assert [(part.file, bytes(part.data)) for part in images_of(*chunks)] == expected


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_stands_behind_the_end_is_seen_however_it_arrives(size: int) -> None:
    for behind in (b"x", b"\r\nx", WHOLE, b"between--\r\n"):
        body = WHOLE + behind
        with pytest.raises(UploadError, match="behind its end"):
            images_of(*(body[start : start + size] for start in range(0, len(body), size)))


def test_too_many_are_refused_while_they_arrive() -> None:
    form = Form(b"between")
    form.write(form_of(*[("a", b"x")] * 100).removesuffix(b"--\r\n"))
    with pytest.raises(UploadError, match="more than 100 images") as error:
        form.write(b"\r\n")
    assert error.value.status == 413


@pytest.mark.parametrize("body", [WHOLE, WHOLE[:-4]], ids=["whole", "cut off"])
def test_images_leave_the_memory_with_their_form(body: bytes) -> None:
    form = Form(b"between")
    form.write(body)
    images = weakref.ref(form._parts)
    gc.disable()  # which would find them, at a time of its own
    try:
        del form
        assert images() is None
    finally:
        gc.enable()


def test_a_damaged_form_writes_nothing_to_the_terminal(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UploadError):
        images_of(b"no form")
    assert caplog.records == []


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, 10**6), change=st.sampled_from([b"", b"x", b"\r\n", b"--", b"\0", b"\xff"]))
def test_a_damaged_form_is_read_or_refused_and_nothing_else(place: int, change: bytes) -> None:
    whole = form_of(("a", b"x" * 5), (None, b""), ("b", b"\r\n\r\n"))
    place %= len(whole) + 1
    for damaged in (
        whole[:place],
        whole[:place] + change + whole[place:],
        whole[:place] + whole[place + 1 :],
    ):
        with suppress(UploadError):
            images_of(damaged)


@pytest.mark.parametrize("end", range(1, len(WHOLE) - 4))
def test_a_form_without_an_end_is_refused(end: int) -> None:
    with pytest.raises(UploadError) as error:
        images_of(WHOLE[:end])
    assert error.value.status == 400
