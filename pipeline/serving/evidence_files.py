"""Evidence for answers as pictures in a folder: the image, and beside it what spoke for the answer."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pipeline.cache import FeatureSet
from pipeline.errors import disk_errors
from pipeline.evaluation.evidence import Evidence, drawn
from pipeline.files import make_folder, written
from pipeline.heads import TrainedHead
from pipeline.images import ImageSource
from pipeline.images.decode import DecodeError
from pipeline.images.shown import shown_square
from pipeline.serving.kinds import kind_of
from pipeline.serving.predictor import Answer

SIDE = 320
MARK = "evidence for the first class of an answer"
_NAME = re.compile(r"[^0-9A-Za-z._-]+")


def is_evidence(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is a picture that :class:`EvidenceFolder` wrote."""
    return name.suffix == ".png" and head.startswith(b"\x89PNG") and MARK.encode() in head


class EvidenceFolder:
    """Draws the evidence of one answer after the other.

    Attributes:
        files: The picture of each image, by its name, or its pictures by their labels or numbers; those that
            cannot be read again have none.
        count: Pictures that were written.
    """

    def __init__(self, folder: Path, head: TrainedHead, train: FeatureSet, source: ImageSource) -> None:
        """Reads some training images.

        Args:
            folder: Where pictures go; it is made.
            head: What answers.
            train: Features of its training images.
            source: The images that are answered.

        Raises:
            UsageError: The features do not tell places apart.
            ForeignFileError: A link stands on the way.
            PipelineError: The folder cannot be made.
        """
        self._evidence = Evidence.of(head, train)
        self._folder = folder
        self._source = source
        self._items = {item.id: item for item in source.items()}
        self._spec = train.spec
        self._head, self._kind = head, kind_of(head)
        self.files: dict[str, Any] = {}
        self.count = 0
        with self._disk_errors():
            make_folder(folder, root=folder)

    def draw(self, answer: Answer) -> None:
        """Writes the pictures of an answer, if there is one: of its class, of each label, or of each number.

        Raises:
            ForeignFileError: A file of somebody else has its name.
            PipelineError: It cannot be written.
        """
        if answer.values is None or answer.features is None:
            return
        try:
            picture = shown_square(self._source.read(self._items[answer.id]), self._spec, SIDE)
        except (OSError, DecodeError):  # it has changed since it was answered
            return
        number, stem = len(self.files) + 1, _safe(Path(answer.id).stem)
        names, paths = [], []
        for place, chosen in enumerate(self._kind.chosen(self._head, answer.values), 1):
            names.append(self._head.classes[chosen])
            file = self._kind.PICTURE.format(number=number, stem=stem, place=place, name=_safe(names[-1]))
            found = self._evidence.of_class(answer.features, chosen)
            paths.append(self._written(file, np.concatenate([picture, drawn(picture, found)], axis=1)))
        self.files[answer.id] = self._kind.of_each(names, paths)
        self.count += len(paths)

    def _written(self, name: str, picture: np.ndarray) -> str:
        path, about = self._folder / name, PngInfo()
        about.add_text("Description", MARK)
        with self._disk_errors(), written(path, root=self._folder, known=is_evidence) as file:
            Image.fromarray(picture).save(file, "PNG", pnginfo=about)
        return str(path)

    def _disk_errors(self) -> AbstractContextManager[None]:
        return disk_errors(f"cannot write to {self._folder}", "Choose another folder with `--evidence`")


def _safe(name: str) -> str:
    """Returns what of a name can stand in that of a file everywhere."""
    return _NAME.sub("_", name)[:60]
