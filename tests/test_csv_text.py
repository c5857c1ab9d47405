from __future__ import annotations

import pytest

from pipeline.wording import guarded

FORMULAS = (
    "=1",
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-1-1",
    "-3=1",
    "-3+cmd|' /C calc'!A0",
    "--3",
    "-",
    "+",
    "-e5",
    "-3 ",
    "-3\n",
    "-inf",
    "-\N{ARABIC-INDIC DIGIT THREE}",
    "@SUM(A1)",
    "\tx",
    "\r=1",
    "\n=1",
    "'quoted'",
    "'",
)
HARMLESS = ("-3", "+3", "-0.5", "-.5", "-5.", "+1e5", "-1.5E-3", "3", "cat", "a-1", "a=1", "", " =1")


@pytest.mark.parametrize("text", FORMULAS)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(text):
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", HARMLESS)
def test_numbers_and_other_text_stay_as_they_are(text):
    assert guarded(text) == text


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_every_text_comes_back(text):
    assert guarded(text).removeprefix("'") == text
