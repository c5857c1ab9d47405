"""What a choice leaves behind: the record, the picture, the recipe, and the commands that make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from pipeline.cache.entries import Entry
from pipeline.cache.finding import asked_of
from pipeline.choosing.picture import draw_choice
from pipeline.choosing.record import Choice
from pipeline.errors import disk_errors
from pipeline.extraction.command import DEFAULT_CACHE, extract_command
from pipeline.files import make_folder, root_of, written
from pipeline.plain_json import json_text, plain, sealed
from pipeline.run_files import is_of_a_choice

FOLDER = "choose"
DEFAULT_RUNS = Path("runs")


def commands(
    entries: Sequence[Entry],
    head: str,
    options: Mapping[str, str],
    *,
    source_name: str,
    skip_bad: bool,
    runs: Path,
    seed: int,
) -> list[str]:
    """Returns the command lines that make a head: one for each stage, and one for the figures on test."""
    where = [word for entry in entries for word in ("--entry", entry.full_name)]
    if entries[0].cache != DEFAULT_CACHE:
        where += ["--cache", str(entries[0].cache)]
    where += ["--head", head]
    own = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    own += ["--seed", str(seed)] if seed else []
    into = ["--runs", str(runs)] if runs != DEFAULT_RUNS else []
    lines = [
        extract_command(entries, source_name=source_name, skip_bad=skip_bad),
        shlex.join(["pipeline", "train-head", *where, *own, *into]),
    ]
    if all("test" in entry.splits for entry in entries):
        lines.append(shlex.join(["pipeline", "evaluate", *where, *into, "--split", "test"]))
    return lines


def write_choice(choice: Choice) -> list[Path]:
    """Writes choice.json, choice.png and recipe.toml, replacing older ones, and returns their paths.

    Raises:
        ForeignFileError: Something else stands there.
        PipelineError: The folder cannot be written.
    """
    folder = choice.folder
    paths = [folder / name for name in ("choice.json", "choice.png", "recipe.toml")]
    root = root_of(paths[0], 2)  # <runs>/<dataset>/choose/choice.json
    with disk_errors(f"cannot write the choice to {folder}", "Choose another place with --runs"):
        make_folder(folder, root=root)
        with ExitStack() as drafts:
            record, picture, recipe = (
                drafts.enter_context(written(path, root=root, known=is_of_a_choice)) for path in paths
            )
            more = {"run": str(choice.trained.folder), "commands": list(choice.commands)}
            record.write(json_text(sealed(plain(choice.to_json() | more)), indent=2).encode())
            draw_choice(choice, picture)
            recipe.write(recipe_text(choice).encode())
    return paths


def recipe_text(choice: Choice) -> str:
    """Writes the choice as a recipe for ``pipeline run``."""
    first = choice.found.entries[choice.positions[0]]
    trained = choice.trained
    top = {
        "title": f"{trained.dataset}: chosen by pipeline choose",
        "source": "pipeline choose",
        "data": first.source,
        "head": trained.name,
        "seed": trained.seed,
        "evaluate": [split for split in ("val", "test") if split in first.splits],
    }
    base = choice.found.contender.base
    asked = {name: value for name, value in asked_of(first.spec).items() if name != "pixel_range"}
    asked |= {"backbone": base.backbone, "weights": str(first.weights_file or base.weights)}
    if not base.weights:
        del asked["weights"]
    layers = [choice.found.cut(position) for position in choice.positions]
    if not base.is_pixels:
        asked["layers"] = layers
    lines = [*map(_line, top.items())]
    reading = first.source_options.to_json()
    for section, values in (("source_options", reading), ("extract", asked), ("options", trained.options)):
        if values or section != "source_options":
            lines += ["", f"[{section}]", *map(_line, values.items())]
    return "\n".join(lines) + "\n"


def _line(pair: tuple[str, object]) -> str:
    """Writes a field: what JSON writes of text, numbers and lists is TOML, too."""
    name, value = pair
    text = "none" if value is None else value
    return f"{name} = {json.dumps(text)}"
