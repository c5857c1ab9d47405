"""Options that several commands share, declared once."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import click

from pipeline import registry
from pipeline.backbones.finding import is_file_address
from pipeline.backbones.table import ALL_POOLINGS
from pipeline.backbones.weights import file_identity
from pipeline.cache.entries import STAT_CACHE, Entry, chosen_name
from pipeline.cache.features import Selection
from pipeline.cache.finding import WEIGHTS_WORDS, EntryFilter, find_entries, only_entry
from pipeline.cli import completion
from pipeline.cli.parameters import PATH, PATH_OR_NAME
from pipeline.errors import UsageError
from pipeline.extraction import executors
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.request import ENGINES, PRECISIONS, STORES, FeatureRequest
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import KINDS
from pipeline.options import MOST_SEED, Flag, flags_of, options_of, split_settings
from pipeline.plain_json import json_text
from pipeline.progress import say

DEFAULT_DATA = "builtin:digits"
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
cache_option = click.option(
    "--cache",
    type=PATH,
    default=Path("features_cache"),
    show_default=True,
    help="Cache folder.",
)
runs_option = click.option(
    "--runs",
    type=PATH,
    default=Path("runs"),
    show_default=True,
    help="Folder of trained heads.",
)
seed_type = click.IntRange(0, MOST_SEED)
seed_option = click.option(
    "--seed", type=seed_type, default=0, show_default=True, help="Same seed, same scores."
)
head_option = click.option(
    "--head",
    default="logreg",
    show_default=True,
    shell_complete=completion.head,
    help="See `pipeline heads`.",
)
settings_option = click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="An option of the head; repeatable."
)

FEATURES = flags_of(FeatureRequest)
"""The flag of each field of ``FeatureRequest`` that has one."""

entry_option = click.option(
    "--entry",
    "entries",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.entry,
    help="An entry as `pipeline cache ls` names it, or the beginning of its name; repeatable.",
)

address_option = click.option(
    "--address", help="Ray: auto, local, HOST:PORT or ray://HOST:PORT.", show_default="auto, or else local"
)
EXECUTOR_OPTIONS = ("address", "workers", "gpus_per_worker", "write")


_COMPLETED = {
    "backbone": completion.backbone,
    "weights": completion.words(*WEIGHTS_WORDS[:2], "auto", or_path=True),
    "pooling": completion.words(*ALL_POOLINGS),
    "precision": completion.words(*PRECISIONS),
    "store": completion.words(*STORES),
    "engine": completion.words(*ENGINES),
}
"""How the values of fields of ``FeatureRequest`` are completed, where there are words for them."""


def _stack(*options: Decorator) -> Decorator:
    return lambda command: functools.reduce(lambda inner, option: option(inner), reversed(options), command)


coverage_options = _stack(
    click.option(
        "--coverage",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="Give each image the set of classes, or each number the interval, that holds the true one so "
        "often, e.g. 0.95.",
    ),
    click.option("--per-class", is_flag=True, help="... so often among the images of each class."),
)


def print_json(value: Any) -> None:
    """Prints the one object that ``--json`` promises; a failure after it is told on stderr only."""
    click.echo(json_text(value))
    click.get_current_context().find_root().obj["json"] = False


def print_files(folder: Path) -> None:
    """Names the files of a folder that a command has written."""
    for path in sorted(folder.iterdir()):
        click.echo(f"  {path}")


def data_option(help: str, default: str | None = None) -> Decorator:
    """Makes ``--data``; the default is told, and taken by whoever needs it."""
    return click.option(
        "--data",
        type=PATH_OR_NAME,
        help=help,
        show_default=default,
        shell_complete=completion.words(DEFAULT_DATA, or_path=True),
    )


def weights_option(help: str) -> Decorator:
    """Makes ``--weights``."""
    return click.option("--weights", type=PATH_OR_NAME, help=help, shell_complete=_COMPLETED["weights"])


data_options = _stack(
    data_option(
        "Folder, .csv/.tsv/.jsonl/.parquet table, .npz, tar shards, builtin:digits, keras:NAME, hf:NAME.",
        DEFAULT_DATA,
    ),
    click.option(
        "--name",
        help="Name of the data set in the cache.",
        show_default="the source's own",
        shell_complete=completion.dataset,
    ),
    cache_option,
)


def _feature_option(name: str, flag: Flag, *, default: str) -> Decorator:
    """Makes the option that asks for a field of ``FeatureRequest``, or for entries where it is so."""
    kind = get_type_hints(FeatureRequest)[name]
    types = {int: int if flag.low is None else click.IntRange(flag.low)}
    return click.option(
        *flag.names,
        name,
        type=PATH_OR_NAME if flag.path else types.get(kind, str),
        multiple=kind not in (int, str),
        metavar=flag.metavar or None,
        help=flag.help,
        show_default=default,
        shell_complete=_COMPLETED.get(name),
    )


_augment_option = click.option(
    "--augment",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"How views are drawn: {', '.join(map(str, options_of(Augmentation)))}.",
)
feature_options = _stack(
    *(_feature_option(name, flag, default=flag.default) for name, flag in FEATURES.items()),
    _augment_option,
)
entry_filters = _stack(
    *(_feature_option(name, flag, default="any") for name, flag in FEATURES.items()), _augment_option
)


target_options = _stack(
    click.option(
        "--target",
        default="",
        type=click.Choice(("", *KINDS)),
        metavar="KIND",
        show_default="class",
        help=f"What is known of an image: {', '.join(KINDS)}.",
    ),
    click.option(
        "--target-column",
        multiple=True,
        metavar="COLUMN",
        help="Tables: a column of a label, 0 or 1, or of a number; repeatable.",
    ),
    click.option("--label-separator", default="", help="Tables: what stands between several labels."),
)
column_options = _stack(
    click.option("--path-column", default="", help="Tables: column of the paths.", show_default="path"),
    click.option(
        "--label-column",
        default="",
        help="Tables: column of the labels; folders, too: none.",
        show_default="label",
    ),
    click.option(
        "--split-column", default="", help="Tables: column of the splits, or none.", show_default="split"
    ),
    click.option(
        "--group-column", default="", help="Tables: column of the groups, or none.", show_default="group"
    ),
)
reading_options = _stack(
    column_options,
    target_options,
    click.option("--follow-links", is_flag=True, help="Folders: read images through links to elsewhere."),
    click.option("--leave-out", multiple=True, metavar="PATTERN", help="Images not of the set."),
)


def executor_option(folder: ModuleType) -> Decorator:
    """Makes ``--executor`` of the files in a folder."""
    return click.option(
        "--executor",
        default=folder.DEFAULT,
        show_default=True,
        shell_complete=completion.words(*registry.names(folder)),
        help=f"Who computes: {', '.join(registry.names(folder))}.",
    )


executor_options = _stack(
    executor_option(executors),
    address_option,
    click.option(
        "--workers", help="Ray: processes that compute.", show_default="one per GPU, or per machine"
    ),
    click.option(
        "--gpus-per-worker",
        help="Ray: GPUs of each, e.g. 1, 0.5 or 0.",
        show_default="1 where there are GPUs",
    ),
    click.option("--write", help="Ray: who writes rows, auto, driver or workers.", show_default="auto"),
)


def executor_settings(options: dict[str, Any]) -> dict[str, object]:
    """Takes the options of executors that were given out of all options."""
    values = {name: options.pop(name) for name in EXECUTOR_OPTIONS if name in options}
    return {name: value for name, value in values.items() if value is not None}


def source_options(options: dict[str, Any]) -> SourceOptions:
    """Takes out of all options what says how a source is to be read."""
    given = [field.name for field in fields(SourceOptions) if field.name in options]
    return SourceOptions(**{name: options.pop(name) for name in given})


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
        entries: Names of entries.
        options: Values of ``feature_options``; None or empty = any.
    """

    data: str | None
    name: str | None
    cache: Path
    entries: tuple[str, ...]
    options: dict[str, Any]

    def entry(self) -> Entry:
        """Returns the one entry that matches, published or not.

        Raises:
            UsageError: None or several do.
        """
        return self._only(self._filter(), published=False)

    def selection(self) -> Selection:
        """Returns the entry that matches, or one for each layer or entry that was named.

        Raises:
            UsageError: For a layer or a name, none or several do.
        """
        wanted = self._filter()
        if layers := self.options["layers"]:
            each = [replace(wanted, asked={**wanted.asked, "layers": (layer,)}) for layer in layers]
        else:
            each = [replace(wanted, entries=(name,)) for name in wanted.entries] or [wanted]
        return Selection(tuple(self._only(one) for one in each))

    def _only(self, wanted: EntryFilter, *, published: bool = True) -> Entry:
        found = find_entries(self.cache, wanted.matches, published=published)
        exact = [one for one in found if {one.folder.name, one.full_name} & set(wanted.entries)]
        if wanted.entries and not found:
            raise no_entry(wanted.entries, self.cache)
        if not found and wanted.source:
            self._refuse_other_source(wanted, published)
        return only_entry(exact or found, cache=self.cache, extract_command=self.command("extract"))

    def _refuse_other_source(self, wanted: EntryFilter, published: bool) -> None:
        """Says where the images of features are that are as wanted, if there are such of other images."""
        others = find_entries(self.cache, replace(wanted, source=None).matches, published=published)
        if sources := list(dict.fromkeys(entry.source for entry in others)):
            named = "\n".join(f"  --data {shlex.quote(source)}" for source in sources)
            raise UsageError(
                f"no features in {self.cache} match these options. Run `{self.command('extract')}` first, or "
                f"choose images whose features are there:\n{named}"
            )

    def _filter(self) -> EntryFilter:
        given = split_settings(self.options["augment"], "--augment")
        backbone, weights = self._base()
        drawn = asdict(Augmentation.from_options(given))
        anywhere = self.data is None and (self.name is not None or self.entries)
        return EntryFilter(
            source=None if anywhere else self._source(),
            dataset=None if self.name is None else chosen_name(self.name),
            entries=self.entries,
            asked=self.options
            | {
                "backbone": backbone,
                "weights": weights,
                "augment": {name: drawn[name] for name in given},
            },
        )

    def _base(self) -> tuple[str | None, str | None]:
        """Returns what a spec calls the base that is asked for, and its filters; None = any."""
        chosen, known = self.options["backbone"], self.cache / STAT_CACHE
        filters = _filters(self.options["weights"], known)
        if chosen is None or not is_file_address(chosen):
            return chosen, filters
        path = Path(chosen)
        if filters is None and path.is_file():  # its features can be used when it is gone
            filters = file_identity(chosen, stat_cache=known)
        return path.name, filters

    def _source(self) -> str:
        data = DEFAULT_DATA if self.data is None else self.data
        whole = re.sub(r"\A(sample:\d+:)+", "", data)
        named = re.match(r"[a-z]+:", whole) and not Path(whole).exists()
        sampled = data.removesuffix(whole)
        return data if named else sampled + str(Path(whole).resolve())  # the images may be gone by now

    def command(self, name: str, *more: str) -> str:
        """Returns another command with the same options, as it is typed."""
        given = {"data": DEFAULT_DATA if self.data is None else self.data, "name": self.name, **self.options}
        if (self.options["weights"] or "").startswith("sha256:"):  # tells entries apart, but names no file
            given["weights"] = "FILE"
        if name != "extract":
            given |= {"data": self.data, "entry": self.entries}
        parts = ["pipeline", name, *more]
        for key, value in given.items():
            for one in value if isinstance(value, tuple) else (value,):
                if one is not None:
                    parts += [FEATURES[key].names[0] if key in FEATURES else f"--{key}", str(one)]
        if self.cache != Path("features_cache"):
            parts += ["--cache", str(self.cache)]
        return shlex.join(parts)


