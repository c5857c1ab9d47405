"""What is in the JSON that goes out, as JSON Schema (2020-12): objects have these members and no others."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
COSINE: Schema = {"type": "number", "minimum": -1, "maximum": 1}
YES_OR_NO: Schema = {"type": "boolean"}


def but(schema: Schema, description: str) -> Schema:
    """Returns a schema that says what is meant by its values."""
    return schema | {"description": description}


def or_null(schema: Schema) -> Schema:
    """Returns a schema that takes null, too."""
    if "type" in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """Returns the schema of a list."""
    return {"type": "array", "items": schema}


def closed(members: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """Returns the schema of an object with these members and no others.

    Args:
        members: Each with its schema.
        optional: Those that may be missing.
    """
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def named(name: str) -> Schema:
    """Refers to one of :data:`SCHEMAS`."""
    if name not in SCHEMAS:
        raise KeyError(name)
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: dict[str, Schema] = {}
"""Every object by its name, those that others refer to first."""
SCHEMAS["Error"] = closed({"error": but(TEXT, "One line that says why there is no answer.")})
SCHEMAS["Health"] = closed(
    {
        "ok": {"const": True},
        "head": TEXT,
        "backbone": TEXT,
        "classes": but(COUNT, "How many there are."),
        "version": but(TEXT, "Version of the package."),
    }
)
SCHEMAS["Class"] = closed({"class": TEXT, "probability": SHARE})
SCHEMAS["Neighbour"] = closed(
    {
        "row": but(COUNT, "Its row among the training images; /thumbnail/{row} is its picture."),
        "id": TEXT,
        "class": or_null(TEXT),
        "similarity": but(COSINE, "Cosine between features averaged over positions."),
        "same": but(YES_OR_NO, "Whether it is the very image that was sent."),
    }
)
SCHEMAS["Answer"] = closed(
    {
        "top": but(many(named("Class")), "The most probable classes, five at most, the most probable first."),
        "trained_on": but(
            or_null(YES_OR_NO), "Whether the head was trained on this very image; null where it is not known."
        ),
        "familiarity": but(
            or_null(COSINE), "Mean cosine to the nearest training images; null where the head does not know."
        ),
        "familiar": but(
            or_null(YES_OR_NO),
            "False where the image is unlike all of the training: its classes mean nothing.",
        ),
        "set": but(
            many(TEXT), "The classes that hold the true one so often as --coverage says; missing without it."
        ),
        "evidence": but(
            or_null(many(many(NUMBER))),
            "What each place adds to the first class, -1 to 1; null where features have no places.",
        ),
        "remark": but(TEXT, "What the pixel range of the data set costs this image; mostly empty."),
        "nearest": but(many(named("Neighbour")), "Training images that are most like it, six at most."),
    },
    optional=("set",),
)
SCHEMAS["BatchImage"] = closed(
    {
        "file": but(or_null(TEXT), "The name that its part of the form gave."),
        "answer": or_null(named("Answer")),
        "error": but(or_null(TEXT), "Why there is no answer; null where there is one."),
    }
)
SCHEMAS["Batch"] = closed(
    {"images": but(many(named("BatchImage")), "One for each part of the form, in their order.")}
)
SCHEMAS["About"] = closed(
    {
        "head": TEXT,
        "dataset": TEXT,
        "classes": but(COUNT, "How many there are."),
        "backbone": TEXT,
        "layer": but(TEXT, "Where its features are taken."),
        "image_size": but(COUNT, "Pixels of a side."),
        "val_accuracy": or_null(SHARE),
        "temperature": or_null(NUMBER),
        "random_filters": but(YES_OR_NO, "Whether the backbone was never trained."),
        "searched": but(COUNT, "Training images that the nearest are looked for among."),
        "train_images": COUNT,
        "thumbnails": but(YES_OR_NO, "Whether there are pictures of training images."),
        "familiarity": but(
            or_null(closed({"threshold": COSINE, "rate": SHARE, "val_rows": COUNT})),
            "What tells images unlike all of the training; null where the head does not know.",
        ),
        "geometry": closed({"edge": or_null(COUNT), "keeps_ratio": YES_OR_NO}),
        "coverage": or_null(SHARE),
        "limits": closed(dict.fromkeys(("file_bytes", "files", "total_bytes", "batch_bytes"), COUNT)),
    }
)
