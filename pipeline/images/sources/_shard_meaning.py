"""How the images of all shards together are labelled, and which split each is stated to be in."""

from __future__ import annotations

from pipeline.errors import UsageError
from pipeline.images.sources._sample_classes import NAMES, Home, Place, name_labels, read_folders, read_names
from pipeline.images.sources._samples import Found
from pipeline.images.sources._shard_files import Shard, ShardFiles
from pipeline.images.sources._words import in_natural_order, on_one_line, some

_LONGEST_LIST = 2**24  # bytes of a list of class names


class Meaning:
    """How the images of all shards are labelled.

    Attributes:
        classes: Class names in natural order.
    """

    def __init__(self, homes: dict[str, Home], names: dict[str, str | None], labelled: bool) -> None:
        self._homes, self._names, self._labelled = homes, names, labelled
        known = names.values() if labelled else (home.label for home in homes.values())
        self.classes = tuple(in_natural_order({name for name in known if name is not None}))

    def label_of(self, image: Found) -> str | None:
        """Returns the class of an image."""
        if self._labelled:
            return None if image.label is None else self._names[image.label]
        return self._homes[_folder(image)].label

    def split_of(self, shard: Shard, image: Found, named: str | None) -> str | None:
        """Returns the split that is stated for an image, by its shard's name, its ``.json`` or its folder.

        Args:
            shard: Where the image is.
            image: The image.
            named: The split in the shard's name.

        Raises:
            UsageError: They disagree.
        """
        home = self._homes[_folder(image)]
        stated = [split for split in (named, image.split, home.split) if split]
        if len(set(stated)) > 1:
            raise UsageError(
                f"{shard.name}: {on_one_line(image.name)!r} is said to be in {' and in '.join(stated)}, "
                "by the names of shard and folder or its .json: make them agree"
            )
        return stated[0] if stated else None


def understand(files: ShardFiles, listed: list[tuple[Shard, list[Found]]], notes: list[str]) -> Meaning:
    """Tells what labels and folders mean; bare shards among labelled ones hold unlabelled images."""
    labels: dict[str, Place] = {}
    folders: dict[str, Place] = {}
    for shard, found in listed:
        for image in found:
            folders.setdefault(_folder(image), Place(shard.name, image.name))
            if image.label is not None:
                labels.setdefault(image.label, Place(shard.name, image.name))
    if labels and (bare := [shard.name for shard, found in listed if found and found[0].label is None]):
        notes.append(f"no labels in {some(bare)}")
    names = None
    if labels and (file := files.look(NAMES)):
        if file.size > _LONGEST_LIST:
            raise UsageError(f"{file.path} has {file.size:,} bytes: it is no list of class names")
        names = read_names(files.read(file, 0, file.size), on_one_line(file.path))
    return Meaning(read_folders(folders, labelled=bool(labels)), name_labels(labels, names), bool(labels))


def _folder(image: Found) -> str:
    return image.name.rpartition("/")[0]
