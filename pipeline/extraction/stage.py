"""Stage one at work: group by group, each file filled by one process and published as it is whole."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cached_property, partial

from pipeline.cache.entries import Entry
from pipeline.cache.locks import BusyError, SharedLock, fill_lock
from pipeline.cache.retiring import delete_redundant, retire_others
from pipeline.cache.shards import ShardName
from pipeline.cache.writer import EntryWriter
from pipeline.errors import PipelineError
from pipeline.extraction.filling import Headers, RowMaker
from pipeline.extraction.load import known_failures, with_copies
from pipeline.extraction.plan import FileGroup, FileSpan
from pipeline.extraction.report import Extraction, RunProgress
from pipeline.extraction.targets import TargetRows, target_rows
from pipeline.files import LeftAlone
from pipeline.images import SPLITS, BadImage
from pipeline.images.manifest import Manifest
from pipeline.progress import say
from pipeline.stopping import kept_when_stopped


class Stage:
    """One run of stage one over all files of a source and all cuts of a base."""

    def __init__(
        self,
        entries: Sequence[Entry],
        manifest: Manifest,
        groups: Sequence[FileGroup],
        *,
        filler: RowMaker,
        views: int,
        measured: Mapping[str, float],
        skip_bad: bool,
    ) -> None:
        """Plans a run and touches nothing.

        Args:
            entries: One per cut.
            manifest: All images of the source.
            groups: The files, in the order in which they are filled.
            filler: Brings about the rows.
            views: Augmented views of each training image.
            measured: Images per second in each arithmetic, where ``auto`` measured them.
            skip_bad: Publish without the images that cannot be read: what failed is left out of the wanted
                rows, and its file is made once more from the rows that are there.
        """
        self.entries, self.manifest, self.groups = entries, manifest, groups
        self._filler, self._views, self._measured = filler, views, dict(measured)
        self._skip_bad = skip_bad
        self._headers = Headers(manifest, views, entries[0].spec.engine, entries[0].spec.resize, measured)
        self._skipped: dict[str, BadImage] = {}
        self._failed: dict[str, BadImage] = {}
        self._progress = [RunProgress(entry) for entry in entries]
        self._left: list[LeftAlone] = []

    def run(self, lock: SharedLock) -> list[Extraction]:
        """Fills and publishes every file that can be whole.

        Files that take the place of others of the same name, but of another state of their split, wait until
        all files of the split are whole.

        Args:
            lock: Of the entries' folders.

        Returns:
            One report per entry.

        Raises:
            MisrememberedError: Digests of an earlier run were wrong; what was computed is kept.
            PipelineError: No image is left, or the disk or the memory does not suffice.
        """
        unreadable = {bad.id: bad for bad in self.manifest.unreadable}
        if self._skip_bad:
            self._skipped |= unreadable
            self._skip_known(shard for shards in self.entries[0].shards.values() for shard in shards)
        else:
            self._failed |= unreadable
        try:
            with closing(self._locked(self.groups)) as groups:
                for group in groups:
                    self._fill(group, replace=False)
            if not self._progress[0].files:
                raise PipelineError(
                    f"no image of {self.manifest.source.uri} can be read: check the files, or give another "
                    "--data"
                )
            with closing(self._locked(list(filter(self._waits, self.groups)))) as groups:
                for group in groups:
                    self._fill(group, replace=True)
            self._tidy_up(lock)
        finally:  # also where it comes to no end: the next run may find nothing of it any more
            for one in self._progress:
                for damage in one.damage.reports():
                    say(f"note: {damage.line}")
        return [self._report(one) for one in self._progress]

    def _tidy_up(self, lock: SharedLock) -> None:
        """Removes what is not wanted any more, unless others work in the entries: the last to leave does."""
        with lock.try_exclusive() as exclusive:
            for one in self._progress if exclusive else ():
                self._left += retire_others(one.entry, one.files, held={*one.unfinished, *self._held})
                self._left += delete_redundant(one.entry, one.files)

    def _locked(self, groups: Sequence[FileGroup]) -> Generator[FileGroup]:
        """Yields each group while nobody else fills its files; those that are free come first."""
        waiting, wait_s = list(groups), 0.0
        while waiting:
            busy = []
            for group in waiting:
                files = [entry.file(span.shard.name) for entry in self.entries for span in group]
                with ExitStack() as held:
                    try:
                        held.enter_context(fill_lock(files, wait_s=wait_s))
                    except BusyError:
                        busy.append(group)
                        continue
                    wait_s = 0.0
                    yield group
            wait_s = float("inf") if len(busy) == len(waiting) else 0.0  # all are busy: wait for the first
            waiting = busy

    def _fill(self, group: FileGroup, *, replace: bool) -> None:
        """Fills and publishes the files of a group; once more where images are found bad, and skipped."""
        if self._skip_bad:
            self._skip_known(span.shard for span in group)  # another process may have found some
        while True:
            wanted = target_rows(self.manifest, group, self._skipped, views=self._views)
            if not wanted.rows:
                for progress in self._progress:
                    progress.forget(group)
                return
            skipped = list(self._skipped.values())
            with ExitStack() as opened:
                writers = [
                    opened.enter_context(
                        EntryWriter(entry, self._headers.of(entry, group, skipped), wanted.rows)
                    )
                    for entry in self.entries
                ]
                for writer in writers:
                    opened.enter_context(kept_when_stopped(writer.commit))
                opened.callback(self._take_down, writers)
                failures, computed = self._filler.fill(
                    writers, wanted, others=partial(self._others, group), title=self._title(group)
                )
                for progress, writer, rows in zip(self._progress, writers, computed, strict=True):
                    progress.damage.meet(writer.damaged)
                    progress.count(group, wanted, writer.done, rows)
                self._look_again(failures, wanted)
                found = {failure.id: failure for failure in with_copies(failures, self.manifest)}
                if found and self._skip_bad:
                    self._skipped |= found
                    continue
                self._failed |= found
                held = {span.shard.name for span in group if span.shard.split in self._held}
                for progress, writer in zip(self._progress, writers, strict=True):
                    progress.settle(group, writer.publish(held, replace=replace))
                return

    def _look_again(self, failures: Sequence[BadImage], wanted: TargetRows) -> None:
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
        self.manifest.look_again(planned, computed=lambda: [progress.computed for progress in self._progress])

    def _waits(self, group: FileGroup) -> bool:
        """Tells whether files are not published though no row of their split is missing anywhere."""
        shards = [span.shard for span in group if span.shard.split not in self._held]
        return any(
            shard in progress.files
            and not progress.files[shard].published
            and shard.split not in progress.lacking
            for progress in self._progress
            for shard in shards
        )

    @cached_property
    def _held(self) -> set[str]:
        """Splits that are not to be published: an image of theirs, or of any, could not even be read."""
        unreadable = [] if self._skip_bad else self.manifest.unreadable
        return {split for bad in unreadable for split in ([bad.split] if bad.split else SPLITS)}

    def _title(self, group: FileGroup) -> str:
        count = len(self.groups)
        return "stage one" if count == 1 else f"stage one, {self.groups.index(group) + 1} of {count}"

    def _others(self, group: FileGroup) -> list[tuple[int, int]]:
        """Counts, per cut, the rows of all other files, and of those that are not laid out yet."""
        others = [span for other in self.groups if other != group for span in other]
        return [
            (
                sum(span.rows(self._views) for span in others),
                sum(span.rows(self._views) for span in others if not _is_there(entry, span)),
            )
            for entry in self.entries
        ]

    def _skip_known(self, shards: Iterable[ShardName]) -> None:
        """Leaves out contents that published files record as bad: they need not be tried again."""
        known = known_failures(self.entries[0], shards)
        self._skipped |= {failure.id: failure for failure in with_copies(known, self.manifest)}

    def _report(self, progress: RunProgress) -> Extraction:
        seconds = self._filler.timings.seconds
        return Extraction(
            progress.entry,
            progress.reports(seconds["fill"]),
            failures=list(self._failed.values()),
            skipped=list(self._skipped.values()),
            unfinished=progress.unfinished,
            timings=dict(seconds),
            measured=self._measured,
            forward_rate=self._filler.forward_rate,
            passed=self._filler.passed,
            left=self._left_alone,
            damaged=progress.damage.reports(),
        )

    def _take_down(self, writers: Sequence[EntryWriter]) -> None:
        self._left += [one for writer in writers for one in writer.left]

    @property
    def _left_alone(self) -> list[LeftAlone]:
        """What stays unread or not understood, each file that is still there once."""
        replaced = {
            place
            for progress in self._progress
            for shard in progress.files
            for place in (progress.entry.file(shard.name), progress.entry.partial(shard.name))
        }  # of these the writers know better: another file may stand there by now
        passed_over = [one for one in self._filler.left if one.path not in replaced]
        last = {one.path: one for one in [*passed_over, *self._left]}
        return [one for path, one in sorted(last.items()) if os.path.lexists(path)]


def _is_there(entry: Entry, span: FileSpan) -> bool:
    return entry.file(span.shard.name).exists() or entry.partial(span.shard.name).exists()
