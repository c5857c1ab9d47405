"""Predictions as JSON and CSV: the most probable first, names as they are, no formulas."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.cache.descriptions import Descriptions
from pipeline.evaluation.conformal import ConformalSets
from pipeline.heads import Familiarity, Temperature
from pipeline.images import BadImage
from pipeline.serving import Predictions
from pipeline.spec import FeatureSpec

KNOWN = Familiarity(Descriptions(((4,),)), np.ones((1, 4), np.float16), 0.7, 0.01, 99)
KNOWN_COLUMNS = ["familiar", "familiarity"]
Make = Callable[..., Predictions]


@pytest.fixture
def make(spec: FeatureSpec) -> Make:
    """Makes predictions of given probabilities, (n, k)."""

    def make(probabilities: list[list[float]], **changes: object) -> Predictions:
        rows = np.array(probabilities)
        fields: dict[str, object] = {
            "head": "logreg",
            "dataset": "toy",
            "spec": spec,
            "classes": tuple(f"class{i}" for i in range(rows.shape[1])),
            "ids": [f"{i}.png" for i in range(len(rows))],
            "probabilities": rows,
            "failures": [],
        }
        return Predictions(**(fields | changes))

    return make


def table(predictions: Predictions, top: int = 5) -> list[dict[str, str]]:
    text = io.StringIO()
    predictions.write_csv(text, top=top)
    return list(csv.DictReader(io.StringIO(text.getvalue(), newline="")))


def test_the_most_probable_come_first_and_of_equals_the_first(make: Make) -> None:
    described = make([[0.25, 0.5, 0.25]]).to_json(top=2)
    assert described["images"] == [
        {
            "id": "0.png",
            "top": [{"class": "class1", "probability": 0.5}, {"class": "class0", "probability": 0.25}],
            "trained_on": None,
            "familiar": None,
            "familiarity": None,
        }
    ]


def test_failures_are_told_with_their_reason(make: Make) -> None:
    described = make([[1.0, 0.0]], failures=[BadImage("bad.png", "damaged")]).to_json(top=1)
    assert described["unreadable"] == [{"id": "bad.png", "reason": "damaged"}]
    assert json.loads(json.dumps(described)) == described


def test_what_would_mislead_is_told(make: Make, spec: FeatureSpec) -> None:
    trained = replace(spec, weights=f"sha256:{'0' * 64}")
    near = {"familiar_by": KNOWN, "familiarity": np.array([0.9, 0.7, 0.8])}
    assert make([[1.0, 0.0]] * 3, spec=trained, trained_on=np.zeros(3, bool), **near).notes == ()
    warm = Temperature(value=2.0, low=1.5, high=2.5, rows=80)
    random, calibrated, known, strange = make(
        [[1.0, 0.0]] * 3,
        temperature=warm,
        trained_on=np.array([True, False, True]),
        **near | {"familiarity": np.array([0.9, 0.1, 0.7])},
    ).notes
    assert random.startswith("RANDOM FILTERS (random:0)")
    assert calibrated == f"probabilities are calibrated: {warm.line}"
    assert known == "the head was trained on 2 of 3 images, so it knows their answers"
    assert strange.startswith("1 of 3 images is unlike anything the head was trained on (below 0.700, where")
    assert "not known of this head" in make([[1.0, 0.0]]).notes[-1]


@pytest.mark.parametrize(
    ("count", "last"), [(10, "'9.png': dark"), (11, "... and 1 more image"), (12, "... and 2")]
)
def test_of_many_remarks_the_first_ten_are_told(count: int, last: str, make: Make) -> None:
    predictions = make([[1.0, 0.0]] * 12, remarks={f"{i}.png": "dark" for i in range(count)})
    _, _, *told = predictions.notes  # the filters are random, and val told nothing
    assert told[:10] == [f"'{i}.png': dark" for i in range(10)]
    assert len(told) == min(count, 11)
    assert told[-1].startswith(last)
    described = predictions.to_json(top=1)["images"]
    assert [one.get("remark") for one in described] == ["dark"] * count + [None] * (12 - count)


def test_few_classes_have_a_column_each(make: Make) -> None:
    (row,) = table(make([[0.1, 0.9]]), top=1)
    assert row == {
        "id": "0.png",
        "predicted": "class1",
        "probability": "0.9",
        "p(class0)": "0.1",
        "p(class1)": "0.9",
        "familiar": "",
        "familiarity": "",
    }


def test_familiarity_and_sets_stand_behind(make: Make) -> None:
    sets = ConformalSets(0.9, np.array([0.2, 0.2, 0.9]), np.array([30, 30, 30]), False, False)
    probabilities = np.array([[0.3, 0.6, 0.1], [0.0, 0.1, 0.9], [0.1, 0.1, 0.8]])
    made = make(
        probabilities.tolist(),
        familiar_by=KNOWN,
        familiarity=np.array([0.9, 0.7, 0.6]),
        sets_by=sets,
        members=sets.sets(probabilities),
    )
    rows = table(made)
    assert [row["familiar"] for row in rows] == ["yes", "yes", "no"]
    assert [row["set"] for row in rows] == ["class1|class0", "class2", ""]
    images = made.to_json(top=1)["images"]
    assert [image["set"] for image in images] == [["class1", "class0"], ["class2"], []]
    assert [image["familiarity"] for image in images] == [0.9, 0.7, 0.6]


def test_of_many_classes_the_most_probable_are_named(make: Make) -> None:
    probabilities = np.full(150, 0.5 / 149)
    probabilities[77] = 0.5
    (row,) = table(make([probabilities.tolist()]), top=2)
    assert list(row) == [
        "id",
        "predicted",
        "probability",
        "top1",
        "p(top1)",
        "top2",
        "p(top2)",
        *KNOWN_COLUMNS,
    ]
    assert (row["predicted"], row["top1"], row["top2"]) == ("class77", "class77", "class0")
    assert float(row["p(top1)"]) == 0.5


@pytest.mark.parametrize("name", ["=1+1", "+1+1", "-1-1", "@x", "\tx", "'x"])
def test_what_a_spreadsheet_takes_for_a_formula_is_marked(name: str, make: Make) -> None:
    (row,) = table(make([[1.0, 0.0]], ids=[name], classes=(name, "other")))
    assert (row["id"], row["predicted"]) == (f"'{name}", f"'{name}")


def test_names_with_commas_quotes_and_line_ends_come_back_whole(make: Make) -> None:
    name = 'a,"b"\nc'
    (row,) = table(make([[1.0, 0.0]], ids=[name], classes=(name, "other")))
    assert (row["id"], row["predicted"]) == (name, name)


def test_without_answers_there_is_a_header(make: Make) -> None:
    text = io.StringIO()
    make(np.zeros((0, 2))).write_csv(text, top=5)
    assert len(text.getvalue().splitlines()) == 1
