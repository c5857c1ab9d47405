"""The simulated cluster against arithmetic."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from cluster import Cluster, simulate

IDEAL = Cluster(workers=1, rate=64.0)


def test_one_worker_is_arithmetic():
    outcome = simulate(IDEAL, 6400)
    assert outcome.fill_seconds == pytest.approx(100)
    assert outcome.rate == outcome.fill_rate == pytest.approx(64)
    assert outcome.busy == pytest.approx({"workers": 1, "file system": 0, "command": 0})
    assert (outcome.images, outcome.lost, outcome.repeated, outcome.given_up) == (6400, 0, 0, 0)


def test_a_single_block_passes_through_every_resource_in_turn():
    cluster = replace(IDEAL, bandwidth=320.0, image_bytes=20, row_bytes=10, record_seconds=3, start_seconds=5)
    outcome = simulate(cluster, 32)
    assert outcome.fill_seconds == pytest.approx(5 + 2 + 0.5 + 1 + 3)  # start, read, compute, write, record
    assert outcome.busy["file system"] == pytest.approx(3 / 11.5)


def test_while_one_block_is_computed_the_next_is_read():
    cluster = replace(IDEAL, bandwidth=256.0, image_bytes=2.0, row_bytes=1)
    outcome = simulate(cluster, 256 * 3)
    # Reads end at 2, 4, and, behind the first write (6 to 7), at 9; computing takes 4 s a block.
    assert outcome.block_rows == 256
    assert outcome.fill_seconds == pytest.approx(2 + 4 + 4 + 4 + 1)


@pytest.mark.parametrize("workers", [1, 7, 100])
def test_workers_that_wait_for_nothing_share_evenly(workers):
    outcome = simulate(replace(IDEAL, workers=workers), workers * 6400 * 4)
    assert outcome.fill_seconds == pytest.approx(400)
    assert outcome.first_limit == "workers"


@pytest.mark.parametrize(
    ("limit", "changes"),
    [
        ("file system", {"bandwidth": 3e6, "image_bytes": 2e4, "row_bytes": 10_000}),  # 100 images/s
        ("command", {"record_seconds": 2.56}),  # 100 images/s
    ],
)
def test_a_saturated_resource_sets_the_rate(limit, changes):
    cluster = replace(IDEAL, workers=50, **changes)
    outcome = simulate(cluster, 256 * 1000)
    assert cluster.limits()[limit] == pytest.approx(100)
    assert outcome.block_rows == 256
    assert outcome.first_limit == limit
    assert outcome.busy[limit] == pytest.approx(1, abs=0.01)
    assert outcome.fill_rate == pytest.approx(100, rel=0.01)


def test_taking_stock_comes_first_and_no_worker_helps():
    outcome = simulate(replace(IDEAL, workers=10, stock_rate=100.0), 64_000)
    assert outcome.stock_seconds == pytest.approx(640)
    assert outcome.rate == pytest.approx(64_000 / (640 + outcome.fill_seconds))


def test_taking_stock_is_bound_by_the_file_system():
    outcome = simulate(replace(IDEAL, stock_rate=100.0, bandwidth=1000.0, image_bytes=20), 320)
    assert outcome.stock_seconds == pytest.approx(320 * 20 / 1000)


def test_stragglers_cost_what_they_do_not_compute():
    cluster = replace(IDEAL, workers=10, slow_share=0.2, slow_by=2)
    outcome = simulate(cluster, 256 * 9000)
    assert outcome.fill_rate == pytest.approx(64 * 9, rel=0.01)  # 8 + 2 / 2 workers
    assert outcome.busy["workers"] == pytest.approx(1, abs=0.01)


def test_lost_blocks_are_computed_again_and_nothing_is_counted_twice():
    cluster = replace(IDEAL, workers=20, failure_hours=0.05, restart_seconds=10)
    calm = simulate(replace(cluster, failure_hours=math.inf), 256 * 4000)
    outcome = simulate(cluster, 256 * 4000)
    assert outcome.lost > 20
    assert outcome.repeated > 0
    assert outcome.images == 256 * (4000 - outcome.given_up)
    assert outcome.fill_rate < calm.fill_rate
    assert 0 < outcome.busy["workers"] <= 1


def test_a_block_that_is_lost_three_times_is_given_up():
    cluster = replace(IDEAL, rate=1e-3, failure_hours=1e-6, restart_seconds=0)
    outcome = simulate(cluster, 256 * 2)  # first both are lost together, then each alone
    assert (outcome.images, outcome.given_up, outcome.lost) == (0, 2, 5)


def test_the_same_seed_gives_the_same_run():
    cluster = replace(IDEAL, workers=20, failure_hours=0.1)
    assert simulate(cluster, 256 * 500, seed=3) == simulate(cluster, 256 * 500, seed=3)
    assert simulate(cluster, 256 * 500, seed=3) != simulate(cluster, 256 * 500, seed=4)
