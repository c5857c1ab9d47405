"""The image of the command line: what its Dockerfile promises, and that it can be built and run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from configparser import ConfigParser
from io import BytesIO
from itertools import pairwise
from pathlib import Path, PurePosixPath

import click
import pytest
from dockerfile_parse import DockerfileParser

from pipeline import registry
from pipeline.cli import commands, main
from pipeline.cli.commands.serve import command as serve
from pipeline.overview import CACHE, RUNS

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "Dockerfile").read_text()
PAGE = (ROOT / "docs/docker.md").read_text()
COMMANDS = registry.names(commands)
SECRET = re.compile(r"token|secret|passw|credential|api_?key|access_?key", re.IGNORECASE)


def parsed(text: str) -> DockerfileParser:
    return DockerfileParser(fileobj=BytesIO(text.encode()))


def steps(text: str, name: str, *, last_stage: bool = False) -> list[str]:
    """Returns what stands behind an instruction, wherever it comes or in the image itself."""
    found: list[str] = []
    for step in parsed(text).structure:
        if last_stage and step["instruction"] == "FROM":
            found.clear()
        if step["instruction"] == name:
            found.append(step["value"])
    return found


def settings() -> ConfigParser:
    read = ConfigParser()
    read.read(ROOT / "setup.cfg")
    return read


def listed(text: str, name: str) -> list[str]:
    """Returns the only list of an instruction, which has to be in the form of JSON."""
    try:
        (value,) = steps(text, name, last_stage=True)
        return json.loads(value)
    except ValueError:
        return []


def faults(text: str) -> Iterator[str]:
    """Says what is wrong with a Dockerfile of this project."""
    image = parsed(text)
    known = re.findall(r"Python :: ([\d.]+)", settings()["metadata"]["classifiers"])
    if set(image.parent_images) - {f"python:{version}-slim" for version in known}:
        yield "base"
    if len(image.parent_images) < 2:
        yield "stages"
    kept = [step["instruction"] for step in image.structure if step["instruction"] in ("RUN", "USER")]
    users = steps(text, "USER", last_stage=True)
    if not users or kept[-1] != "USER" or users[-1].partition(":")[0] in ("0", "root"):
        yield "user"
    if listed(text, "ENTRYPOINT") != ["pipeline"]:
        yield "entry"
    work = PurePosixPath(*steps(text, "WORKDIR", last_stage=True)[-1:])
    volumes = listed(text, "VOLUME")
    wanted = [image.envs.get("KERAS_HOME", "nowhere"), image.envs.get("PIPELINE_BACKBONES", "nowhere")]
    for place in [*wanted, str(work / CACHE), str(work / RUNS), str(work / "data")]:
        if not any(PurePosixPath(place).is_relative_to(volume) for volume in volumes):
            yield "volume"
    if any(SECRET.search(line) for name in ("ENV", "ARG", "COPY", "RUN") for line in steps(text, name)):
        yield "secret"
    if steps(text, "ADD"):
        yield "add"
    if steps(text, "HEALTHCHECK"):  # extract and train-head answer nobody
        yield "health"
    port = next(option for option in serve.params if option.name == "port").default
    if steps(text, "EXPOSE") != [str(port)]:
        yield "port"
    (extras,) = [arg.partition("=")[2] for arg in steps(text, "ARG") if arg.startswith("EXTRAS=")] or [""]
    if not {"serve", "remote"} <= set(extras.split(",")) <= set(settings()["options.extras_require"]):
        yield "extras"


def test_the_dockerfile_is_sound() -> None:
    assert list(faults(TEXT)) == []


@pytest.mark.parametrize(
    ("pattern", "instead", "fault"),
    [
        (r"python:3\.\d+-slim", "python:slim", "base"),
        (r"python:3\.\d+-slim", "python:3.9-slim", "base"),
        (r"python:3\.\d+-slim", "tensorflow/tensorflow:latest", "base"),
        (r"\nFROM \S+\nCOPY --from.*\n", "\n", "stages"),
        (r"\nUSER .*", "", "user"),
        (r"\nUSER .*", "\nUSER root", "user"),
        (r"\nUSER .*", "\nUSER 1000\nRUN pip check", "user"),
        (r'\["pipeline"\]', "pipeline", "entry"),
        (r'"/weights", ', "", "volume"),
        (r"KERAS_HOME=/weights/keras", "KERAS_HOME=/root/.keras", "volume"),
        (r', "/project/runs"\]', "]", "volume"),
        (r"WORKDIR /project", "WORKDIR /elsewhere", "volume"),
        (r"\nENV ", "\nENV AWS_SECRET_ACCESS_KEY=abc ", "secret"),
        (r"\nARG EXTRAS", "\nARG HF_TOKEN\nARG EXTRAS", "secret"),
        (r"\nCOPY setup", "\nADD https://example.org/a.tar /\nCOPY setup", "add"),
        (r"\nENTRYPOINT", "\nHEALTHCHECK CMD pipeline status\nENTRYPOINT", "health"),
        (r"EXPOSE \d+", "EXPOSE 80", "port"),
        (r"EXTRAS=serve", "EXTRAS=server", "extras"),
    ],
)
def test_a_fault_is_found(pattern: str, instead: str, fault: str) -> None:
    changed, count = re.subn(pattern, lambda found: instead, TEXT)
    assert count
    assert fault in list(faults(changed))


def let_in() -> list[str]:
    """Returns what .dockerignore lets into the build."""
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*", "whatever is not named has to stay outside"
    return [line[1:] for line in lines if line.startswith("!")]


def test_the_build_is_shown_the_package_and_nothing_else() -> None:
    copied = [shlex.split(line)[:-1] for line in steps(TEXT, "COPY") if not line.startswith("--from")]
    assert {name.partition("/")[0] for names in copied for name in names} == set(let_in())
    assert all((ROOT / name).exists() for name in let_in())


def test_what_is_copied_first_is_enough_to_install_the_libraries(tmp_path: Path) -> None:
    """The layer of the libraries is made before the code is there."""
    before, _, _ = TEXT.partition("\nRUN /opt/pipeline/bin/pip install")
    for line in steps(before, "COPY"):
        *names, place = shlex.split(line)
        (tmp_path / place).mkdir(exist_ok=True)
        for name in names:
            shutil.copy(ROOT / name, tmp_path / place)
    wheel = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--quiet"]
    made = subprocess.run(
        [sys.executable, "-m", "pip", *wheel, "--disable-pip-version-check", "--wheel-dir", "out", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert made.returncode == 0, made.stderr
    assert len(list((tmp_path / "out").glob("two_stage_pipeline-*.whl"))) == 1


def examples() -> list[str]:
    """Returns the lines of shell on the page, those that go on put together."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]


