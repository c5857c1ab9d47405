"""What is in the JSON that goes out, as JSON Schema (2020-12): objects have these members and no others."""

from __future__ import annotations

from pipeline.serving.web.kinds import WEB_KINDS
from pipeline.serving.web.schema_words import (
    COSINE,
    COUNT,
    NUMBER_VALUE,
    SHARE,
    TEXT,
    YES_OR_NO,
    Schema,
    but,
    closed,
    many,
    named,
    or_null,
)


def schemas_of(target: str) -> dict[str, Schema]:
    """Returns every object by its name, those that others refer to first, for heads of a kind of target."""
    kind = WEB_KINDS[target]
    found: dict[str, Schema] = {}
    found["Error"] = closed({"error": but(TEXT, "One line that says why there is no answer.")})
    found["Health"] = closed(
        {
            "ok": {"const": True},
            "head": TEXT,
            "backbone": TEXT,
            **kind.counts,
            "version": but(TEXT, "Version of the package."),
        }
    )
    found |= kind.objects
    found["Neighbour"] = closed(
        {
            "row": but(COUNT, "Its row among the training images; /thumbnail/{row} is its picture."),
            "id": TEXT,
            **kind.known,
            "similarity": but(COSINE, "Cosine between features averaged over positions."),
            "same": but(YES_OR_NO, "Whether it is the very image that was sent."),
        }
    )
    found["Answer"] = closed(
        {
            **kind.said,
            "trained_on": but(
                or_null(YES_OR_NO),
                "Whether the head was trained on this very image; null where it is not known.",
            ),
            "familiarity": but(
                or_null(COSINE),
                "Mean cosine to the nearest training images; null where the head does not know.",
            ),
            "familiar": but(
                or_null(YES_OR_NO), f"False where the image is unlike all of the training: {kind.strange}"
            ),
            **kind.bounded,
            "evidence": kind.evidence,
            "remark": but(TEXT, "What the pixel range of the data set costs this image; mostly empty."),
            "nearest": but(many(named("Neighbour")), "Training images that are most like it, six at most."),
        },
        optional=tuple(kind.bounded),
    )
    found["BatchImage"] = closed(
        {
            "file": but(or_null(TEXT), "The name that its part of the form gave."),
            "answer": or_null(named("Answer")),
            "error": but(or_null(TEXT), "Why there is no answer; null where there is one."),
        }
    )
    found["Batch"] = closed(
        {"images": but(many(named("BatchImage")), "One for each part of the form, in their order.")}
    )
    found["About"] = closed(
        {
            "head": TEXT,
            "dataset": TEXT,
            **kind.counts,
            "backbone": TEXT,
            "layer": but(TEXT, "Where its features are taken."),
            "image_size": but(COUNT, "Pixels of a side."),
            **kind.worth,
            "temperature": or_null(NUMBER_VALUE),
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
    return found
