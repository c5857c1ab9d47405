"""A whole experiment in one TOML file: images, cut, views, head, what to evaluate, and what was published."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cache.features import Selection
from pipeline.errors import UnreadableImagesError, UsageError, reason_of, unknown
from pipeline.extraction import Extraction, extract
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.report import extractions_to_json
from pipeline.extraction.request import FeatureRequest
from pipeline.heads import describe_head, make_head, train_head
from pipeline.images import SPLITS
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import CLASS, checked_kind
from pipeline.options import Seed, flags_of, options_of, parse_options
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.published_figure import Published
from pipeline.spec import RAW
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.evaluation import Report
    from pipeline.evaluation.targets import TargetReport
    from pipeline.heads import TrainedHead


FOLDER = Path(__file__).parent / "recipes"
_SUFFIX = ".toml"

MAX_BYTES = 1 << 20
"""Largest recipe that is read."""

EXTRACT = (*flags_of(FeatureRequest), "batch_size")
"""The fields of ``[extract]``: those of ``FeatureRequest`` but the augmentation, which is a section."""
SECTIONS = ("source_options", "extract", "augment", "options", "published")
OLDER_NAMES = {"base_engine": "engine"}
"""What fields of ``[extract]`` were called in versions before 0.2.0."""


def shipped() -> dict[str, Path]:
    """Returns the file of each recipe, by its name."""
    return {path.stem: path for path in sorted(FOLDER.glob(f"*{_SUFFIX}"))}


def find_recipe(given: Path) -> Path:
    """Returns the file that a user means: a path, or the name of a recipe that comes with the package.

    A file that is there is taken first.

    Raises:
        UsageError: There is no such file and no recipe of this name; the message lists the names.
    """
    if given.is_file():
        return given
    known, name = shipped(), given.name.removesuffix(_SUFFIX)
    if given.name == str(given) and name in known:
        return known[name]
    if name in known:
        raise UsageError(
            f"recipe {given} does not exist; one of this name comes along: `pipeline run {name}`"
        )
    if given.exists() or given.suffix == _SUFFIX or given.name != str(given):
        return given  # whoever reads it says what is wrong with it
    raise unknown("recipe", str(given), known, next_step="`pipeline recipes` says what they are")


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """What a recipe says besides its sections.

    Attributes:
        title: What the experiment shows.
        source: Where it comes from.
        data: Address of the images, see ``open_images``.
        head: Name of the head.
        seed: Seed of the training.
        evaluate: The splits that the head is measured on.
    """

    title: str = ""
    source: str = ""
    data: str = ""
    head: str = ""
    seed: Seed = 0
    evaluate: tuple[str, ...] = ("val", "test")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A checked recipe.

    Attributes:
        experiment: What stands at its top.
        request: The features it needs.
        options: Options of the head.
        source_options: How its images are to be read.
        published: What the source reports.
    """

    experiment: Experiment
    request: FeatureRequest
    options: Mapping[str, object] = field(default_factory=dict)
    source_options: SourceOptions = field(default_factory=SourceOptions)
    published: Published = field(default_factory=Published)


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a recipe came to here.

    Attributes:
        recipe: What was run.
        extractions: What stage one did, one report per cut.
        trained: The head.
        reports: What it was found to be, by split.
        seconds: Wall time of ``extract``, ``train`` and ``evaluate``.
    """

    recipe: Recipe
    extractions: Sequence[Extraction]
    trained: TrainedHead
    reports: Mapping[str, Report | TargetReport]
    seconds: Mapping[str, float]

    @property
    def beside_published(self) -> str:
        """The published figure beside those of this run, in words; empty where nothing was published."""
        from pipeline.evaluation import Report

        measured = {
            split: report.figures.accuracy
            for split, report in self.reports.items()
            if isinstance(report, Report)  # labels and numbers have other figures
        }
        return self.recipe.published.beside(self.trained.dataset, measured)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline run --json`` prints."""
        return {
            "title": self.recipe.experiment.title,
            "seed": self.recipe.experiment.seed,
            "extract": extractions_to_json(self.extractions),
            "train": self.trained.to_json(),
            "evaluate": {split: report.to_json() for split, report in self.reports.items()},
            "published": self.recipe.published.accuracy,
            "beside_published": self.beside_published,
            "seconds": {step: round(seconds, 3) for step, seconds in self.seconds.items()},
        }


