"""export_model(): one network of base and head, written, checked, and only then put in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

import pipeline
from pipeline.errors import PipelineError, UsageError, disk_errors
from pipeline.files import make_folder, refuse_links, replace, written
from pipeline.heads import Familiarity, Temperature, TrainedHead
from pipeline.images.pixel_range import PixelRange
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.publishing import put_in_place
from pipeline.run_files import is_model_card, is_of_a_saved_model, is_of_an_export, runs_of
from pipeline.serving.export._card import card_of, write_card
from pipeline.serving.export._familiarity import FAMILIARITY, rule_text, why_none
from pipeline.serving.export._format import JOINING, Format, JoiningFormat, example, find_format
from pipeline.serving.export._joining import front_of
from pipeline.serving.export._network import INPUT, OUTPUT, build_network
from pipeline.serving.export._sampling import Sample
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

TOLERANCE = 0.01
"""Difference of a probability above which an export of float32 features is wrong, not rounded otherwise:
rounding of features to float16 alone made up to 0.0005 (docs/export.md)."""


@contextmanager
def replacing(target: Path, *, root: Path | None = None) -> Iterator[Path]:
    """Gives the path of a draft, and puts it in the place of ``target`` when the block has succeeded.

    After an error, or Ctrl-C, the draft is removed and whatever stood there stays as it was.

    Args:
        target: A file or folder; an older model, see ``Format.recognises``, gives way.
        root: The folder that the user named; None where that is the target itself, which may then be a link.

    Raises:
        ForeignFileError: A link stands on the way below ``root``, or something else is no model.
        OSError: It cannot be written.
    """
    if root is None:
        target = target.resolve()
        root = target.parent
    make_folder(target.parent, root=root)
    refuse_links(target, root=root, folder=target.is_dir())
    with TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
        draft = Path(scratch, f"draft{target.suffix}")
        yield draft
        if draft.is_dir():
            put_in_place(draft, target, root=root, known=is_of_a_saved_model)
        else:
            replace(draft, target, root=root, known=is_of_an_export)


@dataclass(frozen=True, kw_only=True)
class Exported:
    """A model that was written.

    Attributes:
        head: Name of the head in it.
        dataset: Name of the data set that the head learnt from.
        format: Name of its format.
        path: The file or folder.
        card: The model card beside it.
        bytes: Size on disk.
        image_size: Height and width in pixels of the images it takes.
        classes: Names of the classes its probabilities are about, in their order.
        temperature: What its probabilities are calibrated with, as in the head; None where they are not.
        checked: Number of images it was checked on; 0 without a check.
        split: Where those were from; empty without a check.
        max_difference: Largest difference of a probability to those of the head; None without a check.
        familiarity: ``Familiarity.rule`` of the second output; None where the model has none.
        without_familiarity: Why it has none; empty where it has one.
        familiarity_difference: As ``max_difference``; None, too, where the model has no such output.
        example: Three lines of Python that let it answer for ``photo.jpg``.
    """

    head: str
    dataset: str
    format: str
    path: Path
    card: Path
    bytes: int
    image_size: int
    classes: tuple[str, ...]
    temperature: Temperature | None
    checked: int
    split: str
    max_difference: float | None
    familiarity: dict[str, Any] | None
    without_familiarity: str
    familiarity_difference: float | None
    example: str

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline export --json`` prints."""
        size = self.image_size
        return {
            **asdict(self),
            "path": str(self.path),
            "card": str(self.card),
            "temperature": None if self.temperature is None else self.temperature.value,
            "input": {"name": INPUT, "dtype": "uint8", "shape": [None, size, size, 3]},
            "output": {"name": OUTPUT, "dtype": "float32", "shape": [None, len(self.classes)]},
            "familiarity": self.familiarity
            and {"name": FAMILIARITY, "dtype": "float32", "shape": [None], **self.familiarity},
        }


