"""Uploads in memory: bytes and times are bounded, and whoever is slowest gives way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus

import pytest
from starlette.requests import Request

from pipeline.serving.web import uploads
from pipeline.serving.web.uploads import MEDIA_TYPE, HeldUploads, UploadError, single_image


class Sender:
    """A request whose body comes when the test says so."""

    def __init__(self) -> None:
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()

    @property
    def request(self) -> Request:
        async def receive() -> dict[str, object]:
            chunk = await self.chunks.get()
            return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

        headers = [(b"content-type", MEDIA_TYPE.encode())]
        return Request({"type": "http", "method": "POST", "headers": headers}, receive)

    async def send(self, *chunks: bytes) -> None:
        for chunk in chunks:
            self.chunks.put_nowait(chunk)
        for _ in range(20):  # until whoever waits for them has taken them
            await asyncio.sleep(0)


async def received(held: HeldUploads, sender: Sender, until: asyncio.Event) -> bytes:
    async with held.receive(sender.request, single_image(sender.request)) as upload:
        await until.wait()
        return upload.read(upload.items()[0])


def run(scenario: AsyncIterator[None]) -> None:
    asyncio.run(asyncio.wait_for(scenario, 30))


def test_the_oldest_that_still_arrives_gives_way() -> None:
    async def scenario() -> None:
        held, answered = HeldUploads(most=10), asyncio.Event()
        senders = [Sender() for _ in range(3)]
        tasks = [asyncio.create_task(received(held, sender, answered)) for sender in senders]
        for sender in senders[:2]:
            await sender.send(b"12345")
        await senders[2].send(b"123", b"45678", b"")  # more than there is room for
        with pytest.raises(UploadError, match="the file gave way to others: send it again") as error:
            await tasks[0]
        assert error.value.status == HTTPStatus.REQUEST_TIMEOUT
        with pytest.raises(UploadError):
            await tasks[1]
        answered.set()
        assert await tasks[2] == b"12345678"

    run(scenario())


def test_a_whole_one_never_gives_way_and_others_wait_for_it() -> None:
    async def scenario() -> None:
        held, answered, late_answered = HeldUploads(most=10), asyncio.Event(), asyncio.Event()
        first, late = Sender(), Sender()
        whole = asyncio.create_task(received(held, first, answered))
        await first.send(b"123456", b"")
        waiting = asyncio.create_task(received(held, late, late_answered))
        await late.send(b"12345", b"")
        assert not waiting.done()
        assert late.chunks.qsize() == 1, "the rest stays where it is"
        answered.set()
        assert await whole == b"123456"
        late_answered.set()
        assert await waiting == b"12345"

    run(scenario())


@pytest.mark.parametrize("chunks", [(), (b"1",)], ids=["nothing", "one byte"])
def test_what_does_not_arrive_is_ended(chunks: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "GRACE_S", 0.05)

    async def scenario() -> None:
        sender = Sender()
        task = asyncio.create_task(received(HeldUploads(), sender, asyncio.Event()))
        await sender.send(*chunks)
        with pytest.raises(UploadError, match="took too long") as error:
            await task
        assert error.value.status == HTTPStatus.REQUEST_TIMEOUT

    run(scenario())


def test_what_is_held_is_given_back_whatever_happens() -> None:
    async def scenario() -> None:
        held = HeldUploads(most=4)
        for chunks in ((b"1234", b""), (b"12", b"")) * 3:
            sender, answered = Sender(), asyncio.Event()
            answered.set()
            task = asyncio.create_task(received(held, sender, answered))
            await sender.send(*chunks)
            assert await task == chunks[0]
        ended = Sender()
        task = asyncio.create_task(received(held, ended, asyncio.Event()))
        await ended.send(b"1234")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        after, answered = Sender(), asyncio.Event()
        answered.set()
        task = asyncio.create_task(received(held, after, answered))
        await after.send(b"5678", b"")
        assert await task == b"5678"

    run(scenario())
