"""Executors as values: made by name from options, and refused with the choices."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline import registry
from pipeline.errors import UsageError
from pipeline.extraction import executors, make_executor
from pipeline.extraction.executors._ray_nodes import Share, share_out


@pytest.mark.parametrize("name", registry.names(executors))
def test_every_executor_is_a_value_that_starts_nothing_by_itself(name: str) -> None:
    made = make_executor(name)
    assert made == make_executor(name)
    assert dataclasses.is_dataclass(made)
    with made.session() as session:
        assert all(
            callable(getattr(session, method)) for method in ("call", "load", "settle_batch_size", "fill")
        )


def test_options_come_as_text() -> None:
    made = make_executor("ray", {"workers": "3", "gpus_per_worker": "0.5", "write": "driver"})
    assert (made.workers, made.gpus_per_worker, made.write) == (3, 0.5, "driver")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("slurm", {}, "unknown executor 'slurm': choose from local, ray"),
        ("local", {"workers": "2"}, "unknown option of executor 'local', '--workers'.*Executors.*: ray"),
        ("ray", {"workers": "0"}, "--workers 0 of executor 'ray' must be int at least 1"),
        ("ray", {"gpus_per_worker": "-1"}, "--gpus-per-worker -1 of executor 'ray' must be .* 0 or more"),
        ("ray", {"write": "nobody"}, "unknown --write 'nobody': choose from auto, driver, workers"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_executor(name, options)


def node(cpus: float, gpus: float = 0.0, *, alive: bool = True) -> dict[str, object]:
    return {"Alive": alive, "Resources": {"CPU": cpus, "GPU": gpus} if gpus else {"CPU": cpus}}


@pytest.mark.parametrize(
    ("nodes", "workers", "gpus", "expected"),
    [
        ([node(8)], None, None, Share(1, 8, 0)),
        ([node(8)], 2, None, Share(2, 4, 0)),
        ([node(8)], 3, None, Share(3, 2, 0)),
        ([node(2)], 4, None, Share(4, 0.5, 0)),
        ([node(16), node(8)], None, None, Share(2, 8, 0)),
        ([node(16), node(16, alive=False)], None, None, Share(1, 16, 0)),
        ([node(16), node(16)], 3, None, Share(3, 8, 0)),
        ([node(16, 4)], None, None, Share(4, 4, 1)),
        ([node(16, 4), node(4)], None, None, Share(4, 4, 1)),
        ([node(16, 1)], None, 0.5, Share(2, 8, 0.5)),
        ([node(16, 3)], None, 2, Share(1, 16, 2)),
        ([node(16, 4)], None, 0, Share(1, 16, 0)),
        ([{"Alive": True, "Resources": {}}, node(4)], None, None, Share(1, 4, 0)),
    ],
)
def test_a_cluster_is_shared_out(
    nodes: list[dict[str, object]], workers: int | None, gpus: float | None, expected: Share
) -> None:
    assert share_out(nodes, workers=workers, gpus_per_worker=gpus) == expected


def test_gpus_that_no_machine_has_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--gpus-per-worker 2: no machine .* largest number is 1"):
        share_out([node(8, 1), node(8, 1)], workers=None, gpus_per_worker=2)
