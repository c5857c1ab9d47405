"""Stage one at work: compare, copy, compute, publish."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipeline.backbones.weights import Weights
from pipeline.cache.entries import Entry
from pipeline.cache.layout import Header, open_layout, row_bytes
from pipeline.cache.reuse import stored_rows
from pipeline.cache.writing import EntryWriter
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.executors import Crew
from pipeline.extraction.loading import Failure, Loader
from pipeline.extraction.plan import plan_blocks, plan_copies, rows_in_block
from pipeline.extraction.report import Extraction, SplitReport
from pipeline.extraction.request import FeatureRequest
from pipeline.extraction.timing import Timings
from pipeline.extraction.wanted import Wanted, wanted_rows
from pipeline.images import SPLITS
from pipeline.images.catalog import Catalog
from pipeline.openvino_runtime import openvino_installed
from pipeline.progress import progress, say
from pipeline.stopping import kept_when_stopped

BLOCK_ROWS = 256
"""Rows between two commits, rounded down to full batches: what a kill can cost at most."""
BLOCK_BYTES = 2**26
"""Bytes of a block's features, at most: it may have to travel."""


class Stage:
    """One run of stage one over all splits of a source and all cuts of a base."""

    def __init__(
        self,
        entries: Sequence[Entry],
        request: FeatureRequest,
        weights: Weights,
        catalog: Catalog,
        cache: Path,
        *,
        crew: Crew,
        measured: Mapping[str, float],
    ) -> None:
        self.entries = entries
        self.request = request
        self.weights = weights
        self.catalog = catalog
        self.cache = cache
        self.crew = crew
        self.measured = dict(measured)
        self.timings = Timings()
        self._computed = [dict.fromkeys(SPLITS, 0) for _ in entries]

    def run(self, *, skip_bad: bool) -> list[Extraction]:
        """Fills and publishes every split that is whole.

        Args:
            skip_bad: Publish without the images that cannot be read: what failed is left out of the wanted
                rows, and the files are made once more from the rows that are there.

        Returns:
            One report per entry.
        """
        skipped = self._skipped_before() if skip_bad else []
        while True:
            wanted = wanted_rows(self.catalog, {failure.id for failure in skipped}, views=self.request.views)
            with ExitStack() as opened:
                writers = [
                    opened.enter_context(
                        EntryWriter(entry, self._headers(entry, wanted, skipped), wanted.rows)
                    )
                    for entry in self.entries
                ]
                for writer in writers:
                    opened.enter_context(kept_when_stopped(writer.commit))
                failures = [] if all(writer.up_to_date for writer in writers) else self._fill(writers, wanted)
                if failures and skip_bad:
                    skipped = skipped + failures
                    continue
                unreadable = [] if skip_bad else self.catalog.unreadable
                held = {split for bad in unreadable for split in ([bad.split] if bad.split else SPLITS)}
                failures = [Failure(bad.id, bad.reason) for bad in unreadable] + failures
                return [
                    self._finish(writer, computed, wanted, held, failures, skipped)
                    for writer, computed in zip(writers, self._computed, strict=True)
                ]

    def _fill(self, writers: Sequence[EntryWriter], wanted: Wanted) -> list[Failure]:
        """Brings about the rows that the files lack and returns the images that failed."""
        keys = wanted.keys
        for number, writer in enumerate(writers):
            stored = stored_rows(self.cache, writer.entry.spec)
            shape = stored.feature_shape or self._crew.feature_shapes[number]
            self._announce(writer, shape)
            with self.timings.step("copy"):
                writer.open(shape)
                writer.copy(stored, *plan_copies(keys, writer.done, stored.keys))
        missing = plan_blocks(keys, [writer.done for writer in writers], BLOCK_ROWS)
        if not missing:
            return []
        batch_size = self._crew.settle_batch_size(self.request, sum(map(len, missing)))
        worked = np.zeros(len(keys), bool)
        worked[np.concatenate([block.rows for block in missing])] = True
        lacking = [~writer.done for writer in writers]
        while True:
            try:
                failures = self._compute(writers, wanted, batch_size)
                break
            except BatchTooLargeError:
                if batch_size == 1:
                    raise PipelineError(
                        "not even one image fits the memory: choose a smaller --image-size"
                    ) from None
                batch_size //= 2
                say(f"a batch does not fit the memory: going on with batches of {batch_size}")
        for writer, lacked, computed in zip(writers, lacking, self._computed, strict=True):
            for split, count in wanted.count(worked & lacked & writer.done).items():
                computed[split] += count
        return self._with_copies(failures)

    def _compute(self, writers: Sequence[EntryWriter], wanted: Wanted, batch_size: int) -> list[Failure]:
        """Runs the base over every missing row and returns the images that failed."""
        done = [writer.done for writer in writers]
        block_rows = self._block_rows(batch_size, int((~np.logical_and.reduce(done)).sum()))
        blocks = plan_blocks(wanted.keys, done, block_rows)
        loader = Loader(
            source=self.catalog.source,
            items=wanted.items,
            digests=wanted.digests,
            views=wanted.views,
            augmentation=self.request.augmentation,
            image_size=self.request.image_size,
            batch_size=batch_size,
        )
        total = sum(map(len, blocks))
        with self.timings.step("fill"), progress("stage one", total, "images") as advance:
            return self._crew.fill(
                blocks, loader=loader, writers=writers, timings=self.timings, advance=advance
            )

    def _block_rows(self, batch_size: int, missing: int) -> int:
        """Rows of a block: no more than a kill may cost, and enough blocks for all workers."""
        bytes_a_row = sum(
            row_bytes(shape, entry.spec.store)
            for shape, entry in zip(self._crew.feature_shapes, self.entries, strict=True)
        )
        most = min(BLOCK_ROWS, BLOCK_BYTES // bytes_a_row)
        return rows_in_block(batch_size, most=most, missing=missing, workers=self.crew.workers)

    @cached_property
    def _crew(self) -> Crew:
        """The crew with its base loaded; a run that computes nothing never loads it."""
        with self.timings.step("load"):
            self.crew.load(self.request, self.weights)
        return self.crew

    def _announce(self, writer: EntryWriter, feature_shape: tuple[int, ...]) -> None:
        """Prints what is about to be written and refuses what the disk cannot hold."""
        needed = writer.missing_bytes(feature_shape)
        free = shutil.disk_usage(self.cache).free
        spec = writer.entry.spec
        say(
            f"{writer.entry.dataset}: {writer.rows:,} rows of {spec.backbone} {spec.layer} "
            f"{feature_shape} in {spec.store}; {needed / 1e6:,.1f} MB to lay out, {free / 1e9:,.1f} GB free"
        )
        if needed > free:
            raise PipelineError(
                f"the features need {needed / 1e6:,.1f} MB and {self.cache} has {free / 1e6:,.1f} MB free: "
                "make room, choose another place with --cache, or an earlier reduction with --pooling avg"
            )

    def _headers(self, entry: Entry, wanted: Wanted, skipped: Sequence[Failure]) -> dict[str, Header]:
        record = tuple(asdict(failure) for failure in sorted(skipped, key=lambda failure: failure.id))
        software = {name: version(name) for name in ("tensorflow", "keras", "h5py", "pillow", "numpy")}
        if self.request.engine == "openvino" and openvino_installed():
            software["openvino"] = version("openvino")
        software |= {f"{name} images/s": f"{rate:.1f}" for name, rate in self.measured.items()}
        return {
            split: Header(
                spec=entry.spec,
                dataset=entry.dataset,
                source=entry.source,
                split=split,
                classes=tuple(self.catalog.source.classes),
                weights_label=entry.weights_label,
                skipped=record,
                software=software,
            )
            for split in wanted.rows
        }

    def _skipped_before(self) -> list[Failure]:
        """Images that need not be tried again: unreadable files, and contents known to be bad."""
        known: list[Failure] = []
        for split in self.entries[0].splits:
            with contextlib.suppress(CacheMismatchError, UsageError):
                header = open_layout(self.entries[0].file(split)).header
                known += [Failure(**record) for record in header.skipped if record["digest"]]
        return [Failure(bad.id, bad.reason) for bad in self.catalog.unreadable] + self._with_copies(known)

    def _with_copies(self, failures: Sequence[Failure]) -> list[Failure]:
        """Lists failures by file, and for each bad content all images of the source that have it."""
        reasons = {failure.digest: failure.reason for failure in failures if failure.digest}
        contents = (
            (name, digest.tobytes().hex())
            for rows in self.catalog.splits.values()
            for name, digest in zip(rows.ids, rows.digests, strict=True)
            if reasons
        )
        return [failure for failure in failures if not failure.digest] + [
            Failure(name, reasons[digest], digest) for name, digest in contents if digest in reasons
        ]

    def _finish(
        self,
        writer: EntryWriter,
        computed: Mapping[str, int],
        wanted: Wanted,
        held: set[str],
        failures: list[Failure],
        skipped: list[Failure],
    ) -> Extraction:
        """Publishes an entry's whole splits and reports on all of them."""
        done = writer.done
        unfinished = writer.publish(held)
        seconds = self.timings.seconds["fill"]
        total = max(sum(computed.values()), 1)
        there = wanted.count(done)
        splits = {
            split: SplitReport(
                file=writer.entry.partial(split) if split in unfinished else writer.entry.file(split),
                rows=len(rows),
                computed=computed[split],
                reused=there[split] - computed[split],
                failed=len(rows) - there[split],
                seconds=seconds * computed[split] / total,
            )
            for split, rows in wanted.rows.items()
        }
        return Extraction(
            writer.entry,
            splits,
            failures,
            skipped,
            unfinished,
            timings=dict(self.timings.seconds),
            measured=self.measured,
        )
