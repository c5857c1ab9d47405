"""Filling the files of a group: what stands in the cache is copied, what is missing computed."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np

from pipeline.backbones.weights import Weights
from pipeline.cache.entries import Entry
from pipeline.cache.format import Header, row_bytes
from pipeline.cache.reuse import DigestIndex, stored_rows
from pipeline.cache.writer import EntryWriter
from pipeline.errors import PipelineError
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.executors import Session
from pipeline.extraction.fastest import BATCHES, TRIAL_BATCH
from pipeline.extraction.load import Loader
from pipeline.extraction.measurements import Measurements, Rates
from pipeline.extraction.plan import FileGroup, FileSpan, plan_blocks, plan_copies, rows_in_block
from pipeline.extraction.settle import SettledRequest
from pipeline.extraction.targets import TargetRows
from pipeline.extraction.timing import Timings
from pipeline.files import LeftAlone
from pipeline.images import BadImage, ImageSource
from pipeline.images.manifest import Manifest
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import PACKAGE, by_package
from pipeline.progress import progress, say
from pipeline.runtimes.openvino import openvino_installed
from pipeline.spec import RAW, FeatureSpec
from pipeline.wording import counted

PACKAGES = ("tensorflow", "keras", "h5py", "pillow", "numpy")
"""Packages whose versions a feature file tells."""

BLOCK_ROWS = 256
"""Rows between two commits, rounded down to full batches: what a kill can cost at most."""
BLOCK_BYTES = 2**26
"""Bytes of a block's features, at most: it may have to travel."""

CountOthers = Callable[[], Sequence[tuple[int, int]]]


class RowMaker(Protocol):
    """Who brings about the rows of files, one group after the other; :class:`Filler` computes them.

    Attributes:
        timings: Seconds of each step so far.
        left: Files of the cache that cannot be read now.
        forward_rate: Images per second of the base alone; None where that was never measured.
        passed: Rows brought about that stood nowhere in the cache.
    """

    timings: Timings
    left: list[LeftAlone]
    forward_rate: float | None
    passed: int

    def fill(
        self, writers: Sequence[EntryWriter], wanted: TargetRows, *, others: CountOthers, title: str
    ) -> tuple[list[BadImage], list[np.ndarray]]:
        """Brings about the rows that files lack, see :meth:`Filler.fill`."""
        ...


@dataclass(frozen=True, eq=False)
class Headers:
    """Makes the headers of all files of a run.

    Attributes:
        manifest: All images of the source.
        views: Augmented views of each training image.
        engine: What runs the base.
        resize: What resizes.
        measured: Images per second in each arithmetic, where ``auto`` measured them.
    """

    manifest: Manifest
    views: int
    engine: str
    resize: str
    measured: Mapping[str, float]

    def of(self, entry: Entry, group: FileGroup, skipped: Sequence[BadImage]) -> dict[str, Header]:
        """Returns the header of each file of a group by the name of its shard.

        Args:
            entry: Where it stands.
            group: The files.
            skipped: Images of the source that are left out.
        """
        return {
            span.shard.name: Header(
                spec=entry.spec,
                dataset=entry.dataset,
                source=entry.source,
                split=span.shard.split,
                classes=tuple(self.manifest.source.classes),
                weights_label=entry.weights_label,
                skipped=self._left_out(span, skipped),
                software=self._software,
                number=span.shard.number,
                count=span.shard.count,
                whole=self._fingerprints[span.shard.split] if span.shard.count > 1 else "",
                target=self.manifest.target,
            )
            for span in group
        }

    def _left_out(self, span: FileSpan, skipped: Sequence[BadImage]) -> tuple[dict[str, str], ...]:
        """Lists what was left out of a file, and what is in no file because it could not be read."""
        if not skipped:
            return ()
        ids = set(self.manifest.splits[span.shard.split].ids[span.start : span.stop])
        ids.update(bad.id for bad in self.manifest.unreadable)
        found = (bad for bad in skipped if bad.id in ids)
        return tuple(
            {"id": bad.id, "reason": bad.reason, "digest": bad.digest}
            for bad in sorted(found, key=lambda bad: bad.id)
        )

    @cached_property
    def _software(self) -> dict[str, str]:
        packages: tuple[str, ...] = PACKAGES
        if self.engine == "openvino" and openvino_installed():
            packages += ("openvino",)
        if by_package(self.resize) and importlib.util.find_spec("cykooz_resizer"):  # nothing may be computed
            packages += (PACKAGE,)
        rates = {f"{name} images/s": f"{rate:.1f}" for name, rate in self.measured.items()}
        return {name: version(name) for name in packages} | rates

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        """What all files of a split have in common: its images, before any is left out, and their views."""
        return {
            split: f"{self.views if split == 'train' else 0} {rows.fingerprint()}"
            for split, rows in self.manifest.splits.items()
        }


