"""What a request leaves open, settled before the work begins."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from pipeline.backbones.finding import base_of
from pipeline.backbones.table import Cut
from pipeline.backbones.weights import Weights
from pipeline.cache.entries import NETWORKS, Entry
from pipeline.cache.finding import asked_of
from pipeline.cache.networks import RECORD, is_whole
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.extraction.calibration import IMAGES, SEED, QuantisedNetwork, draw_sample, recorded_networks
from pipeline.extraction.request import FeatureRequest
from pipeline.images.manifest import Manifest
from pipeline.images.pixel_range import PixelCensus, PixelRange, number
from pipeline.progress import say
from pipeline.spec import RAW, FeatureSpec
from pipeline.wording import counted, verb


@dataclass(frozen=True, kw_only=True)
class SettledRequest(FeatureRequest):
    """A request in which nothing is open any more: engine, arithmetic, resize and pixel range are named.

    Attributes:
        networks: The quantised network of each cut, where the arithmetic is ``int8``.
        manifest: Where images are found that set the ranges of networks; None = all networks are there.
        cache: Where the converted base is kept; None = it is converted again.
    """

    networks: tuple[QuantisedNetwork, ...] = ()
    manifest: Manifest | None = None
    cache: Path | None = None

    @classmethod
    def of(cls, request: FeatureRequest, **settled: Any) -> SettledRequest:
        """Takes over all of a request."""
        return cls(**{field.name: getattr(request, field.name) for field in fields(request)}, **settled)

    def specs(self, weights: Weights) -> list[FeatureSpec]:
        """Returns the identity of each cut's features."""
        specs = super().specs(weights)
        if not self.networks:
            return specs
        pairs = zip(specs, self.networks, strict=True)
        return [replace(spec, calibration=network.identity) for spec, network in pairs]


def request_of(entries: Sequence[Entry]) -> SettledRequest:
    """Turns the specs of stored features back into the request that they came from, augmented views left out.

    Args:
        entries: One for each cut.

    Raises:
        CacheMismatchError: A quantised network that made the features is gone.
        UnreadableFileError: The system does not let it be read now.
    """
    spec = entries[0].spec
    asked = asked_of(spec)
    asked.pop("weights", None)  # by their identity, which is no choice of a user's
    return SettledRequest(
        base=base_of(spec),
        layers=tuple(str(Cut(entry.spec.layer, entry.spec.pooling)) for entry in entries),
        networks=tuple(map(_stored_network, entries)) if spec.precision == "int8" else (),
        cache=entries[0].cache,
        **asked,
    )


def _stored_network(entry: Entry) -> QuantisedNetwork:
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


def settle_networks(
    request: FeatureRequest, weights: Weights, manifest: Manifest, dataset: Path
) -> SettledRequest:
    """Says which quantised networks ``int8`` means; other arithmetics have none.

    A network that was made for this data set is used again, whatever images have been added since. Otherwise
    one is to be made from a sample of the training images.

    Args:
        request: What the user asks for; the precision must be settled.
        weights: The filters of its base.
        manifest: The images of the data set.
        dataset: Its folder in the cache.

    Raises:
        UsageError: There are no training images.
        UnreadableFileError: A network's record cannot be read now; another would lead to other features.
    """
    if request.precision != "int8" or request.engine == RAW:
        return SettledRequest.of(request)
    parent, train = dataset / NETWORKS, manifest.splits.get("train")
    digests = () if train is None else draw_sample(train.digests, IMAGES, seed=SEED)
    known = recorded_networks(parent)
    drawn = [
        QuantisedNetwork(parent=parent, spec=spec.network, digests=digests) for spec in request.specs(weights)
    ]
    networks = tuple(known.get((new.spec, new.method), new) for new in drawn)
    if not all(network.digests for network in networks):
        raise UsageError(
            f"--precision int8 sets its ranges with training images, and {manifest.source.uri} has none: "
            "choose --precision bfloat16 or float32"
        )
    return SettledRequest.of(request, networks=networks, manifest=manifest)


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
    """Says why features are computed anew that differ from stored ones in their pixel range.

    The new ones may be resized by something else, too.

    Args:
        specs: What is going to be computed.
        existing: Entries of the same data set.
    """
    there = {entry.spec for entry in existing}
    for spec in specs:
        if spec in there:
            return
        others = {
            one.pixel_range
            for one in there
            if replace(one, pixel_range=spec.pixel_range, resize=spec.resize).plain == spec.plain
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
