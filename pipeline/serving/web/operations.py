"""The table of routes: the app is made of it, and so is its description, so that neither has one more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus

from pipeline.images.targets import CLASS
from pipeline.serving.web.forms import FORM_TYPE, MAX_FORM_BYTES
from pipeline.serving.web.kinds import WEB_KINDS
from pipeline.serving.web.schema_words import COUNT, TEXT, Schema, but, named
from pipeline.serving.web.uploads import MAX_BYTES, MAX_FILES, MEDIA_TYPE

JSON = "application/json"
IMAGE_BYTES: Schema = {"type": "string", "contentMediaType": MEDIA_TYPE}


@dataclass(frozen=True)
class Content:
    """What a request or an answer carries.

    Attributes:
        media_type: Its type.
        description: What it is.
        schema: Its JSON Schema; None where it is bytes or text.
    """

    media_type: str
    description: str
    schema: Schema | None = None


@dataclass(frozen=True)
class Operation:
    """One route.

    Attributes:
        name: What answers it, see :func:`pipeline.serving.web.app.make_app`.
        method: ``GET`` or ``POST``.
        path: Its address, with ``{name}`` where something is to be filled in.
        summary: What it is for, in a few words.
        gives: What comes back where all is well.
        description: What else there is to know of it.
        takes: What has to be sent.
        parameters: What is to be filled in, by name.
        refusals: With which status it may refuse, and why; what may befall every request is not repeated.
    """

    name: str
    method: str
    path: str
    summary: str
    gives: Content
    description: str = ""
    takes: Content | None = None
    parameters: tuple[tuple[str, Schema], ...] = ()
    refusals: tuple[tuple[HTTPStatus, str], ...] = ()


ALWAYS = (
    (HTTPStatus.FORBIDDEN, "The request carries the origin of another site."),
    (
        HTTPStatus.MISDIRECTED_REQUEST,
        "The request names a host that is none of this server's: see --hostname.",
    ),
    (HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed; its terminal says more."),
    (HTTPStatus.SERVICE_UNAVAILABLE, "The server has been stopped."),
)
"""Refusals that any request may meet."""
_ARRIVING = (
    (HTTPStatus.BAD_REQUEST, "The request is damaged or cut off."),
    (HTTPStatus.REQUEST_TIMEOUT, "The upload took too long, or gave way to others."),
    (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The upload has more bytes, or more images, than are allowed."),
    (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The upload is of another type."),
)

OPERATIONS = (
    Operation(
        "predict",
        "POST",
        "/predict",
        "Answer for one image",
        Content(JSON, WEB_KINDS[CLASS].says, named("Answer")),
        description=f"The body is the file of an image, {MAX_BYTES // 2**20} MB at most.",
        takes=Content(MEDIA_TYPE, "The file of an image.", IMAGE_BYTES),
        refusals=(*_ARRIVING, (HTTPStatus.UNPROCESSABLE_ENTITY, "The image cannot be read.")),
    ),
    Operation(
        "predict_batch",
        "POST",
        "/predict/batch",
        "Answer for several images",
        Content(JSON, "An answer or an error for each image, in their order.", named("Batch")),
        description=(
            f"Every part of the form is an image, whatever its name: {MAX_FILES} at most, each of up to "
            f"{MAX_BYTES // 2**20} MB, {MAX_FORM_BYTES // 2**20} MB together. An image that cannot be read "
            "has an error of its own, and the others are answered."
        ),
        takes=Content(
            FORM_TYPE,
            "A part for each image.",
            {
                "type": "object",
                "properties": {
                    "image": {"type": "array", "items": IMAGE_BYTES, "minItems": 1, "maxItems": MAX_FILES}
                },
                "required": ["image"],
            },
        ),
        refusals=(*_ARRIVING, (HTTPStatus.UNPROCESSABLE_ENTITY, "There is no image in the form.")),
    ),
    Operation(
        "health",
        "GET",
        "/health",
        "Whether it answers, and what with",
        Content(JSON, "What answers.", named("Health")),
    ),
    Operation(
        "metrics",
        "GET",
        "/metrics",
        "Figures for Prometheus",
        Content("text/plain", "Prometheus's text format, version 0.0.4."),
        description=(
            "Requests by route and status, their seconds, images by what came of them, and, where the head "
            "knows it, how familiar they were."
        ),
    ),
    Operation(
        "about",
        "GET",
        "/about",
        "What answers, and its limits",
        Content(JSON, "Head, features and limits.", named("About")),
    ),
    Operation(
        "thumbnail",
        "GET",
        "/thumbnail/{row}",
        "Picture of a training image",
        Content("image/jpeg", "A square as the backbone is shown it."),
        parameters=(("row", but(COUNT, "Its row, as each of nearest in an answer has it.")),),
        refusals=((HTTPStatus.NOT_FOUND, "There is no such row, or its image is gone or has changed."),),
    ),
    Operation(
        "openapi",
        "GET",
        "/openapi.json",
        "This description for programs",
        Content(JSON, "OpenAPI 3.1.", {"type": "object", "required": ["openapi", "info", "paths"]}),
    ),
    Operation("api", "GET", "/api", "This description for people", Content("text/html", "A page.", TEXT)),
    Operation("page", "GET", "/", "The page for dropped images", Content("text/html", "A page.", TEXT)),
    Operation(
        "page_css", "GET", "/page.css", "Style of the pages", Content("text/css", "A style sheet.", TEXT)
    ),
    Operation("api_css", "GET", "/api.css", "Style of /api", Content("text/css", "A style sheet.", TEXT)),
    Operation(
        "page_js", "GET", "/page.js", "Script of the page", Content("text/javascript", "A script.", TEXT)
    ),
    Operation(
        "answers_js",
        "GET",
        "/answers.js",
        "How the page shows answers",
        Content("text/javascript", "A script.", TEXT),
    ),
)
"""Every route there is, as heads of classes answer it."""


def operations_of(target: str) -> tuple[Operation, ...]:
    """Returns every route as heads of a kind of target answer it."""
    says = WEB_KINDS[target].says
    return tuple(
        replace(one, gives=replace(one.gives, description=says)) if one.name == "predict" else one
        for one in OPERATIONS
    )