def test_the_page_mounts_what_the_image_has_as_volumes() -> None:
    words = [word for line in examples() for word in shlex.split(line.replace("'", ""), comments=True)]
    mounted = {word.split(":")[1] for before, word in pairwise(words) if before == "-v"}
    assert mounted == set(listed(TEXT, "VOLUME"))
    assert all(f"| `{volume}` |" in PAGE for volume in mounted)


def test_the_page_runs_commands_as_they_are_and_publishes_the_port() -> None:
    lines = [line for line in examples() if line.startswith(("in-docker ", "docker run"))]
    given = {}
    for line in lines:
        words = shlex.split(line.removeprefix("docker run"), comments=True)
        place = next((place for place, word in enumerate(words) if word in COMMANDS), None)
        if place is not None:
            command = main.get_command(click.Context(main), words[place])
            assert command is not None
            command.make_context(words[place], words[place + 1 :])  # refuses options that there are not
            given[words[place]] = words
    assert set(given) == {"extract", "train-head", "evaluate", "serve"}
    serving = given["serve"]
    (port,) = steps(TEXT, "EXPOSE")
    assert serving[serving.index("-p") + 1] == f"127.0.0.1:{port}:{port}"
    assert serving[serving.index("--host") + 1] == "0.0.0.0"  # noqa: S104 (inside a container)
    assert "--hostname" in serving
    assert f"http://127.0.0.1:{port}/health" in serving[serving.index("--health-cmd") + 1]


@pytest.fixture
def docker() -> str:
    """The client, where a daemon answers it."""
    client = shutil.which("docker")
    if client is None:
        pytest.skip("docker is not installed")
    asked = subprocess.run([client, "info"], capture_output=True, text=True)
    if asked.returncode:
        pytest.skip(f"no daemon answers docker: {asked.stderr.strip().splitlines()[-1]}")
    return client


def test_the_image_can_be_built_and_runs_as_nobody_of_rank(docker: str, tmp_path: Path) -> None:
    tag = f"two-stage-pipeline-test:{uuid.uuid4().hex[:12]}"
    built = subprocess.run([docker, "build", "--tag", tag, str(ROOT)], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-4000:]
    try:
        run = [docker, "run", "--rm", "--network", "none", tag]
        features = "extract --data builtin:digits --backbone pixels --image-size 8"
        made = subprocess.run([*run, *features.split()], capture_output=True, text=True)
        assert made.returncode == 0, made.stderr
        assert "features_cache/" in made.stdout
        who = [docker, "run", "--rm", "--entrypoint", "id", tag, "-u"]
        assert subprocess.run(who, capture_output=True, text=True, check=True).stdout.strip() == "1000"
    finally:
        subprocess.run([docker, "image", "rm", "--force", tag], capture_output=True, check=False)