class Filler:
    """Fills one group after the other with the same session.

    Attributes:
        timings: Seconds of each step so far.
        left: Files of the cache that cannot be read now; rows in them are computed again.
        forward_rate: Images per second of the base alone, in batches of the size in use; None where that was
            never measured.
        passed: Rows that went through the base, each once for all cuts.
    """

    def __init__(
        self,
        request: SettledRequest,
        weights: Weights,
        source: ImageSource,
        cache: Path,
        *,
        entries: Sequence[Entry],
        session: Session,
        measurements: Measurements,
        trial_rate: float | None = None,
    ) -> None:
        """Loads nothing yet.

        Args:
            request: Which features.
            weights: The filters of the base.
            source: Where images are read.
            cache: Folder of the cache.
            entries: All that stand in it: rows of theirs need not be computed.
            session: Who computes.
            measurements: What is known of the base on the machine that computes.
            trial_rate: Images per second of the base alone in batches of ``TRIAL_BATCH``, where known.
        """
        self.timings = Timings()
        self.left: list[LeftAlone] = []
        self.forward_rate: float | None = None
        self.passed = 0
        self._request, self._weights = request, weights
        self._source, self._cache, self._entries = source, cache, entries
        self._idle, self._measurements, self._trial_rate = session, measurements, trial_rate
        self._batch_size: int | None = None
        self._known_batches: Rates = {}
        self._announced = False
        self._digest_indexes: dict[FeatureSpec, DigestIndex] = {}
        self._shapes: dict[FeatureSpec, tuple[int, ...]] = {}

    def fill(
        self, writers: Sequence[EntryWriter], wanted: TargetRows, *, others: CountOthers, title: str
    ) -> tuple[list[BadImage], list[np.ndarray]]:
        """Brings about the rows that the files lack.

        Args:
            writers: One per cut.
            wanted: The rows of their files.
            others: Counts, per cut, the rows of all other files, and of those that are still to be laid
                out: the disk must hold them, too. Asked once.
            title: What is shown beside the progress.

        Returns:
            The images that failed, and for each cut, bool (G,), which rows were computed.

        Raises:
            PipelineError: The disk or the memory does not suffice.
        """
        keys = wanted.keys
        if not all(writer.complete for writer in writers):
            self._lay_out(writers, wanted, others)
        missing = plan_blocks(keys, [writer.done for writer in writers], BLOCK_ROWS)
        lacking = [~writer.done for writer in writers]
        if not missing:
            return [], [np.zeros_like(lacked) for lacked in lacking]
        worked = np.zeros(len(keys), bool)
        worked[np.concatenate([block.rows for block in missing])] = True
        failures = self._compute(writers, wanted, rows=sum(map(len, missing)), title=title)
        computed = [worked & lacked & writer.done for writer, lacked in zip(writers, lacking, strict=True)]
        self.passed += int(np.logical_or.reduce(computed).sum())
        return failures, computed

    def _lay_out(self, writers: Sequence[EntryWriter], wanted: TargetRows, others: CountOthers) -> None:
        """Lays out the files that are not there, and copies what stands elsewhere in the cache."""
        keys, shapes, found = wanted.keys, [], []
        for number, writer in enumerate(writers):
            spec = writer.entry.spec
            digest_index = self._digest_indexes.setdefault(spec, DigestIndex())
            stored = stored_rows(
                self._cache,
                spec,
                keys[~writer.done],
                entries=self._entries,
                images=wanted.rows.values(),
                digest_index=digest_index,
            )
            writer.damaged += stored.damaged
            if spec not in self._shapes:
                self._shapes[spec] = stored.feature_shape or self._session.feature_shapes[number]
            shapes.append(self._shapes[spec])
            found.append(stored)
            self.left += stored.left
        if not self._announced:
            self._announced = True
            announce(writers, shapes, others(), self._cache)
        for writer, shape, stored in zip(writers, shapes, found, strict=True):
            with self.timings.step("copy"):
                writer.open(shape)
                while len(damaged := writer.copy(stored, *plan_copies(keys, writer.done, stored.keys))):
                    stored = stored.without(damaged)  # the same row may stand elsewhere, too

    def _compute(
        self, writers: Sequence[EntryWriter], wanted: TargetRows, *, rows: int, title: str
    ) -> list[BadImage]:
        """Runs the base over every missing row, in batches that fit the memory."""
        if self._batch_size is None:
            self._batch_size = self._settled_batch_size(rows)
        while True:
            loader = self._loader(wanted, self._batch_size)
            done = [writer.done for writer in writers]
            most = self._block_rows(writers, self._batch_size, int((~np.logical_and.reduce(done)).sum()))
            blocks = plan_blocks(wanted.keys, done, most)
            try:
                with (
                    self.timings.step("fill"),
                    progress(title, sum(map(len, blocks)), "images") as advance,
                ):
                    return self._session.fill(
                        blocks, loader=loader, writers=writers, timings=self.timings, advance=advance
                    )
            except BatchTooLargeError:
                if self._batch_size == 1:
                    raise PipelineError(
                        "not even one image fits the memory: choose a smaller --image-size"
                    ) from None
                self._batch_size //= 2
                self.forward_rate = None  # which was that of larger batches
                say(f"a batch does not fit the memory: going on with batches of {self._batch_size}")

    def _settled_batch_size(self, rows: int) -> int:
        """Chooses the images in a forward pass; what was measured for that is said and remembered."""
        session, known = self._session, self._known_batches
        with self.timings.step("measure"):
            size, rates = session.settle_batch_size(self._request, rows, known)
        if self._idle.shares_files:
            self.forward_rate = rates.get(str(size), self._trial_rate if size == TRIAL_BATCH else None)
        if rates:
            figures = ", ".join(f"{name}: {rate:.1f}" for name, rate in rates.items())
            before = ", as measured before" if known else ""
            say(f"batch size: {figures} images/s; using {size}{before}")
        if rates and not known:
            self._measurements.remember(self._question, rates)
        return size

    def _loader(self, wanted: TargetRows, batch_size: int) -> Loader:
        return Loader(
            source=self._source,
            items=wanted.items,
            digests=wanted.digests,
            views=wanted.views,
            augmentation=self._request.augmentation,
            image_size=self._request.image_size,
            batch_size=batch_size,
            resize=self._request.resize,
            geometry=self._request.geometry,
            pixel_range=PixelRange.of(self._request.pixel_range),
        )

    def _block_rows(self, writers: Sequence[EntryWriter], batch_size: int, missing: int) -> int:
        """Rows of a block: no more than a kill may cost, and enough blocks for all workers."""
        bytes_a_row = sum(
            row_bytes(shape, writer.entry.spec.store)
            for shape, writer in zip(self._session.feature_shapes, writers, strict=True)
        )
        most = min(BLOCK_ROWS, BLOCK_BYTES // bytes_a_row)
        return rows_in_block(batch_size, most=most, missing=missing, workers=self._idle.workers)

    @cached_property
    def _session(self) -> Session:
        """The session with its base loaded; a run that computes nothing never loads it."""
        with self.timings.step("load"):
            if self._request.batch_size is None and self._request.engine != RAW:
                # Asked now: once workers are there, they may have all cores.
                self._known_batches = self._measurements.rates(self._question, list(map(str, BATCHES)))
            self._idle.load(self._request, self._weights)
        return self._idle

    @property
    def _question(self) -> str:
        return f"batches of {self._request.engine} {self._request.precision}"


def announce(
    writers: Sequence[EntryWriter],
    shapes: Sequence[tuple[int, ...]],
    others: Sequence[tuple[int, int]],
    cache: Path,
) -> None:
    """Prints what is about to be written and refuses what the disk cannot hold.

    Args:
        writers: One per cut.
        shapes: Of a row's features, per cut.
        others: Per cut, the rows of all other files, and of those that are still to be laid out.
        cache: Folder of the cache.

    Raises:
        PipelineError: There is too little room.
    """
    free, total = shutil.disk_usage(cache).free, 0
    for writer, shape, (rows, to_lay_out) in zip(writers, shapes, others, strict=True):
        spec = writer.entry.spec
        needed = writer.missing_bytes(shape) + to_lay_out * row_bytes(shape, spec.store)
        total += needed
        say(
            f"{writer.entry.dataset}: {counted(writer.rows + rows, 'row')} of {spec.backbone} "
            f"{spec.layer} {shape} in {spec.store}; {needed / 1e6:,.1f} MB to lay out, "
            f"{free / 1e9:,.1f} GB free"
        )
    if total > free:
        raise PipelineError(
            f"the features need {total / 1e6:,.1f} MB and {cache} has {free / 1e6:,.1f} MB free: "
            "make room, choose another place with --cache, or an earlier reduction with --pooling avg"
        )
