"""Options that several commands share, declared once."""

from __future__ import annotations

import functools
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from pipeline import registry
from pipeline.cache.entries import Entry, chosen_name
from pipeline.cache.finding import find_entries, only_entry
from pipeline.cache.joined import Selection
from pipeline.extraction import executors
from pipeline.extraction.request import ENGINES, PRECISIONS, STORES, FeatureRequest
from pipeline.images.source_options import SourceOptions

DEFAULT_DATA = "builtin:digits"
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _stack(*options: Decorator) -> Decorator:
    return lambda command: functools.reduce(lambda inner, option: option(inner), reversed(options), command)


def print_json(value: Any) -> None:
    """Prints the one object that ``--json`` promises; a failure after it is told on stderr only."""
    click.echo(json.dumps(value))
    click.get_current_context().find_root().obj["json"] = False


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path("features_cache"),
    show_default=True,
    help="Cache folder.",
)
runs_option = click.option(
    "--runs",
    type=click.Path(path_type=Path),
    default=Path("runs"),
    show_default=True,
    help="Folder of trained heads.",
)
head_option = click.option("--head", default="logreg", show_default=True, help="See `pipeline heads`.")

data_options = _stack(
    click.option(
        "--data",
        help=f"Folder, .csv/.tsv/.jsonl table, .npz, tar shards, builtin:digits, keras:NAME [{DEFAULT_DATA}]",
    ),
    click.option("--name", help="Name of the data set in the cache. [the source's own]"),
    cache_option,
)
feature_options = _stack(
    click.option("--backbone", help="See `pipeline backbones`. [vgg16]"),
    click.option(
        "--layer",
        "--from-layer",
        "layers",
        multiple=True,
        help="Keras layer to cut at, or LAYER:POOLING. [the last]",
    ),
    click.option("--pooling", help="none, avg or max: global pooling after the cut. [none]"),
    click.option("--image-size", type=click.IntRange(1), help="Height and width in pixels. [150]"),
    click.option("--weights", help="imagenet, random[:SEED], auto, or a weights file. [imagenet]"),
    click.option("--precision", help=f"Arithmetic of the base: {', '.join(PRECISIONS)}. [auto]"),
    click.option("--store", help=f"dtype on disk: {', '.join(STORES)}. [float16]"),
    click.option("--engine", "base_engine", help=f"What runs the base: {', '.join(ENGINES)}. [keras]"),
)


reading_options = _stack(
    click.option("--path-column", default="", help="Tables: column of the paths. [path]"),
    click.option("--label-column", default="", help="Tables: column of the labels. [label]"),
    click.option("--split-column", default="", help="Tables: column of the splits, or none. [split]"),
    click.option("--group-column", default="", help="Tables: column of the groups, or none. [group]"),
    click.option("--follow-links", is_flag=True, help="Folders: read images through links to elsewhere."),
    click.option("--leave-out", multiple=True, metavar="PATTERN", help="Images not of the set."),
)


def executor_option(folder: ModuleType) -> Decorator:
    """Makes ``--executor`` of the files in a folder."""
    return click.option(
        "--executor",
        default=folder.DEFAULT,
        show_default=True,
        help=f"Who computes: {', '.join(registry.names(folder))}.",
    )


address_option = click.option(
    "--address", help="Ray: auto, local, HOST:PORT or ray://HOST:PORT. [auto, or else local]"
)
EXECUTOR_OPTIONS = ("address", "workers", "gpus_per_worker", "write")
executor_options = _stack(
    executor_option(executors),
    address_option,
    click.option("--workers", help="Ray: processes that compute. [one per GPU, or per machine]"),
    click.option("--gpus-per-worker", help="Ray: GPUs of each, e.g. 1, 0.5 or 0. [1 where there are GPUs]"),
    click.option("--write", help="Ray: who writes rows, auto, driver or workers. [auto]"),
)
FLAGS = {"layers": "layer", "base_engine": "engine"}
"""Options whose parameter has another name."""