def read_recipe(path: Path) -> Recipe:
    """Reads a recipe and checks every field of it, the options of its head included.

    Args:
        path: Its file, or the name of one that comes with the package.

    Raises:
        UsageError: There is none, the file is no TOML, or a field is missing, unknown or of the wrong type.
    """
    path = find_recipe(expanded(path))
    if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
        raise UsageError(f"recipe {path} is no file. `pipeline recipes` lists those that come along")
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"recipe {path} is larger than {MAX_BYTES:,} bytes: it is no recipe")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"recipe {path} cannot be read: {reason_of(error)}. "
            "`pipeline recipes` lists those that come along"
        ) from error
    except (ValueError, RecursionError) as error:
        long = "integer string conversion" in str(error)
        trouble = "it holds a whole number of thousands of digits" if long else error
        raise UsageError(f"recipe {path} is not TOML: {trouble}") from error
    sections: dict[str, dict[str, Any]] = {name: {} for name in SECTIONS}
    for name in sections:
        sections[name] = data.pop(name, {})
        if not isinstance(sections[name], dict):
            raise UsageError(f"recipe {path}: {name} must be a section, [{name}]")
    experiment = Experiment(**_checked(Experiment, data, f"recipe {path}", also=sections))
    for name in ("title", "data", "head"):
        if not getattr(experiment, name):
            raise UsageError(f"recipe {path} lacks {name}: add a line `{name} = ...` at its top")
    for split in experiment.evaluate:
        if split not in SPLITS:
            raise unknown(f"split in recipe {path}", split, SPLITS)
    asked = dict(sections["extract"])
    for older, name in OLDER_NAMES.items():
        if older in asked and name in asked:
            raise UsageError(f"[extract] of recipe {path} has both {older} and {name}: keep {name}")
        if older in asked:
            asked[name] = asked.pop(older)
    request = FeatureRequest(
        augmentation=Augmentation.from_options(sections["augment"]),
        **_checked(FeatureRequest, asked, f"[extract] of recipe {path}", only=EXTRACT),
    )
    reading = SourceOptions(
        **_checked(SourceOptions, sections["source_options"], f"[source_options] of recipe {path}")
    )
    checked_kind(reading.target)
    make_head(experiment.head, sections["options"])  # told now, and not after the images
    published = Published(**_checked(Published, sections["published"], f"[published] of recipe {path}"))
    if published.split and published.split not in SPLITS:
        raise unknown(f"split in [published] of recipe {path}", published.split, SPLITS)
    return Recipe(
        experiment=experiment,
        request=request,
        options=sections["options"],
        source_options=reading,
        published=published,
    )


def run_recipe(recipe: Recipe, *, cache: Path, runs: Path, name: str | None = None) -> Outcome:
    """Extracts, trains and evaluates; what is in the cache already is not computed again.

    Args:
        recipe: The experiment.
        cache: Folder of the cache.
        runs: Folder of trained heads.
        name: Name of the data set in the cache; default: the source's own.

    Raises:
        UnreadableImagesError: Some images cannot be read; the others are finished and kept.
    """
    from pipeline.evaluation.entry import check_entry, evaluate_entry, evaluate_target_entry

    experiment = recipe.experiment
    started = time.perf_counter()
    extractions = extract(
        experiment.data, recipe.request, cache=cache, name=name, source_options=recipe.source_options
    )
    if failures := extractions[0].failures:
        first = failures[0]
        raise UnreadableImagesError(
            f"{counted(len(failures), 'image')} of {experiment.data} cannot be read, e.g. {first.id!r}: "
            f"{first.reason}. Run `pipeline extract --data {experiment.data} --skip-bad` to see them all"
        )
    chosen = Selection(tuple(extraction.entry for extraction in extractions))
    measured = _there(experiment, chosen)
    extracted = time.perf_counter()
    valid = chosen.open("val") if "val" in chosen.splits else None
    trained = train_head(
        experiment.head,
        chosen.open("train"),
        valid,
        options=recipe.options,
        seed=experiment.seed,
        runs=runs,
    )
    fitted = time.perf_counter()
    leaks = check_entry(chosen)
    measure = evaluate_entry if trained.task.target == CLASS else evaluate_target_entry
    reports = {split: measure(trained, chosen, split, leaks=leaks) for split in measured}
    seconds = {
        "extract": extracted - started,
        "train": fitted - extracted,
        "evaluate": time.perf_counter() - fitted,
    }
    return Outcome(recipe, extractions, trained, reports, seconds)


def _there(experiment: Experiment, chosen: Selection) -> list[str]:
    """Returns the splits to measure on that the images have; told now, and not after the training.

    Raises:
        UsageError: They have none of them.
    """
    there = [split for split in experiment.evaluate if split in chosen.splits]
    missing = [split for split in experiment.evaluate if split not in there]
    lacking = f"{experiment.data} has no {' and no '.join(missing)} split, only {' and '.join(chosen.splits)}"
    if experiment.evaluate and not there:
        raise UsageError(f"{lacking}: name one of these with `evaluate = [...]` at the top of the recipe")
    if missing:
        say(f"note: {lacking}: nothing is measured on {' and '.join(missing)}")
    return there


def with_changes(
    recipe: Recipe, *, data: str | None = None, seed: int | None = None, **request: Any
) -> Recipe:
    """Returns a recipe for other images, another seed or another base, None meaning as it is.

    A head that loads the base itself is given the same filters, and on pixels the base, too.
    """
    changes = {key: value for key, value in request.items() if value not in (None, ())}
    own = {option.name for option in describe_head(recipe.experiment.head).options}
    options = {**recipe.options, **{name: changes[name] for name in own & {"weights"} & set(changes)}}
    if recipe.request.engine == RAW and "backbone" in own and "backbone" in changes:
        options["backbone"] = changes.pop("backbone")
    elif recipe.request.engine == RAW and "backbone" in changes:
        changes["engine"] = FeatureRequest.engine  # raw pixels have one of their own
    return replace(
        recipe,
        options=options,
        experiment=replace(
            recipe.experiment,
            data=recipe.experiment.data if data is None else data,
            seed=recipe.experiment.seed if seed is None else seed,
        ),
        request=replace(recipe.request, **changes),
    )


def _checked(
    owner: type,
    given: Mapping[str, object],
    subject: str,
    *,
    also: Collection[str] = (),
    only: Collection[str] = (),
) -> dict[str, Any]:
    fields = set(only) or {option.name for option in options_of(owner)}
    for name in given:
        if name not in fields:
            raise unknown(f"field of {subject}", name, sorted(fields | set(also)))
    return parse_options(owner, given, subject=subject, flag="field")
