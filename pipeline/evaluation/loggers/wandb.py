"""Weights & Biases: a run of figures, curves and pictures, kept here unless ``WANDB_MODE`` is set."""

from __future__ import annotations

import os
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import PipelineError, disk_errors
from pipeline.evaluation.loggers import scalars
from pipeline.files import make_folder
from pipeline.paths import expanded

if TYPE_CHECKING:
    from pipeline.evaluation.head_report import HeadReport

PACKAGE = "wandb"
MODE = "WANDB_MODE"
OFFLINE = "offline"


def log(report: HeadReport, *, runs: Path, files: Path | None) -> str:
    """Adds a run to the project named after the data set.

    Nothing leaves this machine unless ``WANDB_MODE=online`` is set: the run stands below ``runs`` until
    `wandb sync` takes it to a server.

    Raises:
        PipelineError: The folder cannot be written, or the server does not take the run.
    """
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    root, mode = expanded(runs).resolve(), os.environ.get(MODE, OFFLINE)
    with disk_errors(f"cannot log to {root / PACKAGE}", "Choose a folder that can be written with `--runs`"):
        make_folder(root / PACKAGE, root=root)
    try:
        run = wandb.init(
            project=report.dataset,
            name=f"{report.head} {report.split}",
            config={"head": report.head, "split": report.split, **asdict(report.spec)},
            dir=root,
            mode=mode,  # type: ignore[arg-type]  # wandb checks it
            settings=wandb.Settings(silent=True, console="off", save_code=False, disable_git=True),
        )
        _fill(run, report, files)
        run.finish()
        wandb.teardown()  # which waits until all is on disk
    except (wandb.Error, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise PipelineError(
            f"Weights & Biases cannot log: {reason}. `{MODE}=offline` keeps the run in {root / PACKAGE}"
        ) from error
    if mode == OFFLINE:
        return f"wandb sync {shlex.quote(str(Path(run.dir).parent))}"
    return str(run.url or "")


def _fill(run: Any, report: HeadReport, files: Path | None) -> None:
    from wandb import Image

    epochs = max(map(len, report.history.values()), default=0)
    for epoch in range(epochs):
        known = {name: values[epoch] for name, values in report.history.items() if epoch < len(values)}
        run.log({f"training/{name}": value for name, value in known.items()}, step=epoch + 1)
    pictures = {path.stem: Image(str(path)) for path in sorted(files.glob("*.png"))} if files else {}
    run.log(scalars(report) | pictures, step=epochs + 1)