def executor_settings(options: dict[str, Any]) -> dict[str, object]:
    """Takes the options of executors that were given out of all options."""
    values = {name: options.pop(name) for name in EXECUTOR_OPTIONS if name in options}
    return {name: value for name, value in values.items() if value is not None}


def source_options(options: dict[str, Any]) -> SourceOptions:
    """Takes out of all options what says how a source is to be read."""
    return SourceOptions(**{field.name: options.pop(field.name) for field in fields(SourceOptions)})


def feature_request(options: dict[str, Any], **more: Any) -> FeatureRequest:
    """Makes a request of the options that were given; the others keep their defaults.

    Raises:
        UsageError: A value is not among the choices.
    """
    return FeatureRequest(
        **{name: value for name, value in options.items() if value not in (None, ())}, **more
    )


@dataclass(frozen=True)
class StoredFeatures:
    """The stage options as filters over what stands in a cache.

    Attributes:
        data: Address of the source, as it was given to ``extract``.
        name: Name of the data set.
        cache: Folder of the cache.
        options: Values of ``feature_options``; None or empty = any.
    """

    data: str | None
    name: str | None
    cache: Path
    options: dict[str, Any]

    def entry(self) -> Entry:
        """Returns the one entry that matches.

        Raises:
            UsageError: None or several do.
        """
        return only_entry(
            find_entries(self.cache, self._matches), cache=self.cache, extract_command=self._command()
        )

    def selection(self) -> Selection:
        """Returns the entry that matches, or one for each layer that was named.

        Raises:
            UsageError: For a layer, none or several do.
        """
        layers = [(layer,) for layer in self.options["layers"]] or [()]
        each = (replace(self, options=self.options | {"layers": one}) for one in layers)
        return Selection(tuple(one.entry() for one in each))

    def _matches(self, entry: Entry) -> bool:
        if self.name is not None and entry.dataset != chosen_name(self.name):
            return False
        if (self.data is not None or self.name is None) and entry.source != self._source():
            return False
        spec, wanted = entry.spec, self.options
        cuts = {spec.layer, f"{spec.layer}:{spec.pooling}"}
        return (
            all(wanted[key] in (None, getattr(spec, key)) for key in ("backbone", "image_size", "store"))
            and wanted["precision"] in (None, "auto", spec.precision)
            and wanted["base_engine"] in (None, "auto", spec.engine)
            and wanted["pooling"] in (None, spec.pooling)
            and (not wanted["layers"] or bool(cuts & set(wanted["layers"])))
            and _same_weights(entry, wanted["weights"])
        )

    def _source(self) -> str:
        data = DEFAULT_DATA if self.data is None else self.data
        named = re.match(r"[a-z]+:", data) and not Path(data).exists()
        return data if named else str(Path(data).expanduser().resolve())  # the images may be gone by now

    def _command(self) -> str:
        given = {"data": DEFAULT_DATA if self.data is None else self.data, "name": self.name, **self.options}
        parts = ["pipeline", "extract"]
        for key, value in given.items():
            for one in value if isinstance(value, tuple) else (value,):
                if one is not None:
                    parts += [f"--{FLAGS.get(key, key).replace('_', '-')}", str(one)]
        if self.cache != Path("features_cache"):
            parts += ["--cache", str(self.cache)]
        return shlex.join(parts)


def _same_weights(entry: Entry, choice: str | None) -> bool:
    if choice in (None, "auto"):
        return True
    if choice in (entry.weights_label, entry.spec.weights):
        return True
    return Path(choice).name == entry.weights_label


def stored_features(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the stage options and passes them on as one ``features: StoredFeatures``."""

    @functools.wraps(command)
    def with_features(*, data: str | None, name: str | None, cache: Path, **arguments: Any) -> Any:
        keys = ("backbone", "layers", "pooling", "image_size", "weights", "precision", "store", "base_engine")
        options = {key: arguments.pop(key) for key in keys}
        return command(features=StoredFeatures(data, name, cache, options), **arguments)

    return data_options(feature_options(with_features))
