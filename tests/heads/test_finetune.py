"""Fine-tuning goes on where the features were cut, with the filters that made them."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.backbones.loading import load_backbone, upper_part
from pipeline.backbones.table import Cut
from pipeline.backbones.weights import resolve_weights
from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.heads import fit_head, load_head, train_head
from pipeline.heads._keras.network import SCALING
from pipeline.spec import FeatureSpec

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
    pytest.mark.usefixtures("tiny_base"),
]

QUICK = {"head_epochs": 5, "epochs": 5, "learning_rate": 0.001}


@pytest.fixture
def make_rows(make_features: Callable[..., FeatureSet], spec: FeatureSpec) -> Callable[..., FeatureSet]:
    """Builds 30 rows of a cut of the tiny base; the spec's fields can be changed."""

    def make(shape: tuple[int, ...] = (2, 2, 8), **changes: object) -> FeatureSet:
        labels = np.arange(30) % 2
        features = np.random.default_rng(0).normal(size=(30, *shape)) + labels.reshape(-1, *[1] * len(shape))
        own = {"backbone": "tiny", "layer": "stem", "image_size": 4} | changes
        dtype = np.uint8 if own["backbone"] == "pixels" else np.float16
        return make_features(
            (features * 20 + 60).astype(dtype) if dtype == np.uint8 else features.astype(dtype),
            labels,
            spec=dataclasses.replace(spec, **own),
        )

    return make


@pytest.fixture
def filters(tmp_path: Path) -> Path:
    """A file of filters of the tiny base."""
    base = upper_part("tiny", None, image_size=4, weights=resolve_weights("tiny", "random:3", 4))
    base.save_weights(tmp_path / "tiny.weights.h5")
    return tmp_path / "tiny.weights.h5"


def test_upper_part_continues_the_cut() -> None:
    weights = resolve_weights("mobilenet_v2_035", "random:1", 32)
    cuts = [Cut("block_12_add"), Cut("out_relu")]
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    cut, end = load_backbone("mobilenet_v2_035", cuts, weights=weights, image_size=32)(images)

    rest = upper_part("mobilenet_v2_035", "block_12_add", image_size=32, weights=weights)

    assert np.asarray(rest(cut, training=False)) == pytest.approx(np.asarray(end), abs=1e-5)
    with pytest.raises(UsageError, match=r"layer 'block_2_expand' is no clean cut of mobilenet_v2_035"):
        upper_part("mobilenet_v2_035", "block_2_expand", image_size=32)


def test_both_phases_learn_and_batch_norm_keeps_its_statistics(make_rows: Callable[..., FeatureSet]) -> None:
    trained = fit_head("finetune", make_rows(), options=QUICK)

    before = upper_part("tiny", "stem", image_size=4, weights=resolve_weights("tiny", "random:0", 4))
    after = trained.model.network.get_layer("rest").base
    assert len(trained.history["loss"]) == 10
    assert not np.array_equal(
        after.get_layer("conv").get_weights()[0], before.get_layer("conv").get_weights()[0]
    )
    moved = [
        not np.array_equal(new, old)
        for new, old in zip(
            after.get_layer("norm").get_weights(), before.get_layer("norm").get_weights(), strict=True
        )
    ]
    assert moved == [True, True, False, False]  # scale and offset learn; mean and variance stay


def test_only_the_last_layers_learn(make_rows: Callable[..., FeatureSet]) -> None:
    trained = fit_head("finetune", make_rows(), options=QUICK | {"top_layers": "2"})

    before = upper_part("tiny", "stem", image_size=4, weights=resolve_weights("tiny", "random:0", 4))
    rest = trained.model.network.get_layer("rest").base
    assert np.array_equal(rest.get_layer("conv").get_weights()[0], before.get_layer("conv").get_weights()[0])
    assert rest.get_layer("norm").get_weights()[0] != pytest.approx(1, abs=0)