def export_model(
    trained: TrainedHead,
    path: Path | None = None,
    *,
    format: str,
    weights: str | None = None,
    sample: Sample | None = None,
) -> Exported:
    """Writes base and head as one model, from uint8 images to probabilities; see ``docs/export.md``.

    Args:
        trained: The head.
        path: Where to; a place in the head's own folder unless given. An older model of the same format
            gives way to the complete new one.
        format: A module of this package.
        weights: A file with the filters of the base, ``imagenet``, ``random:<seed>``, or None to find them.
        sample: Images to check the written model on, before it takes its place.

    Raises:
        UsageError: The format is unknown or lacks its packages, the head cannot be exported, the filters
            cannot be found, or something else stands at ``path``.
        CacheMismatchError: The filters are others than those that made the features.
        PipelineError: The model cannot be written, or does not answer what the head answers.
    """
    module = find_format(format)
    target, root = own_place(trained, module) if path is None else (expanded(path), None)
    _refuse_target(target, module, format)
    front = front_of(trained.spec, weights)
    if front is not None and format not in JOINING:
        raise UsageError(
            f"format {format!r} cannot hold {trained.spec.backbone}, a graph of ONNX and no layers of Keras: "
            f"choose --format {' or '.join(JOINING)}"
        )
    network = build_network(trained, weights, module.OUTPUTS)
    without_familiarity = why_none(trained, module.OUTPUTS)
    known = None if without_familiarity else trained.familiarity
    if not _exact(trained.spec):
        say(f"note: features were made in {trained.spec.precision}, the exported model computes in float32")
    pixel_range = PixelRange.of(trained.spec.pixel_range)
    if pixel_range is not None:
        say(f"note: the model takes uint8: read deeper pixels by {pixel_range} first, as the example does")
    with (
        disk_errors(
            f"the model cannot be written to {target}",
            "Choose another place with --out",
        ),
        replacing(target, root=root) as draft,
    ):
        if front is None:
            module.write(network, draft, about=_about(trained, known))
        else:
            cast("JoiningFormat", module).write_above(front, network, draft, about=_about(trained, known))
        differences = {} if sample is None else _differences(module, draft, sample, trained, format)
        size = _bytes(draft)
    answers = example(module, target, trained.spec, pixel_range)
    card = _put_card(
        write_card(
            trained,
            format=format,
            name=target.name,
            example=answers,
            checked=0 if sample is None else len(sample.images),
            difference=differences.get(OUTPUT),
            without_familiarity=without_familiarity,
        ),
        target,
        root,
    )
    return Exported(
        head=trained.name,
        dataset=trained.dataset,
        format=format,
        path=target,
        card=card,
        bytes=size,
        image_size=trained.spec.image_size,
        classes=trained.classes,
        temperature=trained.temperature,
        checked=0 if sample is None else len(sample.images),
        split="" if sample is None else sample.split,
        max_difference=differences.get(OUTPUT),
        familiarity=None if known is None else known.rule,
        without_familiarity=without_familiarity,
        familiarity_difference=differences.get(FAMILIARITY),
        example=answers,
    )


def _put_card(text: str, target: Path, root: Path | None) -> Path:
    """Writes the card beside a model; an older card gives way.

    Raises:
        ForeignFileError: Something else stands there; the model is whole all the same.
        PipelineError: It cannot be written.
    """
    path = card_of(target)
    with (
        disk_errors(f"the model card cannot be written to {path}", "The model is whole; export it elsewhere"),
        written(path, root=root or path.parent, known=is_model_card) as file,
    ):
        file.write(text.encode("utf-8", "backslashreplace"))
    return path


def own_place(trained: TrainedHead, module: Format) -> tuple[Path, Path]:
    """Returns a place in the head's folder, which training it anew empties, and the folder of all runs."""
    if trained.folder is None:
        raise UsageError("a head that was not saved has no folder of its own: say where to write the model")
    name = f"{trained.dataset}-{trained.name}{module.SUFFIX}"
    return trained.folder / "export" / name, runs_of(trained.folder)


def _refuse_target(target: Path, module: Format, format: str) -> None:
    if module.SUFFIX and target.suffix != module.SUFFIX:
        raise UsageError(
            f"--out {str(target)!r}: the name of a file of format {format} ends with {module.SUFFIX}"
        )
    if target.exists() and not module.recognises(target):
        raise UsageError(f"--out {str(target)!r} exists and is no {format} model: choose another place")


def _about(trained: TrainedHead, familiarity: Familiarity | None) -> dict[str, str]:
    """Returns what a model says about itself: classes, where it comes from, and what its outputs mean."""
    options = {
        # A model travels; the folders of the machine that it comes from are nobody's business.
        name: Path(value).name if isinstance(value, str) else value
        for name, value in trained.options.items()
    }
    about = {
        "head": trained.name,
        "options": options,
        "dataset": trained.dataset,
        "train_rows": trained.train_rows,
        "val_accuracy": trained.val_accuracy,
        "temperature": None if trained.temperature is None else trained.temperature.to_json(),
        "spec": asdict(trained.spec),
        "trained_with": trained.versions,
        "exported_with": {"pipeline": pipeline.__version__},
    }
    said = {"classes": json.dumps(trained.classes), "about": json.dumps(about)}
    return said if familiarity is None else said | {FAMILIARITY: rule_text(familiarity)}


def _differences(
    module: Format, draft: Path, sample: Sample, trained: TrainedHead, format: str
) -> dict[str, float]:
    """Returns the largest difference of each output between a written model and its head.

    Raises:
        PipelineError: One is too large to be rounding.
    """
    answers = module.open_answers(draft)
    # One by one, as users will, and because a batch of some networks would take gigabytes.
    found = [answers(image[None]) for image in sample.images]
    differences = {}
    for name, expected in ((OUTPUT, sample.probabilities), (FAMILIARITY, sample.familiarity)):
        if expected is None or name not in found[0]:
            continue
        difference = float(np.abs(np.concatenate([one[name] for one in found]) - expected).max())
        if not difference <= TOLERANCE and _exact(trained.spec):  # NaN is not within it, either
            what = "a probability" if name == OUTPUT else "the familiarity"
            raise PipelineError(
                f"the exported model does not answer what head {trained.name!r} answers: {what} of the "
                f"{counted(len(found), f'{sample.split} image')} it was checked on differs by "
                f"{difference:.4f}. Nothing was written; choose another --format than {format}"
            )
        differences[name] = difference
    return differences


def _exact(spec: FeatureSpec) -> bool:
    """Tells whether features were made in the arithmetic of the exported model; pixels need none."""
    return spec.precision in ("float32", "none")


def _bytes(path: Path) -> int:
    return sum(part.stat().st_size for part in [path, *path.rglob("*")] if part.is_file())
