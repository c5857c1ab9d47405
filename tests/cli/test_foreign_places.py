"""Links at every name that the package writes, and files of others beside its own: they are left alone."""

from __future__ import annotations

import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos

Cli = Callable[..., Result]
THESIS = "three years of work\n" * 20
OUTSIDE = "outside"


class Home:
    """A folder with a cache, runs and what belongs to somebody else, put back before each attack."""

    def __init__(self, cli: Cli, extract: Cli, photos: Photos) -> None:
        self.cli, self.extract, self.photos = cli, extract, photos
        self.data = ["--data", photos.root]
        self.outside = Path(OUTSIDE)

    def make(self, *commands: Callable[[], Result]) -> None:
        for command in (self.extract, lambda: self.cli("check", *self.data), *commands):
            result = command()
            assert result.exit_code == 0, result.output
        Path("runs").mkdir(exist_ok=True)
        for name in ("features_cache", "runs"):
            shutil.copytree(name, f"{name}.whole")
        for split in ("train", "val", "test"):
            self.photos.add(f"{split}/cats")  # so that every file of the cache is made anew
        self.restore()

    def restore(self) -> None:
        for name in ("features_cache", "runs", OUTSIDE):
            shutil.rmtree(name, ignore_errors=True)
        for name in ("features_cache", "runs"):
            shutil.copytree(f"{name}.whole", name)
        self.outside.mkdir()
        (self.outside / "thesis.txt").write_text(THESIS)

    @property
    def in_runs(self) -> list[Callable[[], Result]]:
        """Everything that writes below runs."""
        return [
            lambda: self.cli("train-head", *self.data, "--head", "ridge"),
            lambda: self.cli("sweep", *self.data, "--head", "ridge", "--head", "lda", "--jobs", 1),
            lambda: self.cli("evaluate", *self.data, "--head", "all", "--no-page"),
            lambda: self.cli("evaluate", *self.data, "--head", "ridge"),
        ]

    @property
    def in_cache(self) -> list[Callable[[], Result]]:
        """Everything that writes or removes below the cache; every split has an image more."""
        return [
            self.extract,
            lambda: self.cli("check", *self.data),
            lambda: self.cli("cache", "gc"),
            lambda: self.cli("cache", "verify"),
            lambda: self.cli("cache", "rm", *self.data, "--yes"),
        ]

    def canaries(self) -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in self.outside.rglob("*") if path.is_file()}

    def attack(self, place: Path, kind: str, commands: list[Callable[[], Result]]) -> list[Result]:
        """Puts a link in the place of a file or folder, runs commands, and looks at what it leads to."""
        before = self.place(place, kind)
        results = [command() for command in commands]
        for result in results:
            assert "unexpected" not in result.output, (place, result.output)
        assert self.canaries() == before, (place, kind, [result.output for result in results])
        return results

    def place(self, place: Path, kind: str) -> dict[Path, bytes]:
        self.restore()
        target = self.outside / "thesis.txt"
        if place.is_dir():
            target = self.outside / "folder"
            place.rename(target)
            (target / "thesis.txt").write_text(THESIS)
        elif kind != "link to a thesis" and place.exists():
            target = self.outside / place.name
            place.rename(target)
        place.unlink(missing_ok=True)
        before = self.canaries()
        if kind == "second name":
            os.link(target, place)
        else:
            place.symlink_to(target.resolve())
        return before


@pytest.fixture
def home(cli: Cli, extract: Cli, some_photos: Photos) -> Home:
    return Home(cli, extract, some_photos)


def places(root: str, kind: str) -> list[Path]:
    """Lists every file and folder below a root; no folder has a second name."""
    return [path for path in sorted(Path(root).rglob("*")) if path.is_file() or kind != "second name"]


def for_a_moment(path: Path) -> Iterator[str]:
    yield f"{path.name}.{os.getpid()}.tmp"
    if path.suffix == ".sqlite":
        yield f"{path.name}-journal"
    if path.suffix == ".h5":
        yield from (f"{path.name}.partial", f"{path.stem}.1.h5.retired", f".{path.stem}.lock")
        yield f"{path.name}.partial.{os.getpid()}.tmp"


SLOW = pytest.mark.torture  # the other kinds take the same ways through the package


KINDS = ("link to a thesis", "link to its like", "second name")


@pytest.mark.parametrize("kind", ["in turn", *(pytest.param(kind, marks=SLOW) for kind in KINDS)])
def test_no_place_of_a_cache_leads_out_of_it(kind: str, home: Home) -> None:
    home.make()
    found = places("features_cache", kind)
    beside = [path.with_name(name) for path in found if path.is_file() for name in for_a_moment(path)]
    found = list(dict.fromkeys([*found, *beside]))
    assert len(found) > 20
    folders = {place for place in found if place.is_dir()}  # these have no second name
    turns = itertools.cycle(KINDS if kind == "in turn" else [kind])
    for place, turn in zip(found, turns, strict=False):
        home.attack(place, "link to its like" if place in folders else turn, home.in_cache)


