"""What stage one says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from photos import Photos

from pipeline import extraction as extraction_module
from pipeline.extraction import Extraction, FeatureRequest
from pipeline.extraction.fastest import TRIAL_BATCH
from pipeline.extraction.timing import STEPS, Bound, Timings

SPLIT_KEYS = ["files", "rows", "computed", "reused", "failed", "seconds", "images_per_second"]

Run = Callable[..., list[Extraction]]


def test_the_object_has_the_promised_keys(photos: Photos, run: Run) -> None:
    photos.add("train/cats", 3)
    photos.add("val/cats")
    (extraction,) = run()
    described = json.loads(json.dumps(extraction.to_json()))
    promised = ["entry", "layer", "engine", "precision", "weights", "splits"]
    more = ["failures", "skipped", "timings", "bottleneck", "measured", "bound"]
    more += ["damaged", "left_alone", "pixel_range", "classes", "unlabelled", "left_out", "notes"]
    assert list(described) == [*promised, *more]
    assert described["entry"] == str(extraction.entry.folder)
    assert [described[key] for key in promised[1:5]] == ["block5_pool", "keras", "float32", "random:0"]
    assert {name: list(split) for name, split in described["splits"].items()} == {
        "train": SPLIT_KEYS,
        "val": SPLIT_KEYS,
    }
    train = described["splits"]["train"]
    assert train["files"] == [str(extraction.entry.file("train"))]
    assert (train["rows"], train["computed"], train["reused"], train["failed"]) == (3, 3, 0, 0)
    assert train["images_per_second"] > 0
    assert list(described["timings"]) == list(STEPS)
    assert described["bottleneck"] in ("read", "decode", "forward", "write")


def test_no_rate_where_nothing_was_computed(photos: Photos, run: Run) -> None:
    photos.add("train/cats", 2)
    photos.add("val/cats")
    run()
    (again,) = run()
    train = again.to_json()["splits"]["train"]
    assert (train["computed"], train["reused"], train["images_per_second"]) == (0, 2, None)


def test_the_bound_counts_rows_that_passed_for_another_cut(photos: Photos, run: Run) -> None:
    photos.add("train/cats", 2)
    photos.add("val/cats")
    (extraction,) = run()
    extraction.timings |= {"fill": 2.0, "image_cpu": 0.4}
    assert extraction.bound is None
    extraction.forward_rate, extraction.passed = 50.0, 40
    bound = extraction.bound
    assert bound is not None
    assert (bound.reached, bound.image_s) == pytest.approx((20.0, 0.01))
    assert bound.rate == pytest.approx(1 / (1 / 50 + 0.01 / bound.cores))
    described = extraction.to_json()["bound"]
    assert list(described) == ["images_per_second", "share", "forward", "decode_ms", "cores"]
    assert described["share"] == pytest.approx(20 / bound.rate, abs=1e-3)
    assert f"{bound.share:.0%} of what is possible here" in str(bound)


def test_what_beats_the_trial_of_the_base_is_no_share_of_the_possible() -> None:
    quick = Bound(forward=10.0, image_s=0.01, cores=2, apart=False, reached=12.0)
    assert quick.share > 1
    assert "%" not in str(quick)
    assert "the short trial of the base alone made 10.0" in str(quick)


def test_steps_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr("time.perf_counter", lambda: float(next(clock)))
    timings = Timings()
    with timings.step("write"):
        next(clock)
    timings.add({"write": 10.0, "read": 0.5})
    assert timings.seconds == {"write": 12.0, "read": 0.5}


def test_a_step_that_fails_counts() -> None:
    timings = Timings()
    with pytest.raises(ZeroDivisionError), timings.step("load"):
        raise ZeroDivisionError
    assert timings.seconds["load"] > 0


def test_waiting_hands_on_every_item_and_every_error() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("gone")

    timings = Timings()
    got = []
    with pytest.raises(OSError, match="gone"):
        got.extend(timings.waiting_for("wait", items()))
    assert list(timings.waiting_for("other", iter("ab"))) == ["a", "b"]
    assert {"wait", "other"} == set(timings.seconds)


@pytest.mark.parametrize(("batch_size", "rate"), [(None, 40.0), (TRIAL_BATCH, 40.0), (4, None)])
def test_the_trial_of_the_engine_tells_the_base_alone_in_batches_of_its_size(
    batch_size: int | None,
    rate: float | None,
    photos: Photos,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def settled(request: FeatureRequest, *_: object, **__: object) -> tuple[FeatureRequest, dict[str, float]]:
        return replace(request, engine="keras", precision="float32"), {"float32": 40.0}

    monkeypatch.setattr(extraction_module, "settle_engine", settled)
    photos.add("train/cats", 3)
    (extraction,) = run(batch_size=batch_size)
    assert extraction.forward_rate == rate
