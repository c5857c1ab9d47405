"""Extractor: a base, loaded once, that makes features of new images as stage one made those of an entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline import registry
from pipeline.backbones.weights import Weights, weights_of
from pipeline.cache.entries import Entry
from pipeline.cache.features import Selection
from pipeline.cache.finding import has_filters
from pipeline.cache.mapped_features import side_by_side
from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.extraction import engines
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.fastest import settle_batch_size
from pipeline.extraction.load import Batch, Loader, feature_batches
from pipeline.extraction.settle import SettledRequest, request_of
from pipeline.extraction.timing import Timings
from pipeline.hardware import cores
from pipeline.images import ImageItem, ImageSource
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import find_resize
from pipeline.progress import say
from pipeline.spec import RAW


@dataclass(frozen=True, eq=False)
class NewImage:
    """What the base made of an image.

    Attributes:
        id: Its name.
        digest: SHA-256 (32 bytes) of its content; zeros where it could not be read.
        features: As stage one would store them; None where there are none.
        reason: Why there are none, in a few words.
        remark: What the pixel range of the data set costs this image; mostly empty.
    """

    id: str
    digest: bytes
    features: np.ndarray | None = None
    reason: str = ""
    remark: str = ""


class Extractor:
    """Makes features of new images the way stage one makes those of a data set.

    Attributes:
        selection: The stored features that say how new ones are made.
    """

    def __init__(self, selection: Selection, *, weights: str | None = None) -> None:
        """Loads the base as stage one did: filters, cuts, arithmetic and engine.

        Args:
            selection: An entry, or several of one data set.
            weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters by
                their identity.

        Raises:
            UsageError: The filters cannot be found, or this machine lacks the engine, the arithmetic or what
                resizes.
            CacheMismatchError: The filters are others than those that made the features, the int8 network is
                gone, or this version of the pipeline computes something else.
        """
        self.selection = selection
        entries = selection.entries
        spec = entries[0].spec
        filters = filters_of(entries[0], weights)
        self._request = request_of(entries)
        _refuse_other_numbers(entries, self._request, filters)
        self._pixel_range = PixelRange.of(spec.pixel_range)
        find_resize(spec.resize, spec.geometry)  # told now, not with the first image
        arithmetic = spec.engine if spec.engine == RAW else f"{spec.engine}, {spec.precision}"
        say(f"loading {spec.backbone} ({arithmetic})")
        self._engine = registry.load(engines, "engine", self._request.engine).load(self._request, filters)

    def batches(self, source: ImageSource, *, batch_size: int | None = None) -> Iterator[list[NewImage]]:
        """Makes features of every image of a source, in its order.

        With the batch size of stage one the features are the same bit for bit; with another they may differ
        in the last one.

        Args:
            source: Lists and reads the images.
            batch_size: Images in a forward pass; None = as stage one chooses it, or fewer if there are fewer.

        Yields:
            The images of a batch; one that cannot be read or used has a reason instead of features.

        Raises:
            PipelineError: Not even one image fits the memory.
        """
        items = source.items()
        request = replace(self._request, batch_size=batch_size)
        size, _ = settle_batch_size(request, self._engine, len(items))
        if batch_size is None:
            size = min(size, len(items))
        done = 0
        while done < len(items):
            try:
                for images in self._batches(source, items[done:], size):
                    done += len(images)
                    yield images
            except BatchTooLargeError:
                if size == 1:
                    raise PipelineError(
                        "not even one image fits the memory: choose features of a smaller --image-size"
                    ) from None
                size //= 2
                say(f"a batch does not fit the memory: going on with batches of {size}")

    def _batches(
        self, source: ImageSource, items: Sequence[ImageItem], size: int
    ) -> Iterator[list[NewImage]]:
        loader = Loader(
            source=source,
            items=items,
            digests=None,
            views=np.zeros(len(items), np.uint8),
            augmentation=Augmentation(),
            image_size=self._request.image_size,
            batch_size=size,
            resize=self._request.resize,
            geometry=self._request.geometry,
            pixel_range=self._pixel_range,
        )
        wanted = [np.arange(at, min(at + size, len(items))) for at in range(0, len(items), size)]
        computed = feature_batches(
            wanted, loader=loader, engine=self._engine, threads=cores(), timings=Timings()
        )
        for rows, (batch, cuts) in zip(wanted, computed, strict=True):
            yield _images([items[int(row)].id for row in rows], batch, side_by_side(cuts)[: len(rows)])


def _images(ids: list[str], batch: Batch, features: np.ndarray) -> list[NewImage]:
    """Puts together what came of a batch: (n, *feature shape) in the stored dtype."""
    finite = np.isfinite(features).all(axis=tuple(range(1, features.ndim)))
    failures = iter(batch.failures)
    images = []
    for i, (name, digest) in enumerate(zip(ids, batch.digests, strict=True)):
        image = NewImage(name, digest.tobytes(), remark=batch.remarks.get(i, ""))
        if not batch.loaded[i]:
            image = replace(image, reason=next(failures).reason)
        elif not finite[i]:
            image = replace(image, reason=f"its features are not finite in {features.dtype}")
        else:
            image = replace(image, features=features[i])
        images.append(image)
    return images


def filters_of(entry: Entry, choice: str | None) -> Weights:
    """Finds the filters that made an entry's features.

    Args:
        entry: The entry.
        choice: What ``--weights`` says, or None; where it names no file, it often only tells entries apart.

    Raises:
        UsageError: They cannot be found.
        CacheMismatchError: ``choice`` are others.
    """
    if choice in (None, "auto") or has_filters(entry, choice):
        choice = "imagenet" if entry.weights_label == "imagenet" else None
    return weights_of(entry.spec, choice, option="--weights PATH", file=entry.weights_file)


def _refuse_other_numbers(entries: tuple[Entry, ...], request: SettledRequest, weights: Weights) -> None:
    for entry, made in zip(entries, request.specs(weights), strict=True):
        differing = entry.spec.plain.differences(made)
        if differing:
            fields = ", ".join(
                f"{name} {now!r} instead of {then!r}" for name, (then, now) in differing.items()
            )
            raise CacheMismatchError(
                f"{entry.folder}: this version would compute other features for new images ({fields}). "
                "Run `pipeline extract` and `pipeline train-head` again"
            )
