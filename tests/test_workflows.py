"""The workflows of the repository's host, held against the project: they cannot be run here."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / ".github" / "workflows"

pytestmark = pytest.mark.skipif(not FOLDER.exists(), reason=".github/ is not part of the sdist")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return found


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in workflow(name)["jobs"].values():
        yield from job["steps"]


def commands(name: str) -> list[str]:
    return [step["run"] for step in steps(name) if "run" in step]


def test_every_python_of_the_classifiers_is_tested_and_no_other(project: dict[str, Any]) -> None:
    named = {
        c.rpartition(" :: ")[2]
        for c in project["project"]["classifiers"]
        if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", c)
    }
    jobs = workflow("tests.yml")["jobs"]
    assert set(jobs["tests"]["strategy"]["matrix"]["python"]) == named
    others = [
        entry["python"] for job in jobs.values()
        for entry in job.get("strategy", {}).get("matrix", {}).get("include", ())
    ]  # fmt: skip
    assert set(others) <= named


def test_every_system_both_qts_and_the_oldest_napari_have_a_job(project: dict[str, Any]) -> None:
    jobs = workflow("tests.yml")["jobs"]
    matrix = jobs["tests"]["strategy"]["matrix"]
    systems = {*matrix["os"], *(entry["os"] for entry in matrix["include"])}
    assert systems == {"ubuntu-latest", "windows-latest", "macos-latest"}
    naparis = [entry["napari"] for entry in jobs["napari-and-qt"]["strategy"]["matrix"]["include"]]
    (extra,) = project["project"]["optional-dependencies"]["all"]
    oldest = extra.partition(">=")[2]
    assert f"napari[pyqt6]=={oldest}" in naparis
    assert any("pyside6" in napari for napari in naparis)


@pytest.mark.parametrize("name", ["tests.yml", "release.yml"])
def test_what_commands_name_is_there(name: str, project: dict[str, Any]) -> None:
    groups = project["dependency-groups"]
    for command in commands(name):
        words = shlex.split(command.replace("${{ matrix.napari }}", ""), comments=True)
        for word, following in pairwise(words):
            if word == "--group":
                assert following in groups, command
            if word == "-c" and "pip" in command:
                assert (ROOT / following).is_file(), command
        for word in words:
            path = word.removeprefix("--ignore=")
            if path.startswith(("tests/", "src/")):
                assert (ROOT / path).exists(), command


def test_the_checks_are_those_of_the_test_command() -> None:
    script = (ROOT / "scripts" / "test").read_text("utf-8")
    checks = re.findall(r'^step "[\w -]+" "\$venv(?:_python"|/bin/)(.+)$', script, re.MULTILINE)
    wanted = {re.sub(r'^ ?-m |"', "", check).strip() for check in checks}
    there = {re.sub(r"^python -m ", "", command) for command in commands("tests.yml")}
    assert len(wanted) == 6
    assert wanted <= there


def test_a_release_needs_no_password_and_the_right_tag() -> None:
    jobs = workflow("release.yml")["jobs"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert workflow("release.yml")["permissions"] == {"contents": "read"}
    assert "secrets." not in (FOLDER / "release.yml").read_text("utf-8")
    (check,) = [c for c in commands("release.yml") if "tomllib" in c]
    program = check.split("'PYTHON'\n")[1].rpartition("PYTHON")[0]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    import os

    for tag, is_right in ((f"v{version}", True), ("v99.0.0", False)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(os.environ, "GITHUB_REF_NAME", tag)
            patch.chdir(ROOT)
            if is_right:
                exec(program, {})
            else:
                with pytest.raises(AssertionError, match="the tag is v99"):
                    exec(program, {})
