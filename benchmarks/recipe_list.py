"""The experiments that ``recipes.py`` measures: which recipe on which images, with which filters and seeds.

A line names nothing that its recipe says already. Lines stand from cheap to dear.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.backbones.weights import file_identity
from pipeline.recipe import Recipe, find_recipe, read_recipe

FROZEN = Path(__file__).parent / "frozen"
"""Recipes to compare with, which nobody published: ``logreg`` on what the base says."""

DATA: Mapping[str, str] = {
    "cats_and_dogs_small": "cats_and_dogs_small",
    "cifar10": "cifar10_tar/*.tar",
    "scenes15_small": "scenes15_small",
}
"""Folder or pattern of each data set below the folder that the user gives."""

FILTERS: Mapping[str, str] = {
    "vgg16": "vgg16_imagenet_no_top.weights.h5",
    "mobilenet_v2": "mobilenet_v2_1.0_224_no_top.weights.h5",
    "mobilenet_v2_035": "mobilenet_v2_0.35_224_no_top.weights.h5",
}
"""File of each base's ImageNet filters below the folder that the user gives."""

WORDING = ("title", "source", "data", "published")
"""What a recipe says that changes no figure."""


@dataclass(frozen=True)
class Line:
    """An experiment.

    Attributes:
        recipe: Name of a recipe that comes along, or of one of ``FROZEN``.
        data: A name of ``DATA``.
        seeds: How many seeds, from 0; 1 where nothing is random.
        backbone: Another base than the recipe's, because the filters of that are not at hand.
        layer: The cut of the other base.
        note: What is different here.
        cost_images: How many images are extracted with random filters, where only the cost is asked for;
            0 = the whole experiment.
    """

    recipe: str
    data: str
    seeds: int = 1
    backbone: str = ""
    layer: str = ""
    note: str = ""
    cost_images: int = 0

    @property
    def name(self) -> str:
        """What the line is called, on the command line and in the table."""
        return f"{self.recipe}, cost only" if self.cost_images else self.recipe

    @property
    def frozen(self) -> bool:
        """Whether it is a row to compare with."""
        return self.path.parent == FROZEN

    @property
    def path(self) -> Path:
        """File of the recipe."""
        own = FROZEN / f"{self.recipe}.toml"
        return own if own.exists() else find_recipe(Path(self.recipe))

    @cached_property
    def parsed(self) -> Recipe:
        """The recipe as it stands."""
        return read_recipe(self.path)

    @property
    def base(self) -> str:
        """The base whose filters are needed; ``pixels`` for none."""
        own = self.parsed.options.get("backbone") or self.parsed.request.backbone
        return self.backbone or str(own)

    @property
    def cut(self) -> str:
        """The cut, in words of the command line; empty = the base's last layer."""
        return self.layer or ",".join(self.parsed.request.layers if not self.backbone else ())


LINES = (
    Line("scenes-resnet101", "scenes15_small", cost_images=60, note="random filters, for the cost alone"),
    Line("cats-and-dogs-mobilenetv2-035-logreg", "cats_and_dogs_small"),
    Line("scenes-mobilenetv2-035-logreg", "scenes15_small"),
    Line("cats-and-dogs-mobilenetv2-logreg", "cats_and_dogs_small"),
    Line("scenes-mobilenetv2-logreg", "scenes15_small"),
    Line("scenes-resnet101", "scenes15_small", 3, backbone="mobilenet_v2"),
    Line("mobilenetv2-two-classes", "cats_and_dogs_small", 3),
    Line("mobilenetv2-finetune-top", "cats_and_dogs_small", 3),
    Line("scenes-resnet101-finetune", "scenes15_small", 3, backbone="mobilenet_v2_035", layer="block_12_add"),
    Line("cifar10-ann", "cifar10", 2),
    Line("cifar10-vgg16-32px", "cifar10", 1),
    Line("cats-and-dogs-vgg16-logreg", "cats_and_dogs_small"),
    Line("cats-and-dogs-vgg16", "cats_and_dogs_small", 3),
    Line("scenes-vgg16-logreg", "scenes15_small"),
    Line("scenes-vgg16", "scenes15_small", 3),
    Line("cifar10-vgg16-block3-logreg", "cifar10"),
    Line("cifar10-block3-gap-bn", "cifar10", 2),
    Line("cats-and-dogs-vgg16-augmented", "cats_and_dogs_small", 3),
    Line("scenes-vgg16-finetune", "scenes15_small", 2),
    Line("cats-and-dogs-vgg16-finetune-block5", "cats_and_dogs_small", 2),
    Line("cats-and-dogs-cnn-from-scratch", "cats_and_dogs_small", 3),
    Line("scenes-resnet101-full", "scenes15_small", 1, backbone="mobilenet_v2_035"),
    Line("cifar10-cnn", "cifar10", 1),
    Line("cats-and-dogs-cnn-augmented", "cats_and_dogs_small", 1),
)


@dataclass(frozen=True)
class Place:
    """What a line needs, as it lies on this machine.

    Attributes:
        data: Address of the images, as ``--data`` takes it.
        weights: File of the filters; ``random`` where only the cost is asked for, empty for pixels.
        missing: What is not there, in words; empty = nothing.
        made_of: Digest of all that determines the figures of the line.
    """

    data: str
    weights: str
    missing: str
    made_of: str


def place(line: Line, data: Path, weights: Path) -> Place:
    """Looks for the images and the filters of a line.

    Args:
        line: An experiment.
        data: Folder of the data sets.
        weights: Folder of the filters.
    """
    images, missing = data / DATA[line.data], []
    files = image_files(data, DATA[line.data])
    if not files:
        missing.append(f"images {DATA[line.data]}")
    filters = "random" if line.cost_images else ""
    if not filters and line.base != "pixels":
        file = weights / FILTERS[line.base]
        filters = str(file)
        if not file.is_file():
            missing.append(f"filters {file.name}")
    identity = file_identity(filters) if filters not in ("", "random") and not missing else filters
    recipe = tomllib.loads(line.path.read_text(encoding="utf-8"))
    told = {name: value for name, value in recipe.items() if name not in WORDING}
    sizes = [(path.relative_to(data).as_posix(), path.stat().st_size) for path in files]
    described = json.dumps([told, line.backbone, line.layer, line.cost_images, sizes, identity])
    digest = hashlib.sha256(described.encode()).hexdigest()[:12]
    return Place(str(images), filters, " and ".join(missing), digest)


def image_files(data: Path, place: str) -> list[Path]:
    """Lists the files of a data set, sorted: those that a pattern finds, or all in a folder."""
    found = data.glob(place) if "*" in place else (data / place).rglob("*")
    return sorted(path for path in found if path.is_file())
