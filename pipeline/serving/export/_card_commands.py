"""The commands that made a model, as far as they are on record, for a machine that is not this one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from pipeline.cache.features import Selection, single_specs
from pipeline.extraction.command import extract_command
from pipeline.heads import TrainedHead
from pipeline.options import settings_of

_FOLDERS = re.compile(r"(?:(?<=[=:])|^)(?:file://)?(?:~[^/:=]*)?/(?!/)(?:[^:=]*/)?(?=[^/])")
"""Folders before a name, where a word begins, or the value in it, or behind a scheme like ``sample:9:``."""


def commands_of(
    trained: TrainedHead,
    features: Selection | None,
    *,
    format: str,
    out: str | None,
    evaluated: str | None,
) -> Iterator[str]:
    """Yields a line for each step; what is not on record is a comment that says so.

    Args:
        trained: The head.
        features: The features it was trained on; None = not at hand.
        format: Of the exported model.
        out: File name it was asked to have; None where it stands in the folder of its head.
        evaluated: The split that its figures are about; None where there are none on record.
    """
    entries = [f"{trained.dataset}/{spec.entry_name}" for spec in single_specs(trained.spec)]
    where = [word for entry in entries for word in ("--entry", entry)] + ["--head", trained.name]
    options = [word for one in settings_of(trained.head) for word in ("--set", one)]
    seed = ["--seed", str(trained.seed)] if trained.seed else []
    if features is None:
        yield "# pipeline extract: not on record, as the model was exported without its features"
    else:
        yield _line(*shlex.split(extract_command(features.entries)))
    yield _line("pipeline", "train-head", *where, *options, *seed)
    if evaluated is None:
        yield "# pipeline evaluate: no figures on record"
    else:
        calibrated = [] if trained.temperature is None else ["--calibrate"]
        yield _line("pipeline", "evaluate", *where, "--split", evaluated, *calibrated)
    yield _line("pipeline", "export", *where, "--format", format, *(["--out", out] if out else []))


def _line(*words: str) -> str:
    """Writes a command without the folders of this machine, which are nobody's business elsewhere."""
    return shlex.join(_FOLDERS.sub("", word) for word in words)