def test_worse_second_phase_keeps_the_first(
    make_rows: Callable[..., FeatureSet],
    make_features: Callable[..., FeatureSet],
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = make_rows()
    # Validation labels at odds with the training rows: whatever is learnt makes them worse.
    contrary = make_features(3 * rows.features + 2, 1 - rows.labels, split="val", spec=rows.spec)

    trained = fit_head("finetune", rows, contrary, options=QUICK | {"head_epochs": 1, "patience": 2})

    assert "the weights from before are kept" in capsys.readouterr().err
    proba = trained.predict_proba(contrary)[np.arange(30), contrary.labels]
    assert -np.log(proba).mean() == pytest.approx(trained.history["val_loss"][0], rel=1e-4)
    rest, pool, top = map(trained.model.network.get_layer, ("rest", "pool", "top"))
    pooled = np.asarray(pool(rest.base(rows.features.astype(np.float32))))
    scaled = np.asarray(top.get_layer(SCALING)(pooled))
    spread = np.where(pooled.std(axis=0) > 0, pooled.std(axis=0), 1)
    assert scaled == pytest.approx((pooled - pooled.mean(axis=0)) / spread, abs=1e-3)


def test_filters_are_read_from_where_they_were(
    make_rows: Callable[..., FeatureSet], filters: Path, tmp_path: Path
) -> None:
    identity = resolve_weights("tiny", str(filters), 4).identity
    rows = dataclasses.replace(make_rows(weights=identity), weights_file=filters)
    trained = fit_head("finetune", rows, options=QUICK)
    named = fit_head(
        "finetune", dataclasses.replace(rows, weights_file=None), options=QUICK | {"weights": str(filters)}
    )
    assert np.array_equal(trained.predict_proba(rows), named.predict_proba(rows))

    filters.rename(tmp_path / "moved.h5")
    with pytest.raises(UsageError, match=rf"read from {filters}, which .* name it with `--set weights=PATH`"):
        fit_head("finetune", rows, options=QUICK)


def test_saved_head_needs_no_weights_file(
    make_rows: Callable[..., FeatureSet], filters: Path, tmp_path: Path
) -> None:
    rows = make_rows(weights=resolve_weights("tiny", str(filters), 4).identity)
    saved = train_head("finetune", rows, None, options=QUICK | {"weights": str(filters)}, runs=tmp_path)
    filters.unlink()
    shutil.move(saved.folder, tmp_path / "elsewhere")

    loaded = load_head(tmp_path / "elsewhere")

    assert np.array_equal(loaded.predict_proba(rows), saved.predict_proba(rows))


def test_pixels_train_the_whole_base(make_rows: Callable[..., FeatureSet], tmp_path: Path) -> None:
    rows = make_rows((4, 4, 3), backbone="pixels", layer="pixels", weights="none", store="uint8")
    options = QUICK | {"backbone": "tiny", "weights": "random:3"}

    saved = train_head("finetune", rows, rows, options=options, runs=tmp_path)

    assert np.array_equal(load_head(saved.folder).predict_proba(rows), saved.predict_proba(rows))
    assert len(saved.model.network.get_layer("rest").base.trainable_variables) == 6  # stem and conv and norm
    with pytest.raises(UsageError, match=r"on pixels the base has to be named.*--set backbone=mobilenet_v2"):
        fit_head("finetune", rows)


def test_filters_must_be_those_of_the_features(make_rows: Callable[..., FeatureSet], filters: Path) -> None:
    rows = make_rows(weights=f"sha256:{'0' * 64}")

    with pytest.raises(UsageError, match=r"sha256:00000000\.\.\., are in a file .*`--set weights=PATH`"):
        fit_head("finetune", rows)
    with pytest.raises(
        CacheMismatchError, match=r"weights '.*tiny.weights.h5' are sha256:.* made with sha256:0"
    ):
        fit_head("finetune", rows, options={"weights": str(filters)})


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"shape": (8,), "pooling": "avg"},
            {},
            "these were pooled .*--backbone tiny .*--layer stem --pooling none",
        ),
        ({"shape": (40,), "layer": "stem+end"}, {}, "pooled or joined .*--layer stem --pooling none"),
        ({"layer": "end"}, {}, "nothing is left to train above end of tiny: .* an earlier `--layer`"),
        ({"layer": "norm"}, {}, "nothing is left to train above norm"),
        ({"layer": "top"}, {}, "unknown layer of tiny 'top'"),
        ({}, {"backbone": "vgg16"}, "features are those of tiny, not of vgg16"),
    ],
)
def test_features_that_cannot_be_continued(
    changes: dict[str, object], options: dict[str, str], message: str, make_rows: Callable[..., FeatureSet]
) -> None:
    with pytest.raises(UsageError, match=message):
        fit_head("finetune", make_rows(**changes), options=options)
