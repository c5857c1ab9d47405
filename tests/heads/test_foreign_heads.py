"""Runs from strangers: nothing in them is run, leads elsewhere, or takes more memory than it may."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import resource
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import skops.io
from sealed_records import rewrite

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError, UnreadableFileError, UsageError
from pipeline.heads import TrainedHead, load_head, make_head, run_folder, train_head
from pipeline.heads._core import saving
from pipeline.heads._sklearn.sklearn_head import SklearnHead

SKLEARN = [name for name in registry.names(pipeline.heads) if isinstance(make_head(name, {}), SklearnHead)]
MORE_KIB = 100 * 1024
QUICK = {"dense": {"epochs": 1, "units": 4}}

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture(params=["logreg", "dense"])
def saved(request: pytest.FixtureRequest, saved_copy: Callable[..., TrainedHead]) -> TrainedHead:
    return saved_copy(request.param, **QUICK.get(request.param, {}))


@pytest.fixture
def logreg(saved_copy: Callable[..., TrainedHead]) -> Path:
    return saved_copy("logreg").folder / "model.skops"


@pytest.fixture
def dense(saved_copy: Callable[..., TrainedHead]) -> Path:
    return saved_copy("dense", **QUICK["dense"]).folder / "model.weights.h5"


def edit(folder: Path, **changes: object) -> None:
    rewrite(folder / "head.json", **changes)


def reseal(model: Path) -> Path:
    """Records the model's digest as it is now, as anybody can."""
    edit(model.parent, sha256=hashlib.sha256(model.read_bytes()).hexdigest())
    return model.parent


def refused(folder: Path, match: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CacheMismatchError, match=match) as caught:
        load_head(folder)
    assert "\n" not in str(caught.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MORE_KIB


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../../outside"}, "unknown head '../../outside'"),
        ({"name": "_saving"}, "unknown head '_saving'"),
        ({"name": ["logreg"]}, "is damaged or foreign"),
        ({"name": {}}, "is damaged or foreign"),
        ({"options": {"C": [1], "units": [1]}}, "is damaged or foreign"),
        ({"options": "x"}, "is damaged or foreign"),
        ({"options": {"__class__": "os"}}, "unknown option of head"),
        ({"dataset": "../../outside"}, "'../../outside' is no name of a data set"),
        ({"dataset": "/etc"}, "'/etc' is no name of a data set"),
        ({"dataset": ".."}, r"'\.\.' is no name of a data set"),
        ({"feature_shape": []}, r"\(\) is no shape of features"),
        ({"feature_shape": [-1, 2]}, r"\(-1, 2\) is no shape of features"),
        ({"feature_shape": "abc"}, "is damaged or foreign"),
        ({"class_counts": [20, -20, 20]}, "fewer than two classes have training rows"),
        ({"class_counts": [20, 0, 0]}, "fewer than two classes have training rows"),
        ({"class_counts": {}}, "0 counts for 3 classes"),
        ({"classes": None}, "is damaged or foreign"),
        ({"seed": 1e400}, "Infinity is no number of JSON"),
        ({"seconds": float("nan")}, "NaN is no number of JSON"),
        ({"seed": "1" * 5000}, "is damaged or foreign"),
        ({"history": {"loss": ["x"]}}, "is damaged or foreign"),
        ({"history": {"loss": 3}}, "is damaged or foreign"),
        ({"versions": []}, "is damaged or foreign"),
        ({"spec": []}, "not a feature spec"),
        ({"sha256": None}, "its SHA-256 is not the one"),
    ],
)
def test_a_hostile_record_is_refused(changes: dict[str, object], message: str, saved: TrainedHead) -> None:
    edit(saved.folder, **changes)
    refused(saved.folder, message)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5_000, "\xff", '"x"', "null", ""])
def test_json_that_is_a_trap_is_refused(text: str, saved: TrainedHead) -> None:
    (saved.folder / "head.json").write_text(text, encoding="latin-1")
    refused(saved.folder, "head.json is damaged or foreign")


