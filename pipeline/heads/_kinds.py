"""Which kind of features a head takes, and what to extract where it is given another."""

from __future__ import annotations

from pipeline.errors import UsageError
from pipeline.heads._head import Task

ANY = "any"
MAPS = "maps"
PIXELS = "pixels"
BASE = "base"
"""Kinds: any features; those with height and width; decoded images; a cut from which a base goes on."""


def refuse_other_kind(task: Task, kind: str, *, head: str) -> None:
    """Refuses features that a head cannot work on.

    Args:
        task: What the head is given.
        kind: ``ANY``, ``MAPS``, ``PIXELS`` or ``BASE``.
        head: Name of the head, for the message.

    Raises:
        UsageError: The message names the entry to extract instead.
    """
    spec = task.spec
    layer = spec.layer.partition("+")[0]  # joined cuts are flat; the first of them serves as the example
    if kind == PIXELS and spec.backbone != "pixels":
        raise UsageError(
            f"head {head!r} learns from the images themselves, not from features of {spec.backbone}: "
            f"run `pipeline extract --backbone pixels --image-size {spec.image_size}` and train on that entry"
        )
    if kind == MAPS and len(task.feature_shape) != 3:
        shape = ", ".join(map(str, task.feature_shape))
        raise UsageError(
            f"head {head!r} needs features with height, width and channels, not rows of shape ({shape}): "
            f"run `pipeline extract --backbone {spec.backbone} --image-size {spec.image_size} "
            f"--layer {layer} --pooling none` and train on that entry"
        )
    if kind == BASE and len(task.feature_shape) != 3:
        raise UsageError(
            f"head {head!r} goes on with the base where the features were cut, but these were pooled or "
            f"joined and no layer takes them: run `pipeline extract --backbone {spec.backbone} "
            f"--image-size {spec.image_size} --layer {layer} --pooling none` and train on that entry"
        )
