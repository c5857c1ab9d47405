"""What is not among the images, and what the source says of itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.cache import FeatureSet
from pipeline.evaluation.page.facts import header_of
from pipeline.images import ImageSource
from pipeline.wording import counted, first_few, readable

MOST_NAMED = 3
LONGEST = 300


def left_out(features: Mapping[str, FeatureSet], images: ImageSource | None) -> list[str]:
    """Lists what was left out: images that could not be used, by split, and files that are no images.

    Args:
        features: The splits by name.
        images: The source; None where it is gone, and only the features tell.
    """
    found = []
    for split, part in features.items():
        header = header_of(part)
        if header and header.skipped:
            named = [
                f"{readable(one['id'])} ({readable(one['reason'])})" for one in header.skipped[:MOST_NAMED]
            ]
            listed = first_few(named, MOST_NAMED, total=len(header.skipped))
            images_of = counted(len(header.skipped), "image")
            found.append(f"left out of {split}, because they cannot be used ({images_of}): {listed}")
    return found + [readable(one.line, LONGEST) for one in (images.left_out if images else ())]


def source_notes(images: ImageSource | None) -> Sequence[str]:
    """Returns what the source says of how it was understood."""
    return [readable(note, LONGEST) for note in images.notes] if images else []
