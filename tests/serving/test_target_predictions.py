"""Answers of labels and numbers for raw images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from photos import Photos

from pipeline.cache.features import Selection
from pipeline.errors import CacheMismatchError
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import train_head
from pipeline.images.source_options import SourceOptions
from pipeline.serving import gather_images, predict_targets


def test_a_head_that_learnt_from_other_features_is_refused(
    photos: Photos, cache: Path, tmp_path: Path
) -> None:
    photos.add("train/a", 12)
    table = tmp_path / "table.csv"
    lines = [f"{path},{number}.5" for number, path in enumerate(photos.files("train"))]
    table.write_text("\n".join(["path,size", *lines]))
    made = extract(
        str(table),
        FeatureRequest(backbone="pixels", image_size=32),
        cache=cache,
        source_options=SourceOptions(label_column="size", target="number"),
    )
    selection = Selection(tuple(one.entry for one in made))
    head = train_head("ridge", selection.open("train"), None, runs=tmp_path / "runs")
    source = gather_images([photos.root])
    assert len(predict_targets(selection, head, source).ids) == 12
    other = replace(head, task=replace(head.task, spec=replace(head.spec, preprocessing="other")))
    with pytest.raises(CacheMismatchError, match="not what head 'ridge' was trained on: preprocessing"):
        predict_targets(selection, other, source)
