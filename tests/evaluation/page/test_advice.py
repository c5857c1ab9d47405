from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path

import click
import numpy as np

from pipeline.cli import main
from pipeline.evaluation.leaks.findings import Finding, Leaks, Place
from pipeline.evaluation.page.advice import steps
from pipeline.evaluation.page.commands import Commands
from pipeline.evaluation.page.thresholds import answers_kept_back


def advice(case, *, leaks=None, heads=1, splits=("train", "val", "test"), unlabelled=0):
    report = dataclasses.replace(case.report, spec=dataclasses.replace(case.report.spec, weights="imagenet"))
    found = steps(
        report,
        case.head,
        leaks=leaks,
        commands=Commands.about(case.report, case.features),
        heads=heads,
        splits=splits,
        kept_back=answers_kept_back(case.report),
        unlabelled=unlabelled,
    )
    return {step.title: step for step in found}


def said(labels, right, k=2, sure=0.9):
    probabilities = np.full((len(labels), k), (1 - sure) / (k - 1))
    guesses = np.where(right, labels, (labels + 1) % k)
    probabilities[np.arange(len(labels)), guesses] = sure
    return labels.astype(np.int32), probabilities


def test_leaks_are_to_be_taken_out_looked_at_or_looked_for(make_case):
    case = make_case(("a", "b"))
    places = Place("train", "x"), Place("test", "y")
    exact, near = Leaks((Finding("exact", *places),)), Leaks((Finding("near", *places, 0.99),))
    partial = Leaks(notes=("the splits are large",))
    assert "1 pair of images stands in two splits" in advice(case, leaks=exact)["Take leaks out"].reason
    assert "Look at images that are much alike" in advice(case, leaks=near)
    assert "the splits are large" in advice(case, leaks=partial)["Compare the splits in full"].reason
    assert "Look for images in two splits" in advice(case)
    assert next(iter(advice(case, leaks=exact))) == "Take leaks out"


def test_weak_classes_are_named_with_their_training_rows(make_case):
    labels = np.repeat([0, 1, 2], 40)
    right = np.concatenate([np.arange(40) < 10, np.ones(80, bool)])
    found = advice(make_case(tuple("abc"), answers=said(labels, right, k=3)))
    assert "a (25% found, 20 training rows)." in found["Collect images of the weak classes"].reason
    assert "a is taken for b 30 times" in found["Look at the classes that are confused most"].reason


def test_a_head_without_mistakes_on_many_rows_needs_little(make_case):
    labels = np.repeat([0, 1], 2000)
    found = advice(
        make_case(("a", "b"), answers=said(labels, labels == labels, sure=0.999)), leaks=Leaks(), heads=5
    )
    assert list(found) == ["Choose among the heads on val"]


def test_labels_and_more_images_are_asked_about_where_there_are_mistakes(make_case):
    labels = np.repeat([0, 1], 60)
    case = make_case(("a", "b"), answers=said(labels, np.arange(120) % 10 > 0))
    found = advice(case, unlabelled=7)
    assert found["Look through the labels"].commands[0].endswith(" --labels")
    assert "learning-curve" in found["Ask what more images would bring"].commands[0]
    assert "120 rows of test" in found["Measure on every image"].reason
    assert "7 training images have no label" in found["Label more images"].reason
    assert "Label more images" not in advice(case)


def test_so_many_rows_as_are_said_to_be_needed_make_the_interval_a_point(make_case):
    from pipeline.evaluation.metrics import wilson_interval

    labels = np.repeat([0, 1], 50)
    found = advice(make_case(("a", "b"), answers=said(labels, np.arange(100) % 10 > 0)))
    reason = found["Measure on more images"].reason
    needed = int(reason.partition("About ")[2].partition(" ")[0].replace(",", ""))
    low, high = wilson_interval(round(0.9 * needed), needed)
    assert 0.0085 < (high - low) / 2 < 0.0115


def test_a_temperature_is_advised_where_it_is_missing_and_can_be_fitted(make_case):
    labels = np.repeat([0, 1], 100)
    case = make_case(("a", "b"), answers=said(labels, np.arange(200) % 3 > 0, sure=0.99))
    step = advice(case)["Calibrate the probabilities"]
    assert step.commands[0].endswith("--calibrate")
    assert "Calibrate the probabilities" not in advice(case, splits=("train", "test"))


def test_unsure_answers_are_kept_back_where_most_are_sure_and_right(make_case):
    labels = np.repeat([0, 1], 100)
    _, probabilities = said(labels, np.ones(200, bool), sure=0.95)
    probabilities[:30] = [0.45, 0.55]
    case = make_case(("a", "b"), answers=(labels.astype(np.int32), probabilities))
    reason = advice(case)["Leave the unsure rest to people"].reason
    assert "at least 60% are right in 100.0%" in reason
    assert "85% of all" in reason


def test_commands_are_such_that_the_command_line_takes(make_case, monkeypatch):
    case = make_case(("a", "b"))
    case.report = dataclasses.replace(case.report, head="dense")
    features = dataclasses.replace(case.features["test"], path=Path("my cache/pets/entry/test.h5"))
    commands = Commands.about(case.report, {"test": features})
    every = [commands.check(), commands.sweep(), commands.train(), commands.evaluate("--calibrate")]
    every += [commands.evaluate_all(), commands.cross_validate(), commands.check_labels()]
    for line in [*every, commands.learning_curve(), commands.next_images()]:
        program, name, *options = shlex.split(line)
        assert program == "pipeline"
        assert options[: options.index("--cache") + 2] == [
            *("--entry", f"pets/{features.spec.entry_name}"),
            *("--cache", "my cache"),
        ]
        command = main.get_command(None, name)
        # Below the program, as when it is typed: a command keeps the first help option that it was given.
        above = click.Context(main, **main.context_settings)
        assert command.make_context(name, options, parent=above).params["cache"] == Path("my cache")


def test_what_is_the_usual_is_left_out_of_a_command(make_case):
    case = make_case(("a", "b"))
    features = dataclasses.replace(case.features["test"], path=Path("features_cache/pets/entry/test.h5"))
    report = dataclasses.replace(case.report, head="logreg", run=Path("runs/pets/entry/logreg"))
    line = Commands.about(report, {"test": features}).evaluate("--calibrate")
    assert line == f"pipeline evaluate --entry pets/{features.spec.entry_name} --calibrate"


def test_remarks_and_commands_stand_in_the_last_part(make_case):
    case = make_case(("a", "b"), split="train")
    last = case.write().partition('id="advice"')[2]
    assert "this is the training split" in last
    assert "<code>pipeline check --entry" in last