@pytest.mark.parametrize("part", ["head.json", "model"])
def test_what_is_no_file_is_never_opened(part: str, saved: TrainedHead) -> None:
    path = saved.folder / (saved.head.file if part == "model" else part)
    for make in (os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir):
        path.unlink()
        make(path)
        refused(saved.folder, f"{path.name} is damaged or foreign: it is no regular file")
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        path.touch()


def test_no_name_leads_out_of_the_runs(train: FeatureSet, tmp_path: Path) -> None:
    for dataset in ("..", "../x", "/etc", "a/b", "", "."):
        with pytest.raises(UsageError, match="is no name of a data set"):
            run_folder(tmp_path, dataset, train.spec, "logreg")


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({"units": 10**9}, None),
        ({"units": 10**15}, None),
        ({}, [10**6, 10**6, 8]),
        ({}, [1, 1, 10**12]),
    ],
)
def test_a_huge_network_is_refused_before_it_is_built(
    options: dict[str, int], shape: list[int] | None, dense: Path
) -> None:
    record = json.loads((dense.parent / "head.json").read_text())
    edit(dense.parent, options=record["options"] | options, feature_shape=shape or record["feature_shape"])
    refused(dense.parent, "its weights are not those of the network that head.json describes")


@pytest.mark.parametrize("way", ["external link", "soft link", "virtual", "external storage", "compressed"])
def test_weights_that_stand_elsewhere_are_refused(way: str, dense: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with h5py.File(dense, "r+") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        shape = file[names[0]].shape
        del file[names[0]]
        if way == "external link":
            file[names[0]] = h5py.ExternalLink(tmp_path / "pipe", "x")
        elif way == "soft link":
            file[names[0]] = h5py.SoftLink(f"/{names[1]}")
        elif way == "virtual":
            layout = h5py.VirtualLayout(shape or (1,), "<f4")
            layout[...] = h5py.VirtualSource(tmp_path / "pipe", "x", shape or (1,))
            file.create_virtual_dataset(names[0], layout)
        elif way == "external storage":
            place = [(str(tmp_path / "pipe"), 0, h5py.h5f.UNLIMITED)]
            file.create_dataset(names[0], shape or (1,), "<f4", external=place)
        else:
            file.create_dataset(names[0], (1 << 28,), "<f4", chunks=(1 << 20,), compression="gzip")
    refused(reseal(dense), "is a link to another place|stand in other files|compressed or in chunks")


def with_schema(model: Path, change: Callable[[str], str]) -> Path:
    """Rewrites the schema of a skops file."""
    with zipfile.ZipFile(model) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    schema = change(parts["schema.json"].decode())
    assert schema.encode() != parts["schema.json"]
    with zipfile.ZipFile(model, "w") as archive:
        for name, content in (parts | {"schema.json": schema.encode()}).items():
            archive.writestr(name, content)
    return reseal(model)


@pytest.mark.parametrize("name", SKLEARN)
def test_an_unlisted_type_is_refused_by_name(name: str, train: FeatureSet, tmp_path: Path) -> None:
    model = train_head(name, train, None, runs=tmp_path).folder / "model.skops"

    def foreign(schema: str) -> str:
        assert '"StandardScaler"' in schema
        changed = schema.replace('"StandardScaler"', '"system"')
        return changed.replace('"sklearn.preprocessing._data"', '"posix"')

    refused(with_schema(model, foreign), "posix.system, which this head never saves")


@pytest.mark.parametrize(
    "value",
    [np.sum, open, np.random.default_rng(0), slice(3), {1, 2}],
    ids=lambda value: type(value).__name__,
)
def test_what_skops_itself_would_trust_is_refused(value: object, logreg: Path) -> None:
    try:
        skops.io.dump((value, 1), logreg)
    except Exception:  # what it cannot even write needs no refusal
        pytest.skip("skops does not write it")
    refused(reseal(logreg), "which this head never saves")


@pytest.mark.parametrize(
    ("name", "module", "before"),
    [
        ("ridge", "scores", "_linear"),
        ("svm-rbf", "scores", "_kernel"),
        ("random-forest", "trees", "_trees"),
    ],
)
def test_a_head_saved_under_the_earlier_names_of_its_types_still_answers(
    name: str, module: str, before: str, train: FeatureSet, tmp_path: Path
) -> None:
    options = {"trees": 3} if name == "random-forest" else {}
    trained = train_head(name, train, None, options=options, runs=tmp_path)
    now, then = f'"pipeline.heads._sklearn.{module}"', f'"pipeline.heads.{before}"'

    folder = with_schema(trained.folder / "model.skops", lambda schema: schema.replace(now, then))

    assert np.array_equal(load_head(folder).predict_proba(train), trained.predict_proba(train))


def test_a_deep_schema_is_refused(logreg: Path) -> None:
    refused(with_schema(logreg, lambda schema: "[" * 100_000), "is damaged or foreign")


def test_archives_that_are_bombs_are_refused(logreg: Path) -> None:
    with zipfile.ZipFile(logreg) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in parts if name.endswith(".npy"))
    with zipfile.ZipFile(logreg, "w", zipfile.ZIP_DEFLATED) as archive:
        for part, content in (parts | {name: bytes(10**8)}).items():
            archive.writestr(part, content)
    refused(reseal(logreg), "it is compressed, which a saved head never is")

    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(logreg, "w") as archive:
        for part, content in (parts | {name: header.getvalue()}).items():
            archive.writestr(part, content)
    refused(reseal(logreg), f"{name} promises an array that it does not hold")

    objects = io.BytesIO()
    np.lib.format.write_array(objects, np.array([print], object))
    with zipfile.ZipFile(logreg, "w") as archive:
        for part, content in (parts | {name: objects.getvalue()}).items():
            archive.writestr(part, content)
    refused(reseal(logreg), f"{name} promises an array that it does not hold")


