"""``pipeline check``: what it prints, and the codes it ends with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos, scene

from pipeline.evaluation.leaks import KINDS, LEAST_COSINE, MOST_BITS

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def leaking(extract: Cli, some_photos: Photos) -> list[str]:
    """Options that pick an entry with a test image that is a copy of a training image, and one re-encoded."""
    shutil.copy(some_photos.files("train")[0], some_photos.root / "test/dogs/copy.png")
    scene(1).save(some_photos.root / "train/cats/scene.jpg", quality=90)
    scene(1).save(some_photos.root / "test/cats/scene.jpg", quality=60)
    assert extract().exit_code == 0
    return ["--data", str(some_photos.root)]


def test_help_names_the_thresholds(cli: Cli) -> None:
    text = " ".join(cli("check", "--help").stdout.split())
    assert f"default: ({MOST_BITS})" in text
    assert f"default: ({LEAST_COSINE})" in text


def test_a_clean_entry_passes(stored: list[str], cli: Cli) -> None:
    result = cli("check", *stored, "--fail-on-leak")
    assert result.exit_code == 0, result.stderr
    last = " ".join(result.stdout.split())
    assert (
        "0 leaks, 0 pictures to look at (train 12, val 6, test 8). Not looked for: cut-outs, turns by" in last
    )


@pytest.mark.parametrize(("option", "code"), [([], 0), (["--fail-on-leak"], 4)])
def test_leaks_are_named_and_fail_where_wanted(
    option: list[str], code: int, leaking: list[str], cli: Cli
) -> None:
    result = cli("check", *leaking, *option)
    assert result.exit_code == code
    assert "exact: 1, the same file in two splits" in result.stdout
    assert "conflict: 1, " in result.stdout
    for name in ("train/cats/0000.png", "test/dogs/copy.png", "train/cats/scene.jpg", "test/cats/scene.jpg"):
        assert name in result.stdout
    assert "3 leaks" in result.stdout


def test_json_is_one_object_with_every_finding(leaking: list[str], cli: Cli, the_object: Read) -> None:
    result = cli("check", *leaking, "--fail-on-leak", "--json")
    assert result.exit_code == 4
    described = the_object(result)
    promised = ["dataset", "checked", "leaks", "counts", "repeated", "findings", "notes", "not_looked_for"]
    assert list(described) == [*promised, "heads", "changed_since_extract"]
    assert described["counts"] == dict.fromkeys(KINDS, 0) | {"exact": 1, "perceptual": 1, "conflict": 1}
    first = described["findings"][0]
    assert (first["kind"], first["first"]["id"]) == ("exact", "train/cats/0000.png")
    assert (first["second"]["id"], first["second"]["label"]) == ("test/dogs/copy.png", "dogs")
    assert [f"note: {note}" for note in described["notes"]] == result.stderr.splitlines()


def test_it_works_without_the_images(leaking: list[str], some_photos: Photos, cli: Cli) -> None:
    shutil.rmtree(some_photos.root)
    result = cli("check", *leaking)
    assert result.exit_code == 0, result.stderr
    assert "28 pictures were not hashed" in " ".join(result.stdout.split())
    assert "exact: 1" in result.stdout
    assert "perceptual" not in result.stdout


def test_images_are_read_as_they_were_extracted(
    cli: Cli, extract: Cli, the_object: Read, tmp_path: Path
) -> None:
    lines = ["picture,label,split"]
    for number, split in enumerate(("train", "train", "test", "val")):
        scene(min(number, 2) % 2).save(tmp_path / f"{number}.jpg", quality=90 - 30 * (number == 2))
        lines.append(f"{number}.jpg,{'ab'[number % 2]},{split}")
    table = tmp_path / "set.csv"
    table.write_text("\n".join(lines))
    assert extract("--data", table, "--path-column", "picture").exit_code == 0

    found = the_object(cli("check", "--data", table, "--json"))

    assert not any("not hashed" in note for note in found["notes"])
    assert found["counts"]["perceptual"] >= 1


def test_a_stricter_distance_finds_less(leaking: list[str], cli: Cli, the_object: Read) -> None:
    assert the_object(cli("check", *leaking, "--most-bits", 0, "--json"))["counts"]["perceptual"] == 0


@pytest.mark.parametrize("option", [("--most-bits", 257), ("--least-cosine", 1.5)])
def test_impossible_thresholds_are_refused(option: tuple[str, float], stored: list[str], cli: Cli) -> None:
    result = cli("check", *stored, *option)
    assert result.exit_code == 2
    assert option[0] in result.stderr


def test_one_split_has_nothing_to_be_compared_with(extract: Cli, photos: Photos, cli: Cli) -> None:
    photos.add("train/cats", 3)
    assert extract().exit_code == 0
    result = cli("check", "--data", photos.root)
    assert result.exit_code == 2
    assert "have only the split train" in result.stderr


def test_without_features_the_next_command_is_named(cli: Cli, tmp_path: Path) -> None:
    result = cli("check", "--data", tmp_path / "nowhere", "--json")
    assert result.exit_code == 2
    assert "pipeline extract --data" in result.stderr


def test_names_steer_no_terminal(extract: Cli, some_photos: Photos, cli: Cli) -> None:
    name = "\x1b[31m[bold]\u202e\n.png"
    shutil.copy(some_photos.files("train")[0], some_photos.root / "test/cats" / name)
    assert extract().exit_code == 0
    result = cli("check", "--data", some_photos.root)
    assert result.exit_code == 0, result.stderr
    assert "exact: 1" in result.stdout
    assert not {"\x1b", "\u202e"} & set(result.stdout)


def test_labels_are_checked_and_listed(stored: list[str], cli: Cli, the_object: Read) -> None:
    described = the_object(cli("check", *stored, "--labels", "--json"))
    assert described["checked"] == 26
    assert {"id", "split", "given", "suggested", "score", "alike"} <= set(
        *(one.keys() for one in described["labels"][:1])
    ) or not described["labels"]
    folder = Path(described["folder"])
    assert sorted(path.name for path in folder.iterdir()) == ["labels.html", "labels.json", "relabel.csv"]
    result = cli("check", *stored, "--labels")
    assert result.exit_code == 0, result.stderr
    assert "of 26 images likely wrong" in result.stdout


@pytest.mark.parametrize("more", [["--fail-on-leak"], ["--most-bits", 3]])
def test_options_about_leaks_are_refused_beside_labels(
    more: list[object], stored: list[str], cli: Cli
) -> None:
    result = cli("check", *stored, "--labels", *more)
    assert result.exit_code == 2
    assert "--labels looks for no leaks" in result.stderr
