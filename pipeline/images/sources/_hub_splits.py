"""The splits of a data set of Hugging Face, which are named by whoever made it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.images.sources._arrow_file import ArrowRows
from pipeline.images.sources._folder_names import find_splits
from pipeline.images.sources._left_out import Omissions
from pipeline.images.sources._words import on_one_line, split_of

OTHER_SPLITS = "splits of other names beside train, val and test"


def rows_of_splits(
    parts: Mapping[str, Sequence[str]], where: str, omissions: Omissions, *, states_splits: bool
) -> list[ArrowRows]:
    """Returns the rows of each split; those of other names are left out where any is train, val or test.

    Args:
        parts: Paths of the Arrow files of each split, by the name that the data set has for it.
        where: The data set, for messages.
        omissions: Takes notice of what is left out.
        states_splits: Whether the names are to be understood; else all rows are taken.

    Raises:
        UsageError: Two of them are the same split, or their names mix splits with something else.
    """
    if not states_splits or len(parts) == 1:
        return [ArrowRows(name, files, split_of(name)) for name, files in parts.items()]
    found = find_splits(list(parts), on_one_line(where))
    if not found.splits:
        return [ArrowRows(name, files, None) for name, files in parts.items()]
    omissions.add(OTHER_SPLITS, "", found.others)
    return [ArrowRows(name, parts[name], split) for split, name in found.splits.items()]
