"""Executors of sweeps as values: made by name from options, and refused with the choices."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.sweeps import candidates, executors, make_executor, sweep
from pipeline.sweeps.executors.ray import _share_out


@pytest.mark.parametrize("name", registry.names(executors))
def test_every_executor_is_a_value_that_starts_nothing_by_itself(name: str) -> None:
    made = make_executor(name)
    assert made == make_executor(name)
    assert dataclasses.is_dataclass(made)
    assert callable(made.session)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("slurm", {}, "unknown executor 'slurm': choose from local, ray"),
        ("local", {"address": "auto"}, "unknown option of executor 'local', '--address'.*Executors.*: ray"),
    ],
)
def test_what_cannot_be_made_is_told_with_the_choices(
    name: str, options: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_executor(name, options)


def nodes(*cores: int) -> list[dict[str, object]]:
    """Describes machines as Ray does; the last one is gone."""
    described = [{"Alive": True, "Resources": {"CPU": float(count)} if count else {}} for count in cores]
    return [*described, {"Alive": False, "Resources": {"CPU": 64.0}}]


@pytest.mark.parametrize(
    ("cores", "jobs", "fits", "each"),
    [
        ((2,), None, 2, 1),
        ((8,), 2, 2, 4),
        ((8,), 3, 3, 2),
        ((2,), 50, 2, 1),
        ((4, 8), None, 12, 1),
        ((0, 16, 16), 4, 4, 8),
    ],
)
def test_every_fit_has_whole_cores(cores: tuple[int, ...], jobs: int | None, fits: int, each: int) -> None:
    share = _share_out(nodes(*cores), jobs)
    assert (share.workers, share.cpus, share.threads) == (fits, each, each)


def test_a_cluster_without_cores_is_told() -> None:
    with pytest.raises(UsageError, match="no machine of this Ray cluster gives cores"):
        _share_out(nodes(0), None)


def test_without_the_package_the_extra_is_named(
    train: FeatureSet, valid: FeatureSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    needed = r"--executor ray needs the package ray: pip install 'two-stage-pipeline\[ray\]'"
    with pytest.raises(UsageError, match=needed):
        sweep(candidates([("prototype", {})]), train, valid, runs=tmp_path, executor=make_executor("ray"))
