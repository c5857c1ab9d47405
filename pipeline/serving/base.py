"""The very base that made some stored features, loaded again for new images."""

from __future__ import annotations

import contextlib

from pipeline import registry
from pipeline.backbones.weights import Weights, weights_of
from pipeline.cache.entries import NETWORKS, Entry
from pipeline.cache.features import Selection
from pipeline.cache.finding import has_filters
from pipeline.cache.networks import RECORD, is_whole
from pipeline.errors import CacheMismatchError
from pipeline.extraction import engines
from pipeline.extraction.calibration import QuantisedNetwork
from pipeline.extraction.engines import Engine
from pipeline.extraction.request import FeatureRequest
from pipeline.extraction.settle import SettledRequest
from pipeline.progress import say
from pipeline.spec import RAW


def load_base(selection: Selection, weights: str | None) -> tuple[FeatureRequest, Engine]:
    """Loads the base of stored features as stage one did: filters, cuts, arithmetic and engine.

    Args:
        selection: The features.
        weights: Weights file, ``imagenet`` or ``random:<seed>``; None to find the filters by their identity.

    Returns:
        What to ask of stage one for the same features, and the base behind it; one output per entry.

    Raises:
        UsageError: The filters cannot be found, or this machine lacks the engine or the arithmetic.
        CacheMismatchError: The filters are others, the int8 network is gone, or this version of the pipeline
            computes something else.
    """
    entries = selection.entries
    spec = entries[0].spec
    filters = filters_of(entries[0], weights)
    request = feature_request(entries)
    _refuse_other_numbers(entries, request, filters)
    say(f"loading {spec.backbone} ({spec.engine}{'' if spec.engine == RAW else f', {spec.precision}'})")
    return request, registry.load(engines, "engine", request.engine).load(request, filters)


def feature_request(entries: tuple[Entry, ...]) -> SettledRequest:
    """Turns stored specs back into the request that they came from; augmented views are left out.

    Raises:
        CacheMismatchError: A quantised network that made the features is gone.
    """
    spec = entries[0].spec
    cuts = tuple(f"{entry.spec.layer}:{entry.spec.pooling}" for entry in entries)
    if spec.engine == RAW:
        return SettledRequest(
            backbone=spec.backbone, layers=cuts, image_size=spec.image_size, pixel_range=spec.pixel_range
        )
    quantised = spec.precision == "int8"
    return SettledRequest(
        backbone=spec.backbone,
        layers=cuts,
        image_size=spec.image_size,
        precision=spec.precision,
        store=spec.store,
        engine=spec.engine,
        pixel_range=spec.pixel_range,
        networks=tuple(_network(entry) for entry in entries) if quantised else (),
    )


def _network(entry: Entry) -> QuantisedNetwork:
    """Finds the quantised network that made an entry's features."""
    folder = entry.folder.parent / NETWORKS / entry.spec.network.entry_name
    with contextlib.suppress(FileNotFoundError, ValueError):
        network = QuantisedNetwork.from_record(folder / RECORD)
        if network.identity == entry.spec.calibration and is_whole(folder):
            return network
    raise CacheMismatchError(
        f"the int8 network that made these features is not whole in {folder}: bring it back from a copy, or "
        "extract and train in another arithmetic: `pipeline extract --precision float32`"
    )


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


def _refuse_other_numbers(entries: tuple[Entry, ...], request: FeatureRequest, weights: Weights) -> None:
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
