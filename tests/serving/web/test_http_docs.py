"""What docs/serving.md says of the HTTP API is so, and what it shows runs as it stands."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from running_server import Server

from pipeline.serving.web.operations import OPERATIONS

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs/serving.md").read_text()
HERE = "http://127.0.0.1:8000"


def examples(language: str, holding: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", DOCUMENT, re.DOTALL | re.MULTILINE)
    return [one for one in found if holding in one]


CURL = [line for line in "".join(examples("sh", HERE)).splitlines() if line.startswith("curl ")]


@pytest.fixture
def pictures(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the two pictures that the examples send."""
    for name, path in zip(("cat.jpg", "dog.jpg"), server.photos.files("test"), strict=False):
        (tmp_path / name).write_bytes(path.read_bytes())
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("path", [one.path for one in OPERATIONS])
def test_every_route_is_listed(path: str) -> None:
    assert re.search(rf"^\|.*`((GET|POST) )?{re.escape(path)}`.*\|$", DOCUMENT, re.MULTILINE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
@pytest.mark.parametrize("line", CURL)
def test_the_lines_for_curl_run(line: str, server: Server, pictures: None) -> None:
    words = [*shlex.split(line.replace(f"{HERE}/", server.url)), "--fail-with-body", "--silent"]
    told = subprocess.run(words, capture_output=True, check=True).stdout
    if "/predict/batch" in line:
        images = json.loads(told)["images"]
        assert [(one["file"], one["error"]) for one in images] == [("cat.jpg", None), ("dog.jpg", None)]


def test_the_lines_of_python_run(server: Server, pictures: None, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = examples("python", "requests")
    exec(example.replace(HERE, server.url.rstrip("/")), {})  # noqa: S102 - our own document
    first, cat, dog, head, count = capsys.readouterr().out.splitlines()
    assert first.startswith("{'class': ")
    assert (cat[:11], dog[:11]) == ("cat.jpg {'c", "dog.jpg {'c")
    assert (head, int(count) > 0) == ("logreg", True)


def test_the_figures_that_are_named_are_those_that_there_are(knowing: Server) -> None:
    served = set(re.findall(r"^# TYPE (pipeline_\w+) ", knowing.ask("/metrics")[2].decode(), re.MULTILINE))
    table = set(re.findall(r"^\| `(pipeline_\w+)", DOCUMENT, re.MULTILINE))
    assert table == {name for name in served if not name.endswith("_created")}
    graphed = set(re.findall(r"\((pipeline_\w+?)(?:_bucket)?[\[{]", DOCUMENT))
    assert graphed
    assert graphed <= table


def test_prometheus_is_sent_to_where_the_figures_are(server: Server) -> None:
    (snippet,) = examples("yaml", "scrape_configs")
    (job,) = yaml.safe_load(snippet)["scrape_configs"]
    assert "metrics_path" not in job, "the usual one is /metrics"
    assert job["static_configs"] == [{"targets": [HERE.removeprefix("http://")]}]
    assert server.ask("/metrics")[0] == 200
