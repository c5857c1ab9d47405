"""The card of a model: what is known of it, harmless in Markdown, and nothing that nobody has measured."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import pytest
import yaml
from model_cards import card_of

from pipeline.cache.features import Selection
from pipeline.cli import main
from pipeline.evaluation import evaluate
from pipeline.evaluation.leaks.findings import Finding, Leaks, Place
from pipeline.heads import Temperature, TrainedHead, make_head
from pipeline.options import split_settings

Train = Callable[..., tuple[TrainedHead, Selection]]


def test_figures_on_test_stand_on_it(train: Train) -> None:
    trained, chosen = train("logreg", own=True)
    report = evaluate(trained, chosen.open("test"))
    assert "model-index" not in card_of(trained)[0]
    report.write()
    front, body = card_of(trained)
    (result,) = front["model-index"][0]["results"]
    assert result["dataset"]["split"] == "test"
    low, high = report.figures.accuracy_ci
    assert result["metrics"][0] == {
        "type": "accuracy",
        "value": report.figures.accuracy,
        "args": {"confidence_level": 0.95, "confidence_interval": [low, high]},
    }
    assert f"{report.figures.accuracy:.4f}, 95 % interval {low:.4f} to {high:.4f}" in body
    assert "Not evaluated" not in body


def test_the_hub_reads_figures_with_their_interval(train: Train) -> None:
    hub = pytest.importorskip("huggingface_hub")
    trained, chosen = train("logreg", own=True)
    report = evaluate(trained, chosen.open("test"))
    report.write()
    front, body = card_of(trained)
    card = hub.ModelCard(f"---\n{yaml.safe_dump(front)}---\n{body}")
    found = {one.metric_type: one for one in card.data.eval_results}
    assert set(found) == {"accuracy", "f1"}
    assert (found["accuracy"].dataset_split, found["accuracy"].metric_value) == (
        "test",
        report.figures.accuracy,
    )
    assert found["accuracy"].metric_args["confidence_interval"] == list(report.figures.accuracy_ci)


def test_images_of_each_split_and_class_are_counted(train: Train) -> None:
    trained, chosen = train("logreg")
    _, body = card_of(trained, features=chosen)
    assert "| class | rows trained on | train | val | test |" in body
    for number, name in enumerate(trained.classes):
        labels = [chosen.open(split).labels for split in ("train", "val", "test")]
        counts = " | ".join(str((one == number).sum()) for one in labels)
        assert f"| {name} | {trained.class_counts[number]} | {counts} |" in body
    assert "| all | 18 | 18 | 6 | 16 |" in body
    assert "18 rows of crops: 18 different images; it was validated on 0." in body
    assert "has changed since" not in body


def test_views_are_rows_and_no_images(train: Train) -> None:
    trained, chosen = train("logreg", views=2)
    _, body = card_of(trained, features=chosen)
    assert "| all | 54 | 18 | 6 | 16 |" in body
    assert "54 rows of crops: 18 different images" in body


def test_images_without_a_label_are_counted_by_themselves(train: Train) -> None:
    trained, chosen = train("logreg")
    part = chosen.open("test")
    labels = part.labels.copy()
    labels[:3] = -1
    without = replace(part, rows=replace(part.rows, labels=labels))
    changed = Selection(chosen.entries)
    changed._opened.update({"test": without})
    _, body = card_of(trained, features=changed)
    assert "| without a label | 0 | 0 | 0 | 3 |" in body
    assert "| all | 18 | 18 | 6 | 16 |" in body


def test_a_training_split_that_has_changed_since_is_told(train: Train) -> None:
    trained, chosen = train("logreg")
    fewer = replace(trained, class_counts=(1, 1))
    assert "The training split has changed since" in card_of(fewer, features=chosen)[1]


def test_what_nobody_has_written_down_is_named(train: Train) -> None:
    trained, _ = train("logreg")
    _, body = card_of(replace(trained, seen=None))
    assert "How many images each split has is not on record" in body
    assert "how many different images that are is not on record" in body
    assert "# pipeline extract: not on record" in body
    assert "# pipeline evaluate: no figures on record" in body
    assert "| class | rows trained on |\n" in body


def checked(trained: TrainedHead, chosen: Selection, *findings: Finding) -> str:
    """Returns the card of a head that was evaluated with a leak check."""
    evaluate(trained, chosen.open("test"), leaks=Leaks(findings)).write()
    return card_of(trained)[1]


def test_what_the_leak_check_found_is_told(train: Train) -> None:
    trained, chosen = train("logreg", own=True)
    places = Place("train", "a.jpg"), Place("test", "b.jpg")
    assert "The leak check beside these figures found nothing;" in checked(trained, chosen)
    pairs = (Finding("exact", *places), Finding("exact", *places), Finding("near", *places))
    assert "found pairs of images: 2 exact, 1 near (to look at);" in checked(trained, chosen, *pairs)


def test_a_missing_leak_check_is_not_taken_for_a_clean_one(train: Train) -> None:
    trained, chosen = train("logreg", own=True)
    evaluate(trained, chosen.open("test")).write()
    _, body = card_of(trained)
    assert "What a leak check between the splits finds is not on record: `pipeline check`." in body
    assert "found nothing" not in body


def command_lines(body: str) -> list[list[str]]:
    (block,) = re.findall(r"```sh\n(.*?)\n```", body, re.DOTALL)
    return [shlex.split(line) for line in block.splitlines()]


def test_the_commands_make_the_same_again(train: Train, crops: Path) -> None:
    """Each is parsed by the very command that it calls."""
    trained, chosen = train("dense", own=True, options={"epochs": 2, "dropout": 0.25})
    evaluate(trained, chosen.open("test")).write()
    trained = replace(trained, seed=7, temperature=Temperature(value=1.5, low=1.2, high=1.8, rows=6))
    _, body = card_of(trained, features=chosen, out="a.onnx")
    given = {}
    for words in command_lines(body):
        assert words[0] == "pipeline"
        command = main.get_command(click.Context(main), words[1])
        assert command is not None
        given[words[1]] = command.make_context(words[1], words[2:]).params
    assert list(given) == ["extract", "train-head", "evaluate", "export"]
    assert given["extract"]["data"] == crops.name
    assert given["extract"]["image_size"] == trained.spec.image_size
    training = given["train-head"]
    assert (training["head"], training["seed"]) == ("dense", 7)
    assert make_head("dense", split_settings(training["settings"], "--set")) == trained.head
    assert (given["evaluate"]["split"], given["evaluate"]["calibrate"]) == ("test", True)
    assert (given["export"]["form"], str(given["export"]["out"])) == ("onnx", "a.onnx")
    entry = f"{trained.dataset}/{trained.spec.entry_name}"
    for name in ("train-head", "evaluate", "export"):
        assert entry in " ".join(next(words for words in command_lines(body) if words[1] == name))


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("/home/ann/photos", "photos"),
        ("/home/ann/photos/", "photos/"),
        ("/photos", "photos"),
        ("~/photos", "photos"),
        ("~ann/sets/photos", "photos"),
        ("file:///home/ann/photos", "photos"),
        ("sample:9:/home/ann/photos", "sample:9:photos"),
        ("/home/ann/shards/*.tar", "*.tar"),
        ("s3://bucket/photos", "s3://bucket/photos"),
        ("hf:ylecun/mnist", "hf:ylecun/mnist"),
        ("keras:cifar10", "keras:cifar10"),
    ],
)
def test_no_folder_of_this_machine_is_in_a_card(source: str, shown: str, train: Train) -> None:
    trained, chosen = train("logreg")
    _, body = card_of(trained, features=Selection((replace(chosen.entries[0], source=source),)))
    assert command_lines(body)[0][2:4] == ["--data", shown]
    assert str(chosen.entries[0].cache.parent) not in body


def test_a_hostile_source_cannot_leave_its_block(train: Train) -> None:
    trained, chosen = train("logreg")
    hostile = "/photos/a```\n# b\n\n<script>"
    _, body = card_of(trained, features=Selection((replace(chosen.entries[0], source=hostile),)))
    assert "````sh\n" in body
    assert "\n# b" not in body


@pytest.mark.parametrize("content", ["", "{}", '{"accuracy": "high"}'])
def test_figures_that_cannot_be_read_are_not_made_up(content: str, train: Train) -> None:
    trained, chosen = train("logreg", own=True)
    folder = evaluate(trained, chosen.open("test")).write()
    (folder / "metrics.json").write_text(content)
    front, body = card_of(trained)
    assert "model-index" not in front
    assert "Not evaluated on test yet: `pipeline evaluate --head logreg --split test`" in body


def test_names_from_outside_cannot_leave_their_place(train: Train) -> None:
    trained, _ = train("logreg")
    hostile = ("a | b\n---\n# c", "<script>alert(1)</script>")
    front, body = card_of(replace(trained, classes=hostile, dataset='x"\nlicense: mit'))
    assert "license" not in front
    assert "\n# c" not in body
    assert "<script" not in body.replace("\\<script", "")
    assert "| a \\| b " in body


def test_what_limits_it_is_said(train: Train) -> None:
    trained, _ = train("logreg")
    calibrated = replace(
        trained, temperature=Temperature(value=1.5, low=1.2, high=1.8, rows=6), class_counts=(18, 0)
    )
    _, body = card_of(calibrated)
    assert "RANDOM FILTERS" in body
    assert f"Never answered, for want of training images: {trained.classes[1]}." in body
    assert calibrated.temperature is not None
    assert f"Probabilities are calibrated: {calibrated.temperature.line}." in body
    assert "On 3 images its probabilities differ by at most 1e-05" in body
    assert "differ by at most" not in card_of(trained, difference=None)[1]
