"""Stage one at work: portion by portion, each file filled by one process and published as it is whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property, partial

from pipeline.cache.entries import Entry
from pipeline.cache.locks import BusyError, Presence, filling
from pipeline.cache.retiring import clean, put_away
from pipeline.cache.shards import Part
from pipeline.cache.writer import EntryWriter
from pipeline.errors import PipelineError
from pipeline.extraction.filling import Filler, Headers
from pipeline.extraction.load import Failure, known_failures, with_copies
from pipeline.extraction.plan import Portion, Stretch
from pipeline.extraction.report import Extraction, Outcomes
from pipeline.extraction.targets import Wanted, wanted_rows
from pipeline.files import LeftAlone
from pipeline.images import SPLITS
from pipeline.images.manifest import Catalog
from pipeline.progress import say
from pipeline.stopping import kept_when_stopped


class Stage:
    """One run of stage one over all files of a source and all cuts of a base."""

    def __init__(
        self,
        entries: Sequence[Entry],
        catalog: Catalog,
        portions: Sequence[Portion],
        *,
        filler: Filler,
        views: int,
        measured: Mapping[str, float],
        skip_bad: bool,
    ) -> None:
        """Plans a run and touches nothing.

        Args:
            entries: One per cut.
            catalog: All images of the source.
            portions: The files, in the order in which they are filled.
            filler: Brings about the rows.
            views: Augmented views of each training image.
            measured: Images per second in each arithmetic, where ``auto`` measured them.
            skip_bad: Publish without the images that cannot be read: what failed is left out of the wanted
                rows, and its file is made once more from the rows that are there.
        """
        self.entries, self.catalog, self.portions = entries, catalog, portions
        self._filler, self._views, self._measured = filler, views, dict(measured)
        self._skip_bad = skip_bad
        self._headers = Headers(catalog, views, entries[0].spec.engine, measured)
        self._skipped: dict[str, Failure] = {}
        self._failed: dict[str, Failure] = {}
        self._outcomes = [Outcomes(entry) for entry in entries]
        self._left: list[LeftAlone] = []

    def run(self, presence: Presence) -> list[Extraction]:
        """Fills and publishes every file that can be whole.

        Files that take the place of others of the same name, but of another state of their split, wait until
        all files of the split are whole.

        Args:
            presence: The right to work in the entries' folders.

        Returns:
            One report per entry.

        Raises:
            MisrememberedError: Digests of an earlier run were wrong; what was computed is kept.
            PipelineError: No image is left, or the disk or the memory does not suffice.
        """
        unreadable = {bad.id: Failure(bad.id, bad.reason) for bad in self.catalog.unreadable}
        if self._skip_bad:
            self._skipped |= unreadable
            self._skip_known(part for parts in self.entries[0].parts.values() for part in parts)
        else:
            self._failed |= unreadable
        try:
            return self._run(presence)
        finally:  # also where it comes to no end: the next run may find nothing of it any more
            for outcomes in self._outcomes:
                for damage in outcomes.damage.reports():
                    say(f"note: {damage.line}")

    def _run(self, presence: Presence) -> list[Extraction]:
        self._go_through(self.portions, lambda portion: self._fill(portion, replace=False))
        if not self._outcomes[0].files:
            raise PipelineError(
                f"no image of {self.catalog.source.uri} can be read: check the files, or give another --data"
            )
        self._go_through(
            list(filter(self._waits, self.portions)), lambda portion: self._fill(portion, replace=True)
        )
        with presence.alone() as alone:  # else the last to leave does it
            for outcomes in self._outcomes if alone else ():
                self._left += put_away(
                    outcomes.entry, outcomes.files, held={*outcomes.unfinished, *self._held}
                )
                self._left += clean(outcomes.entry, outcomes.files)
        return [self._report(outcomes) for outcomes in self._outcomes]

    def _go_through(self, portions: Sequence[Portion], work: Callable[[Portion], None]) -> None:
        """Does something with each portion, while nobody else fills its files; those that are free first."""
        waiting = list(portions)
        while waiting:
            busy = [portion for portion in waiting if not self._attempt(portion, work, wait_s=0)]
            if len(busy) == len(waiting):
                self._attempt(busy.pop(0), work, wait_s=float("inf"))
            waiting = busy

    def _attempt(self, portion: Portion, work: Callable[[Portion], None], *, wait_s: float) -> bool:
        files = [entry.file(stretch.part.name) for entry in self.entries for stretch in portion]
        with ExitStack() as held:
            try:
                held.enter_context(filling(files, wait_s=wait_s))
            except BusyError:
                return False
            work(portion)
        return True

    def _fill(self, portion: Portion, *, replace: bool) -> None:
        """Fills and publishes the files of a portion; once more where images are found bad, and skipped."""
        if self._skip_bad:
            self._skip_known(stretch.part for stretch in portion)  # another process may have found some
        while True:
            wanted = wanted_rows(self.catalog, portion, self._skipped, views=self._views)
            if not wanted.rows:
                for outcomes in self._outcomes:
                    outcomes.forget(portion)
                return
            skipped = list(self._skipped.values())
            with ExitStack() as opened:
                writers = [
                    opened.enter_context(
                        EntryWriter(entry, self._headers.of(entry, portion, skipped), wanted.rows)
                    )
                    for entry in self.entries
                ]
                for writer in writers:
                    opened.enter_context(kept_when_stopped(writer.commit))
                opened.callback(self._take_down, writers)
                failures, computed = self._filler.fill(
                    writers, wanted, others=partial(self._others, portion), title=self._title(portion)
                )
                for outcomes, writer, rows in zip(self._outcomes, writers, computed, strict=True):
                    outcomes.damage.meet(writer.damaged)
                    outcomes.count(portion, wanted, writer.done, rows)
                self._look_again(failures, wanted)
                found = {failure.id: failure for failure in with_copies(failures, self.catalog)}
                if found and self._skip_bad:
                    self._skipped |= found
                    continue
                self._failed |= found
                held = {stretch.part.name for stretch in portion if stretch.part.split in self._held}
                for outcomes, writer in zip(self._outcomes, writers, strict=True):
                    outcomes.settle(portion, writer.publish(held, replace=replace))
                return

    def _look_again(self, failures: Sequence[Failure], wanted: Wanted) -> None:
        """Finds out whether images failed because the digests that an earlier run kept are wrong.

        Raises:
            MisrememberedError: So it was; they are forgotten.
        """
        doubtful = {one.id for one in failures if not one.digest}
        planned = {
            name: rows.digests[row].tobytes()
            for rows in (wanted.rows.values() if doubtful else ())
            for row, name in enumerate(rows.ids)
            if name in doubtful
        }
        self.catalog.look_again(planned, computed=lambda: [outcomes.computed for outcomes in self._outcomes])

    def _waits(self, portion: Portion) -> bool:
        """Tells whether files are not published though no row of their split is missing anywhere."""
        parts = [stretch.part for stretch in portion if stretch.part.split not in self._held]
        return any(
            part in outcomes.files
            and not outcomes.files[part].published
            and part.split not in outcomes.lacking
            for outcomes in self._outcomes
            for part in parts
        )

    @cached_property
    def _held(self) -> set[str]:
        """Splits that are not to be published: an image of theirs, or of any, could not even be read."""
        unreadable = [] if self._skip_bad else self.catalog.unreadable
        return {split for bad in unreadable for split in ([bad.split] if bad.split else SPLITS)}

    def _title(self, portion: Portion) -> str:
        count = len(self.portions)
        return "stage one" if count == 1 else f"stage one, {self.portions.index(portion) + 1} of {count}"

    def _others(self, portion: Portion) -> list[tuple[int, int]]:
        """Counts, per cut, the rows of all other files, and of those that are not laid out yet."""
        others = [stretch for other in self.portions if other != portion for stretch in other]
        return [
            (
                sum(stretch.rows(self._views) for stretch in others),
                sum(stretch.rows(self._views) for stretch in others if not _is_there(entry, stretch)),
            )
            for entry in self.entries
        ]

    def _skip_known(self, parts: Iterable[Part]) -> None:
        """Leaves out contents that published files record as bad: they need not be tried again."""
        known = known_failures(self.entries[0], parts)
        self._skipped |= {failure.id: failure for failure in with_copies(known, self.catalog)}

    def _report(self, outcomes: Outcomes) -> Extraction:
        seconds = self._filler.timings.seconds
        return Extraction(
            outcomes.entry,
            outcomes.reports(seconds["fill"]),
            failures=list(self._failed.values()),
            skipped=list(self._skipped.values()),
            unfinished=outcomes.unfinished,
            timings=dict(seconds),
            measured=self._measured,
            left=self._left_alone,
            damaged=outcomes.damage.reports(),
        )

    def _take_down(self, writers: Sequence[EntryWriter]) -> None:
        self._left += [one for writer in writers for one in writer.left]

    @property
    def _left_alone(self) -> list[LeftAlone]:
        """What stays unread or not understood, each file that is still there once."""
        replaced = {
            place
            for outcomes in self._outcomes
            for part in outcomes.files
            for place in (outcomes.entry.file(part.name), outcomes.entry.partial(part.name))
        }  # of these the writers know better: another file may stand there by now
        passed_over = [one for one in self._filler.left if one.path not in replaced]
        last = {one.path: one for one in [*passed_over, *self._left]}
        return [one for path, one in sorted(last.items()) if os.path.lexists(path)]


def _is_there(entry: Entry, stretch: Stretch) -> bool:
    return entry.file(stretch.part.name).exists() or entry.partial(stretch.part.name).exists()
