"""Recipes: every field is checked, and a whole experiment runs from one file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from counting_engine import BACKBONE, CountingEngine
from photos import Photos

import pipeline
from pipeline.errors import UnreadableImagesError, UsageError
from pipeline.heads import make_head
from pipeline.images.targets import LABELS, NUMBER
from pipeline.recipe import Recipe, read_recipe, run_recipe, with_changes

FOLDER = Path(pipeline.__file__).parent / "recipes"
TOP = 'title = "t"\ndata = "builtin:digits"\nhead = "logreg"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_can_be_run(path: Path) -> None:
    recipe = read_recipe(path)
    make_head(recipe.experiment.head, recipe.options)
    assert recipe.experiment.source
    assert recipe.experiment.data.startswith("builtin:")  # runs offline as it stands


def test_there_is_a_recipe_for_each_source_experiment() -> None:
    sources = [read_recipe(path).experiment.source for path in FOLDER.glob("*.toml")]
    experiments = Counter(source for source in sources if not source.startswith("This project"))
    assert sum(experiments.values()) == 15
    assert len(experiments) == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title = ", "is not TOML"),
        ('title = "t"\n', "lacks data: add a line"),
        (TOP + "seeed = 1\n", r"unknown field of recipe .* 'seeed' \(did you mean 'seed'\?\)"),
        (TOP + 'seed = "high"\n', "option seed=high of recipe .* must be int"),
        (TOP + 'evaluate = ["tset"]\n', r"unknown split in recipe .* 'tset'"),
        (TOP + "extract = 3\n", r"extract must be a section, \[extract\]"),
        (
            TOP + "[extract]\nlayer = 3\n",
            r"unknown field of \[extract\] of recipe .* 'layer' \(did you mean 'layers'",
        ),
        (
            TOP + '[extract]\nbase_engine = "keras"\nengine = "openvino"\n',
            "has both base_engine and engine: keep engine",
        ),
        (
            TOP + '[source_options]\ntarget_columns = ["a"]\n',
            r"unknown field of \[source_options\] of .* 'target_columns' \(did you mean 'target_column'",
        ),
        (TOP + '[source_options]\ntarget = "numbers"\n', r"unknown target 'numbers' \(did you mean 'number'"),
        (TOP + "[source_options]\nlabel_separator = 3\n", "option label_separator=3 of .* must be text"),
        (TOP + "[extract]\nimage_size = 1.5\n", "option image_size=1.5 of .* must be int"),
        (TOP + "[augment]\nrotation = 400\n", "rotation=400 of the augmentation must be float from 0 to 180"),
        (TOP + '[published]\nsplit = "tset"\n', r"unknown split in \[published\] of recipe .* 'tset'"),
        (TOP + "[published]\naccuracy = 99\n", r"accuracy=99 of \[published\] .* must be float from 0 to 1"),
    ],
)
def test_a_wrong_field_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_recipe(written(tmp_path, text))


def test_the_engine_has_its_older_name_too(tmp_path: Path) -> None:
    for name in ("engine", "base_engine"):
        recipe = read_recipe(written(tmp_path, TOP + f'[extract]\n{name} = "openvino"\n'))
        assert recipe.request.engine == "openvino"


def test_a_missing_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_recipe(tmp_path / "none.toml")


@pytest.fixture
def recipe(tmp_path: Path, photos: Photos) -> Recipe:
    for split in ("train", "val", "test"):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", 4)
    path = written(tmp_path, TOP + '[options]\nC = 0.5\n[published]\naccuracy = 0.5\nmeasured_on = "x"\n')
    return with_changes(read_recipe(path), data=str(photos.root), precision="float32", **BACKBONE)


def test_a_recipe_extracts_trains_and_evaluates(
    recipe: Recipe, engine: CountingEngine, cache: Path, tmp_path: Path
) -> None:
    outcome = run_recipe(recipe, cache=cache, runs=tmp_path / "runs")
    assert engine.computed == 24
    assert outcome.trained.options["C"] == 0.5
    assert list(outcome.reports) == ["val", "test"]
    assert all((report.folder / "metrics.json").is_file() for report in outcome.reports.values())
    described = outcome.to_json()
    assert described["published"] == 0.5
    assert described["evaluate"]["test"]["n"] == 8
    run_recipe(recipe, cache=cache, runs=tmp_path / "runs")
    assert engine.computed == 24


@pytest.fixture
def table(photos: Photos) -> Path:
    """Photographs with a list of labels, and a number, each; the table is ``photos/table.csv``."""
    rows = []
    for split in ("train", "val", "test"):
        photos.add(split, 6)
        for place, path in enumerate(sorted((photos.root / split).iterdir())):
            labels = ("cat", "cat|dog", "dog")[place % 3]
            rows.append(f"{split}/{path.name},{labels},{place % 4},{split}")
    text = "\n".join(["path,animals,legs,split", *rows]) + "\n"
    written = photos.root / "table.csv"
    written.write_text(text)
    return written


@pytest.mark.parametrize(
    ("reading", "target", "figure"),
    [
        ('label_column = "animals"\nlabel_separator = "|"', LABELS, "map"),
        ('label_column = "legs"\ntarget = "number"', NUMBER, "r2"),
        ('target_column = ["legs"]', NUMBER, "r2"),
    ],
)
def test_a_recipe_says_how_its_images_are_read(
    reading: str, target: str, figure: str, table: Path, engine: CountingEngine, cache: Path, tmp_path: Path
) -> None:
    text = f"{TOP.replace('logreg', 'ridge')}[source_options]\n{reading}\n"
    recipe = with_changes(
        read_recipe(written(tmp_path, text)), data=str(table), precision="float32", **BACKBONE
    )
    outcome = run_recipe(recipe, cache=cache, runs=tmp_path / "runs")
    assert outcome.extractions[0].entry.source_options == recipe.source_options
    assert outcome.trained.task.target == target
    described = outcome.to_json()
    assert list(described["evaluate"]) == ["val", "test"]
    assert figure in described["evaluate"]["test"]
    assert described["beside_published"] == ""
    assert all((report.folder / "metrics.json").is_file() for report in outcome.reports.values())


def test_several_cuts_are_joined(recipe: Recipe, engine: CountingEngine, cache: Path, tmp_path: Path) -> None:
    cuts = ("block4_pool", "block5_pool")
    outcome = run_recipe(with_changes(recipe, layers=cuts), cache=cache, runs=tmp_path / "runs")
    assert outcome.trained.spec.layer == "block4_pool+block5_pool"
    assert outcome.trained.task.feature_shape == (2 * 36,)


def test_changes_replace_lines_of_the_file() -> None:
    recipe = read_recipe(FOLDER / "scenes-vgg16-finetune.toml")
    changed = with_changes(recipe, backbone="mobilenet_v2", layers=("block_12_add",), weights="random")
    assert (changed.request.backbone, changed.request.layers) == ("mobilenet_v2", ("block_12_add",))
    assert changed.options["weights"] == changed.request.weights == "random"
    assert with_changes(recipe, layers=()).request == recipe.request


def test_another_base_on_pixels_is_the_one_that_the_head_trains() -> None:
    recipe = read_recipe(FOLDER / "scenes-resnet101-full.toml")
    changed = with_changes(recipe, backbone="mobilenet_v2")
    assert changed.request.backbone == "pixels"
    assert changed.options["backbone"] == "mobilenet_v2"


def test_unreadable_images_end_a_recipe(
    recipe: Recipe, engine: CountingEngine, photos: Photos, cache: Path, tmp_path: Path
) -> None:
    photos.spoil(next((photos.root / "train" / "cats").iterdir()))
    with pytest.raises(UnreadableImagesError, match=r"1 image of .* cannot be read, e\.g\."):
        run_recipe(recipe, cache=cache, runs=tmp_path / "runs")
