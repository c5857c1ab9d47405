"""The model card: one page of Markdown beside an exported model, of what is known and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pipeline
from pipeline.cache.features import Selection
from pipeline.evaluation.leaks.findings import DOUBTFUL
from pipeline.heads import TrainedHead
from pipeline.serving.export._card_commands import commands_of
from pipeline.serving.export._card_figures import CardFigures, read_figures
from pipeline.serving.export._card_front import front_matter
from pipeline.serving.export._card_images import images_section
from pipeline.serving.export._card_kinds import (
    answers_line,
    how_chosen,
    limit_of,
    thresholds_table,
    unknown_line,
    what_it_is,
    worth_on_val,
)
from pipeline.serving.export._familiarity import FAMILIARITY, meaning_of
from pipeline.serving.export._kinds import kind_of
from pipeline.serving.export._markdown import code, shown, table
from pipeline.wording import counted

SPLIT = "test"


def write_card(
    trained: TrainedHead,
    *,
    format: str,
    name: str,
    example: str,
    checked: int,
    difference: float | None,
    without_familiarity: str,
    features: Selection | None = None,
    out: str | None = None,
) -> str:
    """Returns the text of a card.

    Args:
        trained: The head.
        format: Of the exported model.
        name: File name of the model.
        example: Lines of Python that let it answer.
        checked: Images that it was checked on.
        difference: Largest difference of a probability to the head's, in that check.
        without_familiarity: Why the model does not give familiarity; empty where it does.
        features: The features that the head was trained on; None = not at hand, which the card says.
        out: File name that was asked for; None where the model stands in the folder of its head.
    """
    figures = read_figures(trained, SPLIT)
    parts = [
        front_matter(trained, format=format, split=SPLIT, figures=figures),
        f"# {shown(trained.dataset)}: {trained.name} on {shown(trained.spec.backbone)}",
        what_it_is(trained),
        "No licence is stated: whoever publishes this adds `license:` above, and has those of the base and "
        "of the training images in mind.",
        "## Use",
        f"```python\n{example}\n```",
        f"`{name}` takes uint8 images, RGB, {trained.spec.image_size} x {trained.spec.image_size} pixels; "
        "scaling of pixels is inside, decoding and resizing are not. It gives:",
        *_outputs(trained, without_familiarity),
        "## Figures",
        *_figures(trained, figures),
        "## Limits",
        *_limits(trained, checked, difference, without_familiarity),
        "## Trained on",
        *images_section(trained, features),
        "## How it was made",
        table(_making(trained).items()),
        "## Commands that made it",
        "Folders of the machine are left out, and what a command takes where nothing is said.",
        code(
            commands_of(
                trained, features, format=format, out=out, evaluated=None if figures is None else SPLIT
            ),
            "sh",
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _figures(trained: TrainedHead, figures: CardFigures | None) -> Iterator[str]:
    if figures is None:
        yield (
            f"Not evaluated on {SPLIT} yet: `pipeline evaluate --head {trained.name} --split {SPLIT}`, then "
            "export again."
        )
    else:
        yield f"On the {SPLIT} split, which took no part in training:"
        yield table(figures.lines.items())
        yield from figures.parts
        yield _leaks(figures.leaks)
        if figures.notes:
            yield "\n".join(f"* {shown(note)}" for note in figures.notes)
    yield from filter(None, (worth_on_val(trained), how_chosen(trained)))


def _leaks(found: dict[str, int] | None) -> str:
    """Says what a leak check has found; what it could not compare, nobody has written down."""
    if found is None:
        return "What a leak check between the splits finds is not on record: `pipeline check`."
    kinds = [
        f"{count:,} {shown(kind)}{' (to look at)' * (kind in DOUBTFUL)}"
        for kind, count in found.items()
        if count
    ]
    pairs = f"found pairs of images: {', '.join(kinds)}" if kinds else "found nothing"
    return f"The leak check beside these figures {pairs}; what it could not compare is not on record."


def _outputs(trained: TrainedHead, without_familiarity: str) -> Iterator[str]:
    """Says what the model gives, and what tells images that it should not be asked about."""
    lines = [answers_line(trained)]
    if not without_familiarity and (known := trained.familiarity) is not None:
        lines.append(
            f"`{FAMILIARITY}`, float32 (n,): {meaning_of(trained)}. The threshold is "
            f"{known.threshold:.4f}: of images like those of val at most {known.rate:.2%} are below it, "
            f"told by {counted(known.val_rows, 'image')}"
        )
    yield "\n".join(f"* {line}" for line in lines)
    yield from thresholds_table(trained)
    if without_familiarity:
        yield f"Familiarity, which tells images unlike the training, is not given: {without_familiarity}."


def _limits(
    trained: TrainedHead, checked: int, difference: float | None, without_familiarity: str
) -> Iterator[str]:
    if without_familiarity:
        tell = "`pipeline predict` and `pipeline serve` tell such images; this model alone does not."
    else:
        tell = f"Look at `{FAMILIARITY}` first: it tells most such images."
    lines = [f"{limit_of(trained)} {tell}"]
    if trained.spec.weights.startswith("random:"):
        lines.insert(0, "RANDOM FILTERS: the base was never trained; answers are poor.")
    if unknown := unknown_line(trained):
        lines.append(unknown)
    if difference is not None:
        apart = kind_of(trained).difference(difference)
        lines.append(f"On {counted(checked, 'image')} its {apart}; figures above are the head's.")
    yield "\n".join(f"* {line}" for line in lines)


def _making(trained: TrainedHead) -> dict[str, str]:
    spec = trained.spec
    return {
        "base": spec.backbone,
        "filters": spec.weights,
        "cut": spec.layer if spec.pooling == "none" else f"{spec.layer}, pooled: {spec.pooling}",
        "image size": str(spec.image_size),
        "preprocessing": spec.preprocessing,
        "resizing": spec.resize,
        "features": f"{spec.engine}, {spec.precision}, stored in {spec.store}",
        "head": trained.name,
        "options": ", ".join(f"{name}={value}" for name, value in trained.options.items()) or "none",
        "seed": str(trained.seed),
        "made with": ", ".join(f"{name} {number}" for name, number in trained.versions.items()),
        "exported with": f"pipeline {pipeline.__version__}",
    }
