"""A request that makes the server fail is told in one line, whatever it holds."""

from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message, Receive, Scope, Send

from pipeline.serving.web.guard import Guard


def test_a_failure_nobody_thought_of_is_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        raise ZeroDivisionError("x" * 100_000)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(Guard(fail, names=[])(scope, receive, send))
    assert sent[0]["status"] == 500
    assert (b"cache-control", b"no-store") in sent[0]["headers"]
    said = capsys.readouterr().err
    assert said.startswith("pipeline: unexpected ZeroDivisionError: xxx")
    assert (said.count("\n"), len(said) < 300) == (1, True)
