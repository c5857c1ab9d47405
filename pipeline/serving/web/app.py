"""The app: a site behind the addresses of the table of routes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.serving.web import openapi
from pipeline.serving.web.guard import Guard
from pipeline.serving.web.metrics import Measured
from pipeline.serving.web.operations import OPERATIONS
from pipeline.serving.web.replies import Answering, no_such_route, reply, told
from pipeline.serving.web.site import Site


def make_app(site: Site, *, names: Collection[str]) -> Starlette:
    """Puts a site behind its addresses.

    Args:
        site: What answers.
        names: Names of this server beside ``localhost`` and addresses of numbers.
    """
    description = openapi.document(site.target)
    answering: dict[str, Answering] = {
        "predict": site.predict,
        "predict_batch": site.predict_batch,
        "health": site.health,
        "metrics": site.metrics.show,
        "about": site.about,
        "thumbnail": site.thumbnail,
        "openapi": _always(lambda: reply(description)),
        "api": _text(openapi.page(site.target), "text/html"),
        "page": _file("page.html", "text/html"),
        "page_css": _file("page.css", "text/css"),
        "page_js": _file("page.js", "text/javascript"),
        "answers_js": _file("answers.js", "text/javascript"),
        "api_css": _file("api.css", "text/css"),
    }
    routes = [
        Route(one.path, told(answering.pop(one.name)), methods=[one.method], name=one.name)
        for one in OPERATIONS
    ]
    if answering:
        raise LookupError(f"no route leads to {', '.join(answering)}: add it to OPERATIONS")
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(Measured, metrics=site.metrics, routes=routes),
            Middleware(Guard, names=names),
        ],
        exception_handlers={HTTPException: no_such_route},
    )
    app.router.redirect_slashes = False  # an address has one form, that of the table
    return app


def _always(make: Callable[[], Response]) -> Answering:
    async def answer(request: Request) -> Response:
        return make()

    return answer


def _text(text: str, media_type: str) -> Answering:
    return _always(lambda: Response(text, media_type=media_type))


def _file(name: str, media_type: str) -> Answering:
    return _text(files("pipeline.serving.web").joinpath("static", name).read_text("utf-8"), media_type)