def told_changes(chosen: Selection) -> dict[str, Any]:
    """Says what has changed in the source since stage one, and returns it as ``--json`` has it."""
    from pipeline.extraction.staleness import compare_with_source

    found = compare_with_source(chosen)
    if str(found):
        say(str(found))
    return {"changed_since_extract": found.to_json()}


def no_entry(names: Sequence[str], cache: Path) -> UsageError:
    """Builds the error for ``--entry`` where nothing is called so, or is not what other options say."""
    command = shlex.join(["pipeline", "cache", "ls", "--cache", str(cache)])
    given = " or ".join(map(repr, names))
    return UsageError(f"no entry {given} in {cache} matches these options: `{command}` lists what is there")


def _filters(choice: str | None, stat_cache: Path) -> str | None:
    """Turns ``--weights`` into a word or an identity; None where it says nothing."""
    if choice in (None, "auto"):
        return None
    if choice in WEIGHTS_WORDS or re.match("(random|sha256):", choice):
        return choice
    return file_identity(choice, stat_cache=stat_cache)


def stored_features(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the stage options and passes them on as one ``features: StoredFeatures``."""

    @functools.wraps(command)
    def with_features(
        *, data: str | None, name: str | None, cache: Path, entries: tuple[str, ...], **arguments: Any
    ) -> Any:
        options = {key: arguments.pop(key) for key in (*FEATURES, "augment")}
        return command(features=StoredFeatures(data, name, cache, entries, options), **arguments)

    return data_options(entry_option(entry_filters(with_features)))
