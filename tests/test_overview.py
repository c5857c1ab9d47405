"""The overview of a folder: what is there, what it is worth, and commands that can be typed."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from photos import Photos

from pipeline import FeatureRequest, SourceOptions, evaluate, extract, open_features, train_head
from pipeline.cli import main
from pipeline.heads._core.targets import heads_for
from pipeline.overview import look_around

PIXELS = FeatureRequest(backbone="pixels", image_size=4)


@pytest.fixture
def folder(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photographs of two classes in three splits, which is where the process is."""
    for split, count in (("train", 4), ("val", 2), ("test", 2)):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", count)
    monkeypatch.chdir(photos.root.parent)
    return photos.root.parent


def shown(*words: str) -> str:
    result = CliRunner().invoke(main, list(words), prog_name="pipeline")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_each_step_leads_to_the_next(folder: Path) -> None:
    assert look_around().next_commands == ["pipeline extract --data photos/"]
    (report,) = extract("photos/", PIXELS)
    place = f"--entry {report.entry.full_name}"
    assert look_around().next_commands == [f"pipeline train-head {place}"]
    train, val, test = (open_features(report.entry, split) for split in ("train", "val", "test"))
    head = train_head("prototype", train, val)
    train_head("ridge", train, val)
    (entry,) = look_around().entries
    best = entry.heads[0]
    assert {one.name for one in entry.heads} == {"prototype", "ridge"}
    assert look_around().next_commands == [f"pipeline evaluate {place} --head {best.name} --split test"]
    figures = {}
    for name in ("prototype", "ridge"):
        found = evaluate(head.folder.parent / name, test)
        found.write()
        figures[name] = found.figures
    (entry,) = look_around().entries
    for one in entry.heads:
        expected = figures[one.name]
        assert {split: (found.accuracy, *found.interval) for split, found in one.figures.items()} == {
            "test": (expected.accuracy, *expected.accuracy_ci)
        }
    assert look_around().next_commands == [f"pipeline predict photo.jpg {place} --head {best.name}"]


def test_the_commands_can_be_typed(folder: Path) -> None:
    extract("photos/", PIXELS)
    for _ in range(2):
        (line,) = look_around().next_commands
        shown(*shlex.split(line)[1:])
    assert look_around().entries[0].heads[0].figures.keys() == {"test"}


def test_the_program_alone_shows_the_same(folder: Path) -> None:
    assert "no features in features_cache\n\nnext:\n  pipeline extract --data photos/\n" in shown()
    extract("photos/", PIXELS)
    assert shown().startswith(shown("status"))
    assert "`pipeline --help` lists the commands." in shown()
    assert "train 8, val 4, test 4" in shown("status")


def test_an_empty_folder_says_how_to_begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert look_around().next_commands == ["pipeline extract --data folder/of/images"]
    assert list(tmp_path.iterdir()) == []


def test_what_is_damaged_costs_nobody_the_rest(folder: Path) -> None:
    (report,) = extract("photos/", PIXELS)
    train, val = (open_features(report.entry, split) for split in ("train", "val"))
    (train_head("prototype", train, val).folder / "head.json").write_text("{}")
    report.entry.file("val").write_bytes(b"no features")
    (entry,) = look_around().entries
    assert entry.rows == {"train": 8, "val": None, "test": 4}
    assert entry.heads == ()
    assert "val damaged" in shown("status")


def test_features_without_labels_lead_to_no_head(photos: Photos, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("\n".join(["path", *map(str, photos.add("a", 3))]))
    extract(table, PIXELS, cache=tmp_path / "cache", source_options=SourceOptions(label_column="none"))
    overview = look_around(tmp_path / "cache", tmp_path / "runs", here=tmp_path / "cache")
    assert not overview.entries[0].labelled
    assert not any("train-head" in line for line in overview.next_commands)


def test_pictures_of_reports_are_no_images_to_learn_from(folder: Path) -> None:
    (report,) = extract("photos/", PIXELS)
    train, val, test = (open_features(report.entry, split) for split in ("train", "val", "test"))
    evaluate(train_head("prototype", train, val, runs="elsewhere"), test).write()
    assert list(folder.glob("elsewhere/**/*.png"))
    assert look_around().sources == ()


def test_other_folders_are_named_in_the_commands(folder: Path) -> None:
    extract("photos/", PIXELS, cache="store")
    (line,) = look_around(Path("store"), Path("heads")).next_commands
    assert line.endswith("--cache store --runs heads")


def test_it_imports_nothing_that_is_slow() -> None:
    script = """
import sys
from pipeline.overview import look_around
look_around()
print({"tensorflow", "keras", "sklearn", "scipy"} & {*sys.modules})
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_what_was_not_finished_goes_on_with_the_same_options(folder: Path) -> None:
    (report,) = extract("photos/", PIXELS)
    published = report.entry.file("val")
    published.rename(published.with_name("val.h5.partial"))
    (entry,) = look_around().entries
    assert entry.unfinished == ("val",)
    command = look_around().next_commands[0]
    assert command.startswith("pipeline extract --data ")
    assert "--backbone pixels --image-size 4" in command


def test_of_numbers_the_head_that_learns_them_is_named(photos: Photos, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "\n".join(["path,label", *(f"{name},{i}.5" for i, name in enumerate(photos.add("a", 3)))])
    )
    options = SourceOptions(target="number", split_column="none")
    extract(table, PIXELS, cache=tmp_path / "cache", source_options=options)
    (line,) = look_around(tmp_path / "cache", tmp_path / "runs", here=tmp_path / "cache").next_commands
    words = shlex.split(line)
    assert words[words.index("--head") + 1] in heads_for("number")
    shown(*words[1:])
    assert look_around(tmp_path / "cache", tmp_path / "runs").entries[0].heads
