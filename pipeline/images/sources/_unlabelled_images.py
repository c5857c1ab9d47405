"""All images of a tree of folders, where the user says that none of them has a label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from pipeline.errors import UsageError
from pipeline.images.source import UNLABELLED
from pipeline.images.source_options import SourceOptions, flag
from pipeline.images.sources._folder_images import FolderImages, ListedImage
from pipeline.images.sources._folder_layout import hints, shown
from pipeline.images.sources._folder_names import SplitFolders, find_splits
from pipeline.images.sources._table_text import NONE
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import on_one_line


class UnlabelledImages:
    """The images of a tree in the order of its folders, of which only those of splits mean anything.

    Attributes:
        classes: None.
        labels: What labels that were given out stand for; there are none.
    """

    classes: ClassVar[tuple[str, ...]] = ()
    labels: ClassVar[Sequence[int]] = ()

    def __init__(self, walker: Walker) -> None:
        """Reads the folders at the top; all others are listed later.

        Raises:
            UsageError: Two of these are the same split, or their names mix splits with something else.
        """
        self._walker = walker
        self._top = walker.listing("")
        words = SplitFolders(others=self._top.folders)
        self._found = find_splits(self._top.folders, walker.root) if self._top.folders else words

    def __iter__(self) -> Iterator[ListedImage]:
        """Yields all images in order, one folder in memory at a time.

        Raises:
            UsageError: A folder cannot be listed, or there are no images.
        """
        splits = {name: split for split, name in self._found.splits.items()}
        empty = True
        for folder, names in self._walker.images("", self._top):
            split = splits.get(folder.partition("/")[0])
            empty &= not names
            yield from (ListedImage(folder + name, split, UNLABELLED) for name in names)
        if empty:
            raise UsageError(f"{self._walker.root} holds no images{hints(self._walker, '*.tar')}")

    def notes(self) -> tuple[str, ...]:
        """Returns all remarks, once all images were listed."""
        others = self._found.others
        read = [f"folders that are not read as labels: {shown(others)}"] if others else []
        return (*read, *self._walker.patterns.unused(self._walker.omissions))


def images_of_tree(walker: Walker, options: SourceOptions) -> FolderImages | UnlabelledImages:
    """Reads a tree of folders whose names are the labels, or mean none where the user says so.

    Raises:
        UsageError: It is empty, laid out differently, or a column is named, which no folder has.
    """
    if options.label_column == NONE:
        return UnlabelledImages(walker)
    if options.label_column:
        option = flag("label_column")
        raise UsageError(
            f"{walker.root} has folders and no columns, so {option} {on_one_line(options.label_column)} "
            f"means nothing there: leave it out to have folders for classes, or give {option} {NONE} for "
            "images without labels"
        )
    return FolderImages(walker)
