"""Stage one: images -> features, each computed once."""

from __future__ import annotations

import itertools
import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.backbones.weights import Weights
from pipeline.cache.entries import STAT_CACHE, Entry, chosen_name, dataset_name
from pipeline.cache.finding import all_entries
from pipeline.cache.locks import shared_lock
from pipeline.errors import UsageError
from pipeline.extraction.continuing import continued, settle_resize
from pipeline.extraction.executors import Executor, make_executor
from pipeline.extraction.fastest import settle_engine
from pipeline.extraction.filling import Filler
from pipeline.extraction.measurements import Measurements, this_machine
from pipeline.extraction.plan import DEFAULT_ROWS_PER_FILE, group_files
from pipeline.extraction.report import Extraction
from pipeline.extraction.request import FeatureRequest
from pipeline.extraction.settle import say_why_anew, settle_networks, settle_pixel_range
from pipeline.extraction.stage import Stage
from pipeline.extraction.understood import Understood
from pipeline.images import ImageSource, open_images, remarks_on
from pipeline.images.manifest import MisrememberedError, scan
from pipeline.images.source_options import SourceOptions
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

__all__ = ["Extraction", "FeatureRequest", "extract", "make_executor"]


def extract(
    data: str | os.PathLike[str] | ImageSource,
    request: FeatureRequest | None = None,
    *,
    cache: str | os.PathLike[str] = "features_cache",
    name: str | None = None,
    skip_bad: bool = False,
    rows_per_file: int | None = None,
    executor: Executor | None = None,
    source_options: SourceOptions | None = None,
) -> list[Extraction]:
    """Brings the cache to the state in which it holds the features of every image of a source.

    Rows that stand anywhere in the cache under the same spec are copied; only the others are computed.
    Every split is published when it is whole, and not before.

    Example:
        >>> (report,) = extract("photos/", FeatureRequest(backbone="mobilenet_v2", image_size=224))
        >>> train = open_features(report.entry, "train")

    Args:
        data: Address of the image source, see ``open_images``; or a source that is open.
        request: Which features; default: those of VGG16 at 150 x 150 pixels.
        cache: Folder of the cache.
        name: Name of the data set in the cache; default: the source's own.
        skip_bad: Publish without the images that cannot be read, and record them.
        rows_per_file: Most rows of a feature file; a split of more has several. Default: what the entry has
            been made with, else ``DEFAULT_ROWS_PER_FILE``.
        executor: Who computes, see ``make_executor``; default: this process.
        source_options: How the source at an address is to be read, where its layout leaves that open.

    Returns:
        One report per cut.

    Raises:
        UsageError: The source, the request or the name cannot be used.
        PipelineError: The cache cannot be written; all finished rows are kept.
    """
    cache = expanded(cache)
    looked_again: set[str] = set()
    earlier: list[Counter[str]] = []
    none: Counter[str] = Counter()
    while True:
        try:
            reports = _extract(
                data,
                request or FeatureRequest(),
                cache=cache,
                name=name,
                skip_bad=skip_bad,
                rows_per_file=rows_per_file,
                executor=executor,
                source_options=source_options or SourceOptions(),
                looked_again=looked_again,
            )
        except MisrememberedError as error:
            looked_again.update(error.ids)
            earlier = [
                Counter(now) + before
                for now, before in itertools.zip_longest(error.computed, earlier, fillvalue=none)
            ]
            say(
                f"note: {cache / STAT_CACHE} had wrong digests of {counted(len(error.ids), 'image')} "
                f"(e.g. {error.ids[0]!r}): these are forgotten, and what they were of is read anew"
            )
            continue
        for report, computed in zip(reports, earlier, strict=False):
            report.count_earlier(computed)
        return reports


