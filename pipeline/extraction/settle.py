"""What a request leaves open, settled before the work begins: the pixel range, the arithmetic, the batch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from pipeline import registry
from pipeline.backbones.weights import Weights
from pipeline.cache.entries import Entry
from pipeline.extraction import engines
from pipeline.extraction.engines import BatchTooLargeError, Engine
from pipeline.extraction.request import FeatureRequest, engines_with
from pipeline.images.pixel_range import PixelCensus, PixelRange, number
from pipeline.progress import say
from pipeline.runtimes.openvino import openvino_installed
from pipeline.spec import FeatureSpec
from pipeline.wording import counted, verb


@dataclass(frozen=True)
class SettledPixels:
    """The pixel range of a set, and what it was found from.

    Attributes:
        chosen: Black and white.
        found: The lowest and the highest sample of the set.
        images: Pictures of more than 8 bits.
        clipped: Pictures of which some pixels lie beyond.
        notes: What is to be known of it.
    """

    chosen: PixelRange
    found: tuple[float, float]
    images: int
    clipped: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline extract --json`` prints as ``pixel_range``."""
        return {
            "low": self.chosen.low,
            "high": self.chosen.high,
            "found_low": self.found[0],
            "found_high": self.found[1],
            "images": self.images,
            "clipped": self.clipped,
        }


def settle_pixel_range(
    request: FeatureRequest, census: PixelCensus
) -> tuple[FeatureRequest, SettledPixels | None]:
    """Says which pixel range a request means, and prints it.

    Args:
        request: What the user asks for; a range that is stated stays.
        census: What the deep pixels of the whole set reach to.

    Returns:
        The request with its range, an empty one where all pictures have 8 bits; and what led to it.

    Raises:
        UsageError: The pictures of the set cannot share a range.
    """
    if not len(census):
        if request.pixel_range:
            say("note: --pixel-range changes nothing: no picture of this set has more than 8 bits")
        return replace(request, pixel_range=""), None
    stated = PixelRange.of(request.pixel_range)
    chosen, remark = (stated, "") if stated else census.find()
    clipped = census.outside(chosen)
    notes = [remark] if remark else []
    if clipped:
        pictures, have = counted(len(census), "picture"), verb(clipped, "has", "have")
        notes.append(f"{clipped:,} of {pictures} {have} pixels outside {chosen}, which are clipped")
    pixels = SettledPixels(chosen, (census.low, census.high), len(census), clipped, tuple(notes))
    say(
        f"pixels: {census.described} from {number(census.low)} to {number(census.high)} in "
        f"{counted(len(census), 'picture')}, read as {_described(chosen)}{' as stated' if stated else ''}"
    )
    for note in notes:
        say(f"note: pixels: {note}")
    return replace(request, pixel_range=str(chosen)), pixels


def say_why_anew(specs: Sequence[FeatureSpec], existing: Sequence[Entry]) -> None:
    """Says why features are computed anew that differ from stored ones in their pixel range alone.

    Args:
        specs: What is going to be computed.
        existing: Entries of the same data set.
    """
    there = {entry.spec for entry in existing}
    for spec in specs:
        if spec in there:
            return
        others = {
            one.pixel_range for one in there if replace(one, pixel_range=spec.pixel_range).plain == spec.plain
        }
        for other in sorted(others - {spec.pixel_range}):
            keeps = f"; --pixel-range {other} keeps the old range" if other else ""
            say(
                f"pixels: the features of this set were made with {_before(other)}, its pictures now have "
                f"{_before(spec.pixel_range)}: all are computed anew beside the old ones{keeps}"
            )
            return


def _described(chosen: PixelRange) -> str:
    bits = int(chosen.high).bit_length() if chosen.low == 0 and chosen.high >= 255 else 0
    return f"{bits} bits ({chosen})" if bits and chosen.high == 2**bits - 1 else str(chosen)


def _before(pixel_range: str) -> str:
    return f"the pixel range {pixel_range}" if pixel_range else "no pixel range"


T = TypeVar("T")
Call = Callable[..., Any]

TRIAL_BATCH = 16
BATCHES = (16, 32, 64, 128)
DEFAULT_BATCH = 32
WORTHWHILE_ROWS = 1000
"""Below this many rows a measurement of batch sizes costs more than it saves."""
GAIN = 1.03
"""A larger batch must be this much faster to be worth its memory."""
MEMORY_SHARE = 0.25


