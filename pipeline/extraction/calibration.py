"""Calibration: the training images that set the ranges of int8 arithmetic.

Other images lead to another network, and so to other features. So they are drawn once for a data set and a
cut, before any feature is computed, and kept beside the network whatever images are added later. Each cut has
a network of its own: where numbers become integers in it must not depend on what else was asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from pipeline.cache.networks import DEPTH, RECORD, identity_of, network_name, read_record
from pipeline.errors import PipelineError
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.load import Loader
from pipeline.files import root_of
from pipeline.images.manifest import Manifest
from pipeline.images.pixel_range import PixelRange
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

IMAGES = 128
SEED = 0
METHOD = "nncf mixed"
"""How the network is quantised: part of its identity, to be renamed when that changes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantisedNetwork:
    """A quantised network, by what determines it.

    Attributes:
        parent: Folder of all quantised networks of the data set.
        spec: What it computes, see ``FeatureSpec.network``; without its calibration.
        digests: SHA-256, in hex and sorted, of the images that set its ranges.
        method: How it is quantised.
    """

    parent: Path
    spec: FeatureSpec
    digests: tuple[str, ...]
    method: str = METHOD

    @classmethod
    def from_record(cls, path: Path) -> Self:
        """Reads what stands beside a network.

        Raises:
            ValueError: It is damaged, or describes another network.
            UnreadableFileError: The system does not let it be read now.
            FileNotFoundError: There is none.
        """
        record = read_record(path)
        return cls(
            parent=path.parent.parent,
            spec=record["spec"],
            digests=tuple(record["digests"]),
            method=record["method"],
        )

    @cached_property
    def identity(self) -> str:
        """SHA-256 (64 hex digits) of the images and of how they are used."""
        return identity_of(self.method, self.digests)

    @property
    def folder(self) -> Path:
        """Where the network is kept."""
        return self.parent / network_name(self.spec, self.identity)

    @property
    def cache(self) -> Path:
        """The cache that it stands in."""
        return root_of(self.folder / RECORD, DEPTH)

    def to_record(self, files: Mapping[str, str]) -> str:
        """Returns what stands beside the network, as JSON, with the SHA-256 of each of its files."""
        record = {"spec": asdict(self.spec), "method": self.method, "digests": self.digests, "files": files}
        return json.dumps(record, indent=1)

    def images(self, manifest: Manifest) -> np.ndarray:
        """Loads the images that set its ranges, uint8 (n, size, size, 3), without those not to be decoded.

        Args:
            manifest: Where they are found.

        Raises:
            MisrememberedError: Digests of an earlier run are wrong.
            PipelineError: Images are no longer there, or none can be decoded.
        """
        items = {
            row.tobytes().hex(): item
            for split, rows in manifest.splits.items()
            for row, item in zip(rows.digests, manifest.items[split], strict=True)
        }
        there = [digest for digest in self.digests if digest in items]
        known = {items[digest].id: digest for digest in there}
        loader = Loader(
            source=manifest.source,
            items=[items[digest] for digest in there],
            digests=np.array([list(bytes.fromhex(digest)) for digest in there], np.uint8),
            views=np.zeros(len(there), np.uint8),
            augmentation=Augmentation(),
            image_size=self.spec.image_size,
            batch_size=len(there),
            resize=self.spec.resize,
            geometry=self.spec.geometry,
            pixel_range=PixelRange.of(self.spec.pixel_range),
        )
        batch = loader.load(np.arange(len(there)))
        decoded = int(batch.loaded.sum())
        manifest.look_again(
            {one.id: bytes.fromhex(known[one.id]) for one in batch.failures if not one.digest}
        )
        gone = len(self.digests) - decoded - sum(bool(failure.digest) for failure in batch.failures)
        if gone or not decoded:
            raise PipelineError(
                f"the int8 network in {self.folder} must be made anew, and {gone or len(there)} of the "
                f"{counted(len(self.digests), 'image')} that set its ranges cannot be had: bring them back, "
                "or give it up with its features: `pipeline cache rm --precision int8`, then "
                "`pipeline cache gc`"
            )
        return batch.images[batch.loaded]


def draw_sample(digests: np.ndarray, count: int, *, seed: int) -> tuple[str, ...]:
    """Draws images by a hash of their digest, so that an added image takes the place of one at most.

    Args:
        digests: uint8 (N, 32), SHA-256 of each image.
        count: Images to draw; all where there are fewer.
        seed: Another seed draws others.

    Returns:
        Their digests in hex, sorted.
    """
    lots = {hashlib.sha256(b"%d" % seed + row.tobytes()).digest(): row.tobytes().hex() for row in digests}
    return tuple(sorted(lots[lot] for lot in sorted(lots)[:count]))


def recorded_networks(parent: Path) -> dict[tuple[FeatureSpec, str], QuantisedNetwork]:
    """Finds the networks that were made, by what they compute and how they are quantised.

    Args:
        parent: Folder of all quantised networks of a data set.

    Raises:
        UnreadableFileError: A record cannot be read now; another network would lead to other features.
    """
    found = {}
    for path in sorted(parent.glob(f"*/{RECORD}")):
        # Without its record a network is of no use; of one that cannot be read now nobody knows.
        with contextlib.suppress(FileNotFoundError, ValueError):
            network = QuantisedNetwork.from_record(path)
            found[network.spec, network.method] = network
    return found
