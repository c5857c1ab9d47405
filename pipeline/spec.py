"""FeatureSpec: all that determines the numbers in a feature file, and its digest."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from pipeline.plain_json import parse_json

RAW = "pixels"
"""The base, and the engine, of raw pixels."""
IMPORTED = "imported"
"""The engine of features that another program made, and their base where nobody says what it was."""
SCHEMA = 1
"""Version of the feature file and of the meaning of every field of a spec."""
PIXELS = "pixels"
"""Name of the base that hands the images on as they are."""
_LATER = {"pixel_range": "", "geometry": ""}
"""Fields that came later: without them the digests of older specs stay what they are."""


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """The identity of a feature row: with the image's bytes it determines every number in it.

    Attributes:
        backbone: Name of the frozen base: a row of the backbone table, or that of a file.
        weights: ``sha256:<hex>`` of the weights file, ``random:<seed>``, or ``none`` for ``pixels``.
        layer: Name of the layer whose output is kept (the cut).
        pooling: ``none``, ``avg`` or ``max``: global pooling after the cut.
        image_size: Height and width in pixels that images are resized to; 0 of imported features.
        preprocessing: Pixel scaling that belongs to the backbone (never a user's choice).
        precision: Arithmetic of the forward pass: ``float32``, ``bfloat16``, ``float16`` or ``int8``.
        store: dtype on disk: ``float16``, ``float32`` or ``uint8`` (``pixels`` only).
        resize: How pictures are resized, see ``pipeline.images.resizing``.
        engine: What ran the base.
        calibration: Identity of the images that set the ranges of ``int8`` arithmetic; else empty.
        augmentation: Ranges and seed of the augmented views as canonical JSON; empty without views.
        pixel_range: Black and white of pixels deeper than 8 bits, ``0..4095``; empty where there are none.
        geometry: Which part of a picture the base is shown, see ``images.geometry``; empty = all of it.
        schema: Version of this record.
    """

    backbone: str
    weights: str
    layer: str
    pooling: str
    image_size: int
    preprocessing: str
    precision: str
    store: str
    resize: str = "bilinear-antialias"
    engine: str = "keras"
    calibration: str = ""
    augmentation: str = ""
    pixel_range: str = ""
    geometry: str = ""
    schema: int = SCHEMA

    @classmethod
    def asked(cls) -> tuple[str, ...]:
        """Names the fields that a user asks for, each by an option of the same name."""
        settled = {"preprocessing", "geometry", "calibration", "augmentation", "schema"}
        return tuple(field.name for field in fields(cls) if field.name not in settled)

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of the spec's sorted JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    @property
    def is_pixels(self) -> bool:
        """Whether the features are the images themselves."""
        return self.backbone == PIXELS

    @property
    def plain(self) -> FeatureSpec:
        """The spec of the images themselves, which do not depend on how views are made."""
        return replace(self, augmentation="")

    @property
    def network(self) -> FeatureSpec:
        """The spec of the network alone, whatever views it is shown and however its features are stored."""
        return replace(self, store="", augmentation="")

    @property
    def entry_name(self) -> str:
        """Folder name of this spec in a cache: readable, and unique by eight digits of the digest."""
        layer = self.layer if self.pooling == "none" else f"{self.layer}-{self.pooling}"
        size = f"-{self.image_size}" if self.image_size else ""  # imported features have none
        readable = f"{self.backbone}{size}-{layer}"
        return f"{re.sub(r'[^A-Za-z0-9_.-]', '_', readable)}-{self.digest[:8]}"

    def to_json(self) -> str:
        """Returns the spec as one line of JSON with sorted keys; fields that came later only where set."""
        described = {name: value for name, value in asdict(self).items() if value or name not in _LATER}
        return json.dumps(described, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> FeatureSpec:
        """Rebuilds a spec from :meth:`to_json`.

        Raises:
            ValueError: The text is not JSON, or its fields are not exactly those of a spec.
        """
        data = parse_json(text)
        if isinstance(data, dict):
            data = _LATER | data
        expected = {field.name: field.type for field in fields(cls)}
        if not isinstance(data, dict) or set(data) != set(expected):
            raise ValueError("not a feature spec: its fields differ from those of this version")
        for name, kind in expected.items():
            if type(data[name]).__name__ != kind:
                raise ValueError(f"not a feature spec: {name} must be of type {kind}")
        return cls(**data)

    def differences(self, other: FeatureSpec) -> dict[str, tuple[Any, Any]]:
        """Returns ``{field: (own value, other value)}`` for the fields in which two specs differ."""
        mine, theirs = asdict(self), asdict(other)
        return {name: (mine[name], theirs[name]) for name in mine if mine[name] != theirs[name]}
