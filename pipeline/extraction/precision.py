"""Which arithmetic, and which batch, is fastest here: by measurement."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from pipeline import registry
from pipeline.backbones.weights import Weights
from pipeline.cache.entries import Entry
from pipeline.extraction import engines
from pipeline.extraction.engines import BatchTooLargeError, Engine
from pipeline.extraction.request import FeatureRequest, engines_with
from pipeline.extraction.settle import SettledRequest
from pipeline.memory import available_bytes
from pipeline.progress import say
from pipeline.runtimes.openvino import openvino_installed
from pipeline.spec import RAW

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
    if request.engine == RAW or "auto" not in (request.engine, request.precision):
        return request, {}
    drafts = [spec.plain for spec in request.specs(weights)]
    for there in (entry.spec for entry in existing):
        if (
            request.engine in ("auto", there.engine)
            and request.precision in ("auto", there.precision)
            and there.plain
            in [replace(spec, engine=there.engine, precision=there.precision) for spec in drafts]
        ):
            return replace(request, engine=there.engine, precision=there.precision), {}
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
        load = registry.load(engines, "engine", candidate.engine).load
        engine = load(SettledRequest.of(candidate), weights)
        rate = _images_per_second(engine, request.image_size, TRIAL_BATCH, trials=2)
        name = candidate.precision
        rates[f"{candidate.engine} {name}" if request.engine == "auto" else name] = rate
    return candidates, rates


def _candidates(request: FeatureRequest) -> list[FeatureRequest]:
    """Lists what may take the place of ``auto``; an engine that is not installed is one only if named."""
    fitting = engines_with(request.precision)
    if request.engine != "auto":
        names = [request.engine]
    else:
        names = [name for name in fitting if name != "openvino" or openvino_installed()] or fitting
    return [
        replace(request, engine=name, precision=precision)
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
    if rows < WORTHWHILE_ROWS or request.engine == RAW:  # which computes nothing
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
    return max(1, int(MEMORY_SHARE * available_bytes() / engine.bytes_per_image))


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