def _extract(
    data: str | os.PathLike[str] | ImageSource,
    request: FeatureRequest,
    *,
    cache: Path,
    name: str | None,
    skip_bad: bool,
    rows_per_file: int | None,
    executor: Executor | None,
    source_options: SourceOptions,
    looked_again: Collection[str],
) -> list[Extraction]:
    """Does what ``extract`` promises, unless digests of an earlier run turn out to be wrong."""
    started = time.perf_counter()
    stat_cache = cache / STAT_CACHE
    source = open_images(data, source_options) if isinstance(data, str | os.PathLike) else data
    for note in remarks_on(source):
        say(f"note: {note}")
    manifest = scan(source, stat_cache, looked_again=looked_again)
    stock_seconds = time.perf_counter() - started
    understood = Understood.of(manifest, source.name if name is None else name)
    for line in understood.lines:
        say(line)
    for note in understood.remarks:
        say(f"note: {note}")
    weights = request.base.weights(request.weights, request.image_size, stat_cache=stat_cache)
    for line in request.base.remarks:
        say(line)
    folder = cache / (dataset_name(source.name) if name is None else chosen_name(name))
    stored = all_entries(cache)
    existing = [entry for entry in stored if entry.dataset == folder.name]
    refuse_another_source(existing, source.uri)
    request, pixels = settle_pixel_range(request, manifest.census)
    request = settle_resize(continued(request, weights, stored, manifest, folder))
    with (executor or make_executor()).session() as session:
        bases = cache if session.shares_files else None
        sizes = {split: len(listed) for split, listed in manifest.splits.items()}
        measurements = Measurements(
            cache, request.specs(weights), lambda: session.call(this_machine), forget=request.remeasure
        )
        started = time.perf_counter()
        request, measured = settle_engine(
            request,
            weights,
            measurements,
            rows=sum(sizes.values()) + request.views * sizes.get("train", 0),
            cache=bases,
            call=session.call,
        )
        measure_seconds = time.perf_counter() - started
        settled = replace(settle_networks(request, weights, manifest, folder), cache=bases)
        entries = [
            replace(entry, source_options=source_options, weights_file=weights.named)
            for entry in _entries(folder, settled.specs(weights), source, weights, existing, rows_per_file)
        ]
        say_why_anew([entry.spec for entry in entries], existing)
        rows = min(entry.rows_per_file or DEFAULT_ROWS_PER_FILE for entry in entries)
        filler = Filler(
            settled,
            weights,
            source,
            cache,
            entries=stored,
            session=session,
            measurements=measurements,
            trial_rate=measured.get(f"{request.engine} {request.precision}", measured.get(request.precision)),
        )
        filler.timings.add({"stock": stock_seconds, "measure": measure_seconds})
        stage = Stage(
            entries,
            manifest,
            group_files(sizes, rows, views=settled.views),
            filler=filler,
            views=settled.views,
            measured=measured,
            skip_bad=skip_bad,
        )
        with shared_lock([entry.folder for entry in entries]) as lock:
            reports = [replace(report, pixels=pixels) for report in stage.run(lock)]
    understood = understood.without(manifest, reports[0].skipped + reports[0].failures)
    reports = [replace(report, understood=understood) for report in reports]
    for one in reports[0].left:
        say(str(one))
    return reports


def _entries(
    folder: Path,
    specs: Sequence[FeatureSpec],
    source: ImageSource,
    weights: Weights,
    existing: Sequence[Entry],
    rows_per_file: int | None,
) -> list[Entry]:
    """Returns the entry of each spec; how many rows a file has stays as it was where nobody says."""
    if rows_per_file is not None and rows_per_file < 1:
        raise UsageError(f"--rows-per-file {rows_per_file} is too small: give 1 or more")
    chosen = {entry.folder: entry.rows_per_file for entry in existing}
    paths = [folder / spec.entry_name for spec in specs]
    return [
        Entry(path, spec, source.uri, weights.label, rows_per_file or chosen.get(path))
        for path, spec in zip(paths, specs, strict=True)
    ]


def refuse_another_source(existing: Iterable[Entry], source: str) -> None:
    """Refuses to put images into a data set that is of others.

    Args:
        existing: The entries of the data set.
        source: Canonical address of the images.

    Raises:
        UsageError: It is.
    """
    for other in existing:
        if other.source != source:
            raise UsageError(
                f"the name {other.dataset!r} belongs to {other.source} in this cache, not to {source}: "
                "tell them apart with --name (features of the same images are copied, not computed again)"
            )
