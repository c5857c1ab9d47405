"""MLflow: a run of figures, parameters and the files of the report."""

from __future__ import annotations

import logging
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import PipelineError
from pipeline.evaluation.loggers import scalars
from pipeline.files import check_database, make_folder
from pipeline.paths import expanded

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from pipeline.evaluation.head_report import HeadReport

PACKAGE = "mlflow"
URI = "MLFLOW_TRACKING_URI"


def log(report: HeadReport, *, runs: Path, files: Path | None) -> str:
    """Adds a run to the experiment named after the data set.

    It goes to the server that ``MLFLOW_TRACKING_URI`` names, and otherwise to a database below ``runs``.

    Raises:
        PipelineError: The server or the database cannot be used.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("DO_NOT_TRACK", "true")
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    for chatty in ("alembic", "mlflow"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    root = expanded(runs).resolve() / PACKAGE
    uri = os.environ.get(URI) or f"sqlite:///{root / 'mlflow.db'}"
    try:
        if URI not in os.environ:
            make_folder(root / "files", root=expanded(runs).resolve())
            check_database(root / "mlflow.db", root=expanded(runs).resolve())
        client = MlflowClient(tracking_uri=uri)
        run = client.create_run(
            _experiment(client, report.dataset, root), run_name=f"{report.head} {report.split}"
        )
        _fill(client, run.info.run_id, report, files)
        client.set_terminated(run.info.run_id)
    except (MlflowException, OSError, ImportError) as error:
        reason = str(error).partition("\n")[0]
        raise PipelineError(
            f"MLflow cannot log to {uri}: {reason}. Set {URI} to a server that answers"
        ) from error
    return f"mlflow ui --backend-store-uri {uri}"


def _experiment(client: MlflowClient, name: str, root: Path) -> str:
    known = client.get_experiment_by_name(name)
    if known is not None:
        return known.experiment_id
    # A server knows itself where files belong; a database beside the heads keeps them beside itself.
    location = None if URI in os.environ else (root / "files").as_uri()
    return client.create_experiment(name, artifact_location=location)


def _fill(client: MlflowClient, run: str, report: HeadReport, files: Path | None) -> None:
    for name, value in {"head": report.head, "split": report.split, **asdict(report.spec)}.items():
        client.log_param(run, name, value)
    for name, value in scalars(report).items():
        client.log_metric(run, name, value)
    for name, values in report.history.items():
        for epoch, value in enumerate(values, 1):
            client.log_metric(run, f"training_{name}", value, step=epoch)
    if files is not None:
        client.log_artifacts(run, str(files))
