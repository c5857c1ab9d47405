"""A page that answers for dropped images."""

from __future__ import annotations

import importlib.util
import ipaddress
import re
import socket
from pathlib import Path

import click

from pipeline.cli.options import (
    StoredFeatures,
    coverage_options,
    head_option,
    json_option,
    print_json,
    runs_option,
    stored_features,
)
from pipeline.errors import UsageError
from pipeline.progress import say

NEEDED = {
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "prometheus_client": "prometheus-client",
    "python_multipart": "python-multipart",
}
"""What is imported, and the package that has it."""
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.IGNORECASE)


def _names(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"--hostname {name!r} is no name of a machine: give it as it stands in addresses, without "
                "http://, port, path and wildcards, such as --hostname classifier.example.org"
            )
    return names


@click.command()
@stored_features
@head_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 = any free one.",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 lets other machines in.",
)
@click.option(
    "--hostname",
    "hostnames",
    multiple=True,
    callback=_names,
    metavar="NAME",
    help="A name that others call this server by, such as in a container or behind a proxy; repeatable. "
    "Addresses, localhost, --host and this machine's own name are answered without it.",
)
@coverage_options
@runs_option
@json_option
def command(
    features: StoredFeatures,
    head: str,
    port: int,
    host: str,
    hostnames: tuple[str, ...],
    coverage: float | None,
    per_class: bool,
    runs: Path,
    as_json: bool,
) -> None:
    """Open a page on this machine where dropped images are answered.

    It shows the classes, labels or numbers of each image and the training images that are most like it.
    Images are answered in memory and never stored. Programs ask it over HTTP: /api describes how, /metrics
    has figures for Prometheus. Needs the extra [serve].

    \b
    pipeline serve
    pipeline serve --data photos/ --head dense --port 8080
    pipeline serve --host 0.0.0.0 --hostname classifier.example.org
    """
    missing = [package for name, package in NEEDED.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            f"the page needs the package {' and '.join(missing)}: pip install 'two-stage-pipeline[serve]'"
        )
    from pipeline.heads import load_head, run_folder
    from pipeline.serving import Predictor, sets_of
    from pipeline.serving.web.app import make_app
    from pipeline.serving.web.server import address_of, listen, serve_until_interrupted
    from pipeline.serving.web.site import Site

    chosen = features.selection()
    trained = load_head(run_folder(runs, chosen.dataset, chosen.spec, head))
    train = chosen.open("train")
    sets = sets_of(chosen, trained, coverage, per_class=per_class)
    with listen(host, port) as listening:
        predictor = Predictor(chosen, trained, weights=features.options["weights"], sets=sets)
        app = make_app(Site(predictor, train), names=[host, socket.gethostname(), *hostnames])
        address = address_of(listening)
        if not _is_loopback(listening):
            say("WARNING: whoever can reach this machine can use the page, and sees training images on it")
        if as_json:
            temperature = None if trained.temperature is None else trained.temperature.value
            described = {"url": address, "head": trained.name, "dataset": chosen.dataset}
            print_json(described | {"temperature": temperature})
        else:
            if trained.temperature is not None:
                say(f"note: probabilities are calibrated: {trained.temperature.line}")
            for note in () if sets is None else sets.notes(trained.classes):
                say(f"note: {note}")
            click.echo(f"{trained.name} on {chosen.dataset}: {address}  (Ctrl-C ends it)")
        serve_until_interrupted(app, listening)


def _is_loopback(listening: socket.socket) -> bool:
    return ipaddress.ip_address(listening.getsockname()[0].partition("%")[0]).is_loopback
