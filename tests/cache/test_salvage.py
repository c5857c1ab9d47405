"""Of a damaged file without seals, rows are used whose view follows from their place for certain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.cache.format import SEAL, SEALS, Header
from pipeline.cache.partial_file import PartialFile, create_feature_file
from pipeline.cache.salvage import open_damaged
from pipeline.images.row_table import RowTable
from pipeline.spec import FeatureSpec


@pytest.mark.parametrize(
    ("names", "views", "usable"),
    [
        ("aa", [0, 1], [True, True]),
        ("aabb", [0, 1, 0, 1], [True] * 4),
        ("aaaa", [0, 1, 2, 3], [True] * 4),
        ("aabb", [0, 1, 0, 0], [True, True, True, False]),
        ("aaaa", [0, 1, 0, 3], [False] * 4),  # of two views as likely as of four
        ("a", [0], [False]),
    ],
)
def test_a_view_is_proved_by_its_place(
    names: str,
    views: list[int],
    usable: list[bool],
    spec: FeatureSpec,
    make_header: Callable[..., Header],
    make_rows: Callable[..., RowTable],
    make_values: Callable[..., np.ndarray],
    tmp_path: Path,
) -> None:
    spec, path = replace(spec, augmentation='{"rotation": 20.0}'), tmp_path / "train.h5"
    rows = replace(make_rows(names), views=np.array(views, np.uint8))
    create_feature_file(path, make_header(spec=spec), rows, (2, 3))
    with PartialFile(path) as file:
        file.write(np.arange(len(rows)), make_values(rows))
        file.commit()
    with h5py.File(path, "r+") as file:
        del file.attrs[SEALS]
        file.attrs[SEAL] = np.bytes_("0" * 64)
    salvage = open_damaged(path, spec)
    assert salvage is not None
    assert not salvage.proved
    assert salvage.usable.tolist() == usable