def test_compiled_code_never_sees_numbers_of_a_file(train: FeatureSet, tmp_path: Path) -> None:
    assert not any(
        "SVC" in kind or kind.startswith("sklearn.tree")
        for name in SKLEARN
        for kind in make_head(name, {}).types
    )
    model = (
        train_head("knn", train, None, options={"weights": "uniform"}, runs=tmp_path).folder / "model.skops"
    )
    found = make_head("knn", {}).load(model, load_head(model.parent).task)
    found.steps[-1].labels_ = np.full(len(train), 10**9)
    found.save(model)
    refused(reseal(model), "its labels are not those of its rows")


def test_every_byte_of_a_model_is_sealed(saved: TrainedHead) -> None:
    path = saved.folder / saved.head.file
    content = path.read_bytes()
    for offset in range(0, len(content), max(len(content) // 100, 1)):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])
        refused(saved.folder, "its SHA-256 is not the one that head.json records")


def test_a_model_of_another_shape_is_said_in_one_line(
    logreg: Path, train: FeatureSet, make_features: Callable[..., FeatureSet]
) -> None:
    narrow = make_features(train.features[:, :1], train.labels, classes=train.classes, spec=train.spec)
    with pytest.raises(
        CacheMismatchError, match=r"rows have shape \(1, 2, 8\), but head 'logreg' was trained"
    ):
        load_head(logreg.parent).predict_proba(narrow)
    edit(logreg.parent, feature_shape=[1, 2, 8])
    with pytest.raises(
        CacheMismatchError, match=r"the saved head cannot answer \(.*\). `pipeline train-head"
    ):
        load_head(logreg.parent).predict_proba(narrow)
    edit(logreg.parent, feature_shape=[2, 2, 8], class_counts=[30, 30, 0])
    with pytest.raises(PipelineError, match="answers with numbers that are no probabilities"):
        load_head(logreg.parent).predict_proba(train)


@pytest.mark.parametrize(
    "error", [MemoryError(), OSError(errno.EMFILE, "Too many open files")], ids=["memory", "files"]
)
def test_what_the_system_lacks_is_no_damage(
    error: Exception, logreg: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lack(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(saving, "_checked", lack)
    with pytest.raises(UnreadableFileError, match=r"seen\.bin cannot be read now"):
        load_head(logreg.parent)
