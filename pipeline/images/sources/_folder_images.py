"""The images of a tree of folders, listed by what its layout means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.source import UNLABELLED
from pipeline.images.sources._class_names import name_remarks
from pipeline.images.sources._folder_layout import (
    ImageFolder,
    empty_split,
    hints,
    look_further,
    read_layout,
    shown,
    where_is,
)
from pipeline.images.sources._folder_names import LAYOUT
from pipeline.images.sources._masks import Masks
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import in_natural_order, printable, some, split_of


class ListedImage(NamedTuple):
    """An image's relative path with the split and label that its folders name."""

    path: str
    split: str | None
    label: int


class FolderImages:
    """The images of a tree, and what is to be said of it once all of them were listed."""

    def __init__(self, walker: Walker) -> None:
        """Reads the layout; most images are listed later.

        Raises:
            UsageError: It is empty, or laid out differently.
        """
        self._walker = walker
        self._layout = read_layout(walker)
        folders = self._layout.folders
        self._names = in_natural_order({folder.label for folder in folders if folder.label is not None})
        self._counts: Counter[tuple[str | None, str | None]] = Counter()
        self._deeper: list[str] = []
        self._masks = Masks()

    def __iter__(self) -> Iterator[ListedImage]:
        """Yields all images in order, one folder in memory at a time; to be called once.

        Raises:
            UsageError: A folder cannot be listed, the tree or a split of it holds no images, or it is laid
                out differently.
        """
        labels = {name: i for i, name in enumerate(self._names)}
        for folder in self._layout.folders:
            label = UNLABELLED if folder.label is None else labels[folder.label]
            for path, names in self._folders(folder):
                self._counts[folder.split, folder.label] += len(names)
                self._masks.look(path, names)
                yield from (ListedImage(path + name, folder.split, label) for name in names)
        self._counts = +self._counts
        self._refuse_empty()
        if len(self.classes) == 1:
            self._layout.remarks.append(self._one_class())

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that have images, in natural order, once all images were listed."""
        found = {label for _, label in self._counts}
        return tuple(name for name in self._names if name in found)

    @property
    def labels(self) -> list[int]:
        """What the labels that were given out stand for among :attr:`classes`."""
        place = {name: i for i, name in enumerate(self.classes)}
        return [place.get(name, UNLABELLED) for name in self._names]

    def notes(self) -> tuple[str, ...]:
        """Returns all remarks, once all images were listed."""
        deeper = []
        if self._deeper:
            deeper.append(f"folders in classes that are called like splits: {some(self._deeper)}")
        return (
            *self._layout.remarks,
            *self._empty_folders(),
            *deeper,
            *name_remarks(self.classes),
            *self._masks.notes(),
            *self._walker.patterns.unused(self._walker.omissions),
        )

    def _folders(self, folder: ImageFolder) -> Iterator[tuple[str, list[str]]]:
        """Yields the folders of images that belong together."""
        listing = folder.listing or self._walker.listing(folder.prefix)
        if folder.label is None:
            yield folder.prefix, listing.images
            return
        if folder.split is None:
            self._refuse_splits(folder, listing.folders)
        yield from self._walker.images(folder.prefix, listing)

    def _refuse_splits(self, folder: ImageFolder, folders: list[str]) -> None:
        """Refuses a class folder with split folders in it, if others have none or more beside them."""
        words = [name for name in folders if split_of(name)]
        self._deeper += [printable(folder.prefix + name) for name in words]
        if len(set(map(split_of, words))) > 1:
            raise UsageError(
                f"{where_is(self._walker, folder.prefix)} holds split folders ({shown(words)}), but "
                f"{printable(self._layout.mixed)} holds others, or images beside them: put the images of all "
                "classes into split folders, or leave the others out with --leave-out"
            )

    def _refuse_empty(self) -> None:
        """Refuses a tree, or a split, without images."""
        if not self._counts:
            first = printable(self._layout.folders[0].prefix)
            raise UsageError(
                f"{self._walker.root} holds no images, in {first} and wherever else: expected {LAYOUT} below "
                f"it{hints(self._walker, '*/*.tar')}"
            )
        filled = {split for split, _ in self._counts}
        for folder in self._layout.folders:
            if folder.split and folder.split not in filled:
                raise empty_split(self._walker, folder.split, folder.prefix)

    def _one_class(self) -> str:
        """Returns a remark on a set of one class.

        Raises:
            UsageError: Split folders are in it.
        """
        folders = [folder for folder in self._layout.folders if (folder.split, folder.label) in self._counts]
        remark = f"one class only, {self.classes[0]!r}, which nothing can be told from"
        first = folders[0].prefix.partition("/")[0]
        if split_of(first) is None:
            further = look_further(self._walker, f"{first}/")
        else:
            inner = next(
                (self._walker.listing(folder.prefix).folders for folder in folders if folder.label), []
            )
            several = len(inner) > 1
            further = f"if its folders are the classes ({shown(inner)}), move them up" if several else ""
        return f"{remark}: {further}" if further else remark

    def _empty_folders(self) -> list[str]:
        """Remarks on class folders that have no image in any split; of others, the counts tell."""
        if nowhere := [name for name in self._names if name not in self.classes]:
            return [f"class folders without images, which are no classes: {some(nowhere)}"]
        return []
