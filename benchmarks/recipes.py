"""The published experiments on their own data with their own filters: what they come to, how fast.

    make seeds SEEDS_DATA=folder/of/data SEEDS_WEIGHTS=folder/of/filters
    python benchmarks/recipes.py --data FOLDER --weights FOLDER --only cifar10-ann cats-and-dogs-vgg16
    python benchmarks/recipes.py --data FOLDER --weights FOLDER --again cifar10-ann

Each line of ``recipe_list.py`` is run once a seed by ``pipeline run`` in a process of its own, and its row is
written as the run ends. What stands in ``recipes.csv`` with the same recipe, images and filters is not run
again, so a run that was stopped goes on where it was. Lines share the features in the cache.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import recipe_tables
from measuring import Ended, run_process, tell
from recipe_list import DATA, LINES, Line, Place, image_files, place
from recipe_results import Results
from tables import RESULTS, number
from workers import extract_command, pipeline_command

ROOT = Path(__file__).resolve().parents[1]
RUNS = ROOT / "build" / "seeds"
EXTRACTING = ("stock", "measure", "load", "copy", "fill")
"""The steps of stage one that follow one another."""


def main(words: Sequence[str] | None = None, lines: Sequence[Line] = LINES) -> None:
    """Runs what is not in the table yet, and writes ``recipes.csv`` row by row."""
    given = _arguments(words, list(dict.fromkeys(line.recipe for line in lines)))
    results = Results(given.out, lines)
    wanted = [*given.only, *given.again]
    try:
        for line in (line for line in lines if not wanted or line.recipe in wanted):
            there = place(line, given.data, given.weights)
            if there.missing:
                tell(f"{line.name}: no {there.missing}")
                results.note(line, f"no {there.missing} there")
                continue
            for seed in range(line.seeds):
                if line.recipe not in given.again and results.has(line, seed, there.made_of):
                    continue
                tell(f"{line.name}, seed {seed} ...")
                run(line, seed, there, results, given)
    except KeyboardInterrupt:
        tell("stopped; what is in the table stays, and the same command goes on from here")
        sys.exit(130)
    finally:
        if given.pages:
            recipe_tables.renew_pages(given.out)


def _arguments(words: Sequence[str] | None, names: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help=f"folder with {', '.join(DATA.values())}")
    parser.add_argument("--weights", type=Path, required=True, help="folder with files of filters")
    parser.add_argument("--only", nargs="+", choices=names, default=[], metavar="NAME", help="only these")
    parser.add_argument(
        "--again", nargs="+", choices=names, default=[], metavar="NAME", help="only these, though known"
    )
    parser.add_argument(
        "--cache", type=Path, default=ROOT / "features_cache", help="where features stand, or will"
    )
    parser.add_argument("--runs", type=Path, default=RUNS, help="where trained heads are put")
    parser.add_argument("--out", type=Path, default=RESULTS / "recipes.csv")
    parser.add_argument(
        "--pages", action="store_true", help="renew the tables in docs/recipes.md and README.md"
    )
    return parser.parse_args(words)


def run(line: Line, seed: int, there: Place, results: Results, given: argparse.Namespace) -> None:
    """Runs a line with one seed and takes its row down; a failure becomes a note."""
    try:
        row = cost(line, there, given.data) if line.cost_images else whole(line, seed, there, results, given)
    except RuntimeError as error:
        last = str(error).strip().splitlines()[-1]
        tell(f"  {last}")
        results.note(line, f"seed {seed} failed: {last}")
        return
    results.add(line, seed, there.made_of, row)
    tell(f"  test {row.get('test') or '-'} in {row['run_seconds']} s")


def whole(line: Line, seed: int, there: Place, results: Results, given: argparse.Namespace) -> dict[str, str]:
    """Runs a whole experiment; returns figures and seconds."""
    ended = run_process(
        pipeline_command(
            "run", line.path, "--data", there.data, "--name", line.data,
            *(["--weights", there.weights] if there.weights else []),
            *(["--backbone", line.backbone] if line.backbone else []),
            *(["--layer", line.layer] if line.layer else []),
            "--seed", seed, "--cache", given.cache, "--runs", given.runs, "--json",
        )
    )  # fmt: skip
    answer = ended.answer
    entry = "/".join(Path(answer["extract"]["entry"]).parts[-2:])
    rows = stage_one(answer["extract"], answer["seconds"]["extract"], ended)
    figures = {split: answer["evaluate"][split] for split in ("test", "val") if split in answer["evaluate"]}
    return rows | {
        **{split: number(one["accuracy"], 4) for split, one in figures.items()},
        **{f"{split}_rows": str(one["n"]) for split, one in figures.items()},
        "train_rows": str(answer["train"]["train_rows"]),
        "train_seconds": number(answer["seconds"]["train"], 1),
        "evaluate_seconds": number(answer["seconds"]["evaluate"], 1),
        "entry": entry,
        "features_took": rows["features_took"] or results.features_took(entry),
    }


def cost(line: Line, there: Place, data: Path) -> dict[str, str]:
    """Extracts a few images with random filters; returns seconds."""
    files = image_files(data, DATA[line.data])
    chosen = files[:: max(1, len(files) // line.cost_images)][: line.cost_images]
    with tempfile.TemporaryDirectory() as work:
        images = Path(work, "images")
        for position, file in enumerate(chosen):
            folder = images / "test" / file.parent.name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / f"{position}{file.suffix}")
        ended = run_process(
            extract_command(
                images, Path(work, "cache"), "--backbone", line.base, "--weights", there.weights,
                "--image-size", line.parsed.request.image_size,
                "--store", "float32",  # a hundred random layers leave the range of float16
            )
        )  # fmt: skip
    return stage_one(ended.answer, sum(ended.answer["timings"][step] for step in EXTRACTING), ended)


def stage_one(extract: Mapping[str, Any], seconds: float, ended: Ended) -> dict[str, str]:
    """Returns what a row says of its features; they took these seconds where this run made nearly all."""
    splits = extract["splits"].values()
    rows, computed = (sum(one[name] for one in splits) for name in ("rows", "computed"))
    filling = sum(one["seconds"] for one in splits)
    return {
        "run_seconds": number(ended.seconds, 1),
        "extract_seconds": number(seconds, 1),
        "rows": str(rows),
        "computed": str(computed),
        # Copies within the set are not computed, so a few rows always may be lacking.
        "features_took": number(seconds, 1) if computed >= 0.9 * rows else "",
        "images_per_second": number(computed / filling, 3) if computed and filling else "",
        "engine": extract["engine"],
        "precision": extract["precision"],
        "peak_gb": number(ended.peak_rss / 1e9, 2),
    }


if __name__ == "__main__":
    main()