def settle_precision(
    request: FeatureRequest, weights: Weights, existing: Sequence[Entry], *, call: Call | None = None
) -> tuple[FeatureRequest, dict[str, float]]:
    """Replaces ``auto``, for the arithmetic or the engine, by what stage one will use.

    An entry that differs in nothing else is continued, whatever would be faster. Otherwise one batch is timed
    in each arithmetic that is open, and the fastest is kept.

    Args:
        request: What the user asks for.
        weights: The filters of its base.
        existing: Entries of the same data set.
        call: Calls a function with its arguments on a machine of the kind that will compute; default: here.

    Returns:
        The request with a concrete engine and precision, and images per second for each that was measured.

    Raises:
        UsageError: The package of the engine is not installed, or its base cannot be loaded.
    """
    if request.engine == "pixels" or "auto" not in (request.base_engine, request.precision):
        return request, {}
    for there in (entry.spec for entry in existing):
        found = {"engine": there.engine, "precision": there.precision}
        if (
            request.base_engine in ("auto", there.engine)
            and request.precision in ("auto", there.precision)
            and there.plain in [replace(spec.plain, **found) for spec in request.specs(weights)]
        ):
            return replace(request, base_engine=there.engine, precision=there.precision), {}
    candidates, rates = (call or _call_here)(_measured, request, weights)
    if not rates:
        return candidates[0], {}
    best = max(rates, key=lambda name: rates[name])
    figures = ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items())
    say(f"precision: {figures} images/s in a batch of {TRIAL_BATCH}; using {best}")
    return candidates[list(rates).index(best)], rates


def _call_here(function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)


def _measured(request: FeatureRequest, weights: Weights) -> tuple[list[FeatureRequest], dict[str, float]]:
    """Lists what may take the place of ``auto`` on this machine, with images per second where it is open."""
    candidates = _candidates(request)
    rates: dict[str, float] = {}
    for candidate in candidates if len(candidates) > 1 else ():
        engine = registry.load(engines, "engine", candidate.engine).load(candidate, weights)
        rate = _images_per_second(engine, request.image_size, TRIAL_BATCH, trials=2)
        name = candidate.precision
        rates[f"{candidate.engine} {name}" if request.engine == "auto" else name] = rate
    return candidates, rates


def _candidates(request: FeatureRequest) -> list[FeatureRequest]:
    """Lists what may take the place of ``auto``; an engine that is not installed is one only if named."""
    fitting = engines_with(request.precision)
    if request.base_engine != "auto":
        names = [request.base_engine]
    else:
        names = [name for name in fitting if name != "openvino" or openvino_installed()] or fitting
    return [
        replace(request, base_engine=name, precision=precision)
        for name in names
        for precision in _open_precisions(request, name)
    ]


def _open_precisions(request: FeatureRequest, engine: str) -> list[str]:
    if request.precision != "auto":
        return [request.precision]
    return registry.load(engines, "engine", engine).precisions()


def settle_batch_size(request: FeatureRequest, engine: Engine, rows: int) -> int:
    """Returns the images in a forward pass: as asked for, or the fastest of a few that fit the memory.

    Args:
        request: Says which, or leaves it open.
        engine: The loaded base.
        rows: Images to compute; few are not worth measuring for.
    """
    if request.batch_size is not None:
        return request.batch_size
    if rows < WORTHWHILE_ROWS or request.engine == "pixels":  # which computes nothing
        return min(DEFAULT_BATCH, _largest_batch(engine))
    best, best_rate, rates = 0, 0.0, {}
    for size in BATCHES:
        if best and size > _largest_batch(engine):
            break
        try:
            rates[size] = _images_per_second(engine, request.image_size, size, trials=1)
        except BatchTooLargeError:
            break
        if rates[size] < best_rate * GAIN:
            break
        best, best_rate = size, rates[size]
    figures = ", ".join(f"{size}: {rate:.1f}" for size, rate in rates.items())
    say(f"batch size: {figures} images/s; using {best or BATCHES[0]}")
    return best or BATCHES[0]


def _largest_batch(engine: Engine) -> int:
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, int(MEMORY_SHARE * free / engine.bytes_per_image))


def _images_per_second(engine: Engine, image_size: int, batch_size: int, *, trials: int) -> float:
    """Times the forward pass of one batch after one that warms up; the best of a few trials."""
    images = np.random.default_rng(0).integers(0, 256, (batch_size, image_size, image_size, 3), np.uint8)
    engine.fetch(engine.submit(images))
    seconds = []
    for _ in range(trials):
        started = time.perf_counter()
        engine.fetch(engine.submit(images))
        seconds.append(time.perf_counter() - started)
    return batch_size / min(seconds)
