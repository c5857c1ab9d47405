"""Replies in JSON, and failures as an object with one line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from pipeline.errors import PipelineError
from pipeline.progress import say
from pipeline.serving.web.uploads import UploadError

Answering = Callable[[Request], Awaitable[Response]]


def reply(value: Any, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Writes a value as JSON, in ASCII, because a name may hold what UTF-8 cannot."""
    return Response(json.dumps(value, allow_nan=False), status, headers, media_type="application/json")


def refusal(line: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Says why there is no answer."""
    return reply({"error": line}, status, headers)


def told(answering: Answering) -> Answering:
    """Turns failures of what answers a request into an object with one line."""

    async def answer(request: Request) -> Response:
        try:
            return await answering(request)
        except UploadError as error:
            return refusal(str(error), error.status)
        except asyncio.CancelledError:  # Ctrl-C, and it took too long
            return refusal("the server has been stopped", HTTPStatus.SERVICE_UNAVAILABLE)
        except ClientDisconnect:
            return refusal("the request was cut off", HTTPStatus.BAD_REQUEST)  # nobody hears it
        except PipelineError as error:
            say(f"pipeline: {error}")
            return refusal(str(error), HTTPStatus.INTERNAL_SERVER_ERROR)

    return answer


async def no_such_route(request: Request, error: Exception) -> Response:
    """Answers where no route, or none of this method, is."""
    if not isinstance(error, HTTPException):
        raise error
    words = {
        HTTPStatus.NOT_FOUND: "there is nothing at this address: /api lists what there is",
        HTTPStatus.METHOD_NOT_ALLOWED: "this address does not take that method: /api lists what it takes",
    }
    line = words.get(HTTPStatus(error.status_code), error.detail)
    return refusal(line, error.status_code, error.headers)