@pytest.mark.parametrize("kind", ["link to its like", pytest.param("second name", marks=SLOW)])
def test_no_place_of_the_runs_leads_out_of_them(kind: str, home: Home) -> None:
    home.make(*home.in_runs)
    found = places("runs", kind)
    assert len(found) > 12
    for place in found:
        # The last takes longest, and writes nothing but the ledger and the report of one head.
        report = {"ridge", "test"} <= set(place.parts)
        home.attack(place, kind, home.in_runs if report else home.in_runs[:3])


def test_a_link_is_named_with_what_to_do(home: Home) -> None:
    home.make()
    (entry,) = Path("features_cache/photos").glob("vgg16*")
    (extracted, *_) = home.attack(entry / ".train.lock", "link to a thesis", home.in_cache[:1])
    assert extracted.exit_code == 1
    assert (
        f"{entry}/.train.lock is a link to {home.outside.resolve()}/thesis.txt; nothing was"
        in extracted.stderr
    )
    assert "move it away, or choose another folder than features_cache" in extracted.stderr


def test_the_root_itself_may_be_a_link(home: Home) -> None:
    home.make()
    Path("features_cache").rename("elsewhere")
    Path("features_cache").symlink_to("elsewhere")
    assert home.extract().exit_code == 0
    assert home.cli("cache", "rm", *home.data, "--yes").exit_code == 0


def test_gc_of_a_project_removes_nothing(cli: Cli) -> None:
    network = Path("models/int8/yolo")
    network.mkdir(parents=True)
    for name in ("yolo.bin", "model.xml", "model.bin", "calibration.json"):
        (network / name).write_text(name)
    like_ours = network.with_name("vgg16-150-block5_pool-0123abcd")
    shutil.copytree(network, like_ours)
    result = cli("cache", "gc", "--cache", ".", "--json")
    assert json.loads(result.stdout) == {
        "freed": 0,
        "left_alone": [{"file": str(like_ours), "reason": "has no sound record by which it could be known"}],
    }
    assert len(list(Path("models").rglob("*.*"))) == 8


def test_gc_follows_no_link_to_networks(cli: Cli, home: Home) -> None:
    home.make()
    pictures = home.outside / "int8"
    for name in ("2024", "vgg16-150-block5_pool-0123abcd"):
        (pictures / name).mkdir(parents=True)
        (pictures / name / "model.bin").write_text("a photograph")
    Path("features_cache/photos/int8").symlink_to(pictures.resolve())
    before = home.canaries()
    result = cli("cache", "gc")
    assert result.exit_code == 0
    assert "features_cache/photos/int8 is a link to" in result.stderr
    assert home.canaries() == before


def test_rm_leaves_what_others_have_put_into_an_entry(
    home: Home, cli: Cli, the_object: Callable[[Result], dict[str, Any]]
) -> None:
    home.make()
    (entry,) = Path("features_cache/photos").glob("vgg16*")
    theirs = {
        entry / "notes.txt",
        entry / "folder" / "thesis.txt",
        entry / "val.1.h5.retired",
        entry / "x.tmp",
    }
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text(THESIS)
    result = cli("cache", "rm", *home.data, "--yes", "--json")
    left = the_object(result)["left_alone"]
    assert {item["file"] for item in left} == {
        str(path if path.parent == entry else path.parent) for path in theirs
    }
    assert {path for path in entry.rglob("*") if path.is_file()} == theirs | {entry / ".lock"}
    assert f"{entry}/notes.txt was not made by this package: it is left as it is" in result.stderr


def test_train_head_leaves_what_others_have_put_beside_a_head(home: Home, cli: Cli) -> None:
    home.make(home.in_runs[0])
    (head,) = Path("runs/photos").glob("*/ridge")
    for name in ("notes.txt", "test/notes.txt", "export/deep/thesis.bin"):
        (head / name).parent.mkdir(parents=True, exist_ok=True)
        (head / name).write_text(THESIS)
    before = (head / "head.json").read_bytes()
    assert home.in_runs[0]().exit_code == 0
    assert (head / "head.json").read_bytes() != before
    names = sorted(str(path.relative_to(head)) for path in head.rglob("*") if path.is_file())
    assert names == [
        *("export/deep/thesis.bin", "head.json", "model.skops", "notes.txt", "seen.bin", "test/notes.txt")
    ]
    (head / "model.skops").write_text(THESIS)
    result = home.in_runs[0]()
    assert (result.exit_code, "was not made by this package" in result.stderr) == (1, True)
    assert (head / "model.skops").read_text() == THESIS
    assert [path.name for path in head.parent.iterdir() if path.name.startswith(".")] == []
