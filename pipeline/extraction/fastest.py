"""Which engine, arithmetic and batch are fastest here: by measurement, which is remembered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pipeline import registry
from pipeline.backbones.weights import Weights
from pipeline.errors import UsageError
from pipeline.extraction import engines
from pipeline.extraction.engines import BatchTooLargeError, Engine
from pipeline.extraction.measurements import Measurements, Rates
from pipeline.extraction.request import ARITHMETICS, FeatureRequest, engines_with
from pipeline.extraction.settle import SettledRequest
from pipeline.hardware import gpus
from pipeline.memory import available_bytes
from pipeline.progress import say
from pipeline.spec import RAW

T = TypeVar("T")
Call = Callable[..., Any]

TRIAL_BATCH = 8
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
DEFAULT_BATCH = 8
WORTHWHILE_ROWS = 1000
"""Below this many rows a measurement of other engines costs more than it saves."""
FEW_ROWS = 256
"""Below this many rows even one batch of each size would."""
GAIN = 1.03
"""A larger batch must be this much faster to be worth its memory."""
SHARE_OF_RUN = 0.03
"""What the search for a batch size may cost of the time that the run will take."""
LONGEST_TRIAL_S = 0.5
HOPELESS = 3.0
LONG_WARM_UP_S = 2.0
"""What takes so many times as long as the best, and so many seconds to warm up, is not timed further."""
MEMORY_SHARE = 0.25


def settle_engine(
    request: FeatureRequest,
    weights: Weights,
    measurements: Measurements,
    *,
    rows: int,
    cache: Path | None = None,
    call: Call | None = None,
) -> tuple[FeatureRequest, Rates]:
    """Replaces ``auto``, for the arithmetic or the engine, by what stage one will use.

    A batch is timed in each way that is open, and the fastest is kept; what was measured here before is not
    measured again. Few rows take the first engine that can run the base: OpenVINO, or Keras where there is a
    GPU.

    Args:
        request: What the user asks for.
        weights: The filters of its base.
        measurements: What is known of the network.
        rows: Images of the data set, views included.
        cache: Where converted bases are kept; None = they are not.
        call: Calls a function with its arguments on a machine of the kind that will compute; default: here.

    Returns:
        The request with a concrete engine and precision, and images per second for each that was measured.

    Raises:
        UsageError: The package of the engine is not installed, or its base cannot be loaded.
    """
    if request.engine == RAW or "auto" not in (request.engine, request.precision):
        return request, {}
    question, choices = f"{request.engine} {request.precision}", _choices(request)
    rates = measurements.rates(question, choices)
    if rates:
        chosen, before = choices[max(rates, key=lambda name: rates[name])], ", as measured before"
    else:
        tried: Trials = (call or _call_here)(_tried, request, weights, rows, cache)
        for note in tried.notes:
            say(f"note: {note}")
        chosen, rates, before = tried.best, tried.rates, ""
        if tried.all and rates:
            measurements.remember(question, rates)
    if len(rates) > 1:
        figures = ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items())
        used = chosen.precision if request.engine != "auto" else f"{chosen.engine} {chosen.precision}"
        say(f"engine: {figures} images/s in a batch of {TRIAL_BATCH}; using {used}{before}")
    return chosen, rates


def _call_here(function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)


@dataclass
class Trials:
    """What came of trying the ways in which a base can be run.

    Attributes:
        best: The request with the fastest, or with the only one.
        rates: Images per second of each that was timed, by its name.
        notes: What is to be said of those that cannot run the base.
        all: Whether every way was timed that this machine has.
    """

    best: FeatureRequest
    rates: Rates = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    all: bool = True


def _tried(request: FeatureRequest, weights: Weights, rows: int, cache: Path | None) -> Trials:
    """Tries what may take the place of ``auto`` on this machine."""
    names = _engines(request)
    if request.engine == "auto":
        names = _in_order(names)
    trials, best_rate = Trials(request), 0.0
    for name in names:
        if trials.best.engine != "auto" and len(names) > 1 and rows < WORTHWHILE_ROWS:
            trials.all = False
            break
        try:
            ways = [replace(request, engine=name, precision=one) for one in _precisions(request, name)]
            if len(names) == len(ways) == 1:
                return Trials(ways[0])
            for way in ways:
                engine = registry.load(engines, "engine", name).load(
                    SettledRequest.of(way, cache=cache), weights
                )
                if rows < WORTHWHILE_ROWS and len(ways) == 1:  # it runs the base, and that is enough
                    trials.best = way
                    break
                rate = _trial_rate(engine, request.image_size, hopeless=best_rate / HOPELESS)
                trials.rates[_name(request, way)] = rate
                if rate > best_rate:
                    trials.best, best_rate = way, rate
        except UsageError as error:
            if name == names[-1] and not trials.rates:
                raise
            trials.all = False  # to be tried again: a library may be mended, or memory free
            trials.notes.append(f"{error}. Going on without {name}")
    return trials


def _trial_rate(engine: Engine, image_size: int, *, hopeless: float) -> float:
    """Times the batch of trials, or the largest part of it that fits the memory."""
    size = TRIAL_BATCH
    while True:
        try:
            return forward_rate(engine, image_size, size, hopeless=hopeless)
        except BatchTooLargeError:
            if size == 1:
                raise UsageError(
                    "not even one image fits the memory: choose a smaller --image-size"
                ) from None
            size //= 2


def _engines(request: FeatureRequest) -> list[str]:
    """Lists the engines that may run the base of a request."""
    return [request.engine] if request.engine != "auto" else engines_with(request.precision, request.base)


def _in_order(names: list[str]) -> list[str]:
    """Puts the engine first that few rows are computed with: on a GPU that is Keras."""
    return sorted(names, key=lambda name: (name != "keras") == bool(gpus()))


def _precisions(request: FeatureRequest, engine: str) -> list[str]:
    if request.precision != "auto":
        return [request.precision]
    return registry.load(engines, "engine", engine).precisions()


def _name(request: FeatureRequest, way: FeatureRequest) -> str:
    return way.precision if request.engine != "auto" else f"{way.engine} {way.precision}"


def _choices(request: FeatureRequest) -> dict[str, FeatureRequest]:
    """Lists by name what may take the place of ``auto``, on this machine or another."""
    ways = [
        replace(request, engine=name, precision=precision)
        for name in _engines(request)
        for precision in ARITHMETICS[name]
        if request.precision == precision or (request.precision == "auto" and precision != "int8")
    ]
    return {_name(request, way): way for way in ways}


def settle_batch_size(
    request: FeatureRequest, engine: Engine, rows: int, known: Rates | None = None
) -> tuple[int, Rates]:
    """Chooses the images in a forward pass: as asked for, or the fastest of a few that fit the memory.

    Args:
        request: Says which, or leaves it open.
        engine: The loaded base.
        rows: Images to compute; few are not worth measuring for.
        known: Images per second by batch size, where that was measured before.

    Returns:
        How many, and images per second by batch size, empty where nothing was measured.
    """
    if request.batch_size is not None:
        return request.batch_size, {}
    largest = _largest_batch(engine)
    if known:
        fitting = {size: rate for size, rate in known.items() if int(size) <= largest}
        return (_fastest(fitting) if fitting else 1), known
    if rows < FEW_ROWS or request.engine == RAW:  # which computes nothing
        return min(DEFAULT_BATCH, largest), {}
    rates, spent = _batch_rates(engine, request.image_size, rows, largest)
    if spent and str(DEFAULT_BATCH) not in rates:
        return min(DEFAULT_BATCH, largest), {}  # which is a better guess than the fastest of two small ones
    return (_fastest(rates) if rates else 1), rates


def _batch_rates(engine: Engine, image_size: int, rows: int, largest: int) -> tuple[Rates, bool]:
    """Times batches from small to large, until two in a row bring nothing or the time for it is spent.

    Returns:
        Images per second by batch size, and whether it was the time that ended the search.
    """
    rates: Rates = {}
    started, in_vain = time.perf_counter(), 0
    for size in BATCHES:
        best = max(rates.values(), default=0.0)
        budget = SHARE_OF_RUN * rows / best if best else float("inf")
        if rates:
            if size > largest or in_vain == 2:
                break
            if time.perf_counter() - started + 2 * (engine.ahead + 1) * size / best > budget:
                return rates, True
        try:
            least_s = min(budget / len(BATCHES), LONGEST_TRIAL_S) if best else 0.0
            rates[str(size)] = forward_rate(engine, image_size, size, least_s=least_s)
        except BatchTooLargeError:
            break
        in_vain = 0 if rates[str(size)] >= best * GAIN else in_vain + 1
    return rates, False


def _fastest(rates: Rates) -> int:
    """Returns the smallest batch that no larger one beats by what a larger one must gain."""
    sizes = sorted(rates, key=int)
    best = sizes[0]
    for size in sizes:
        if rates[size] >= rates[best] * GAIN:
            best = size
    return int(best)


def _largest_batch(engine: Engine) -> int:
    return max(1, int(MEMORY_SHARE * available_bytes() / engine.bytes_per_image) // (engine.ahead + 1))


def forward_rate(
    engine: Engine, image_size: int, batch_size: int, *, least_s: float = 0.0, hopeless: float = 0.0
) -> float:
    """Times the forward pass alone, as many batches under way as stage one has.

    Args:
        engine: The loaded base.
        image_size: Height and width in pixels.
        batch_size: Images in a batch.
        least_s: Seconds to go on for, at least.
        hopeless: Images per second below which it is not timed further than a long warming up.

    Returns:
        Images per second, after as many batches that warm up.

    Raises:
        BatchTooLargeError: The memory does not suffice.
    """
    images = np.random.default_rng(0).integers(0, 256, (batch_size, image_size, image_size, 3), np.uint8)
    started = time.perf_counter()
    _passes(engine, images, engine.ahead, 0.0)
    warm_up_s = time.perf_counter() - started
    rate = batch_size * engine.ahead / warm_up_s
    if rate < hopeless and warm_up_s > LONG_WARM_UP_S:
        return rate
    started = time.perf_counter()
    passes = _passes(engine, images, 2 * engine.ahead, least_s)
    return batch_size * passes / (time.perf_counter() - started)


def _passes(engine: Engine, images: np.ndarray, least: int, least_s: float) -> int:
    """Runs a batch again and again, and returns how often."""
    begun, started, under_way = 0, time.perf_counter(), deque[Any]()
    while begun < least or time.perf_counter() - started < least_s:
        under_way.append(engine.submit(images))
        begun += 1
        if len(under_way) > engine.ahead:
            engine.fetch(under_way.popleft())
    while under_way:
        engine.fetch(under_way.popleft())
    return begun
