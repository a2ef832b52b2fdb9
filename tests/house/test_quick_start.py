"""README's commands, what they install, and CI that runs them."""

import ast
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN = "pip install -r requirements.txt && streamlit run app.py"
TEST = "pip install -r requirements.txt -r tests/requirements.txt && pytest"


def quick_start():
    spec = importlib.util.spec_from_file_location("quick_start", ROOT / ".ci" / "quick_start.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_quick_start_holds_exactly_the_two_commands():
    assert quick_start().commands(README) == [RUN, TEST]


def test_the_reader_learns_what_it_is_before_how_to_start_it():
    places = [
        README.index("not a medical device"),
        README.index("(docs/screenshot.png)"),
        README.index("## Quick start"),
        README.index("## The tour"),
    ]
    assert places == sorted(places)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_no_link_in_the_documents_is_dead(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    links = re.findall(r"\]\(((?!https?:)[^)#]+)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("citation", ["104863", "10.1002/mp.16812", "CC BY 4.0", "Apache-2.0"])
def test_the_data_and_the_licence_are_named(citation):
    assert citation in README


def requirements(name: str) -> dict[str, str]:
    """Return a requirements file as name (normalised) to version range."""
    lines = (ROOT / name).read_text(encoding="utf-8").split("\n")
    found = {}
    for line in (line.partition("#")[0].strip() for line in lines):
        if line:
            match = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?(.*)", line)
            assert match, f"{name}: {line!r} is not a plain requirement"
            found[re.sub(r"[-_.]+", "-", match.group(1)).lower()] = match.group(2)
    return found


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_a_release_of_tomorrow_does_not_break_an_install_of_today(name):
    """Every requirement has a floor and a ceiling."""
    loose = {
        package: wanted
        for package, wanted in requirements(name).items()
        if not re.fullmatch(r">=[\d.]+,<[\d.]+|==[\d.]+", wanted)
    }
    assert loose == {}


def test_nothing_is_asked_for_twice():
    assert (
        set(requirements("requirements.txt")) & set(requirements("tests/requirements.txt")) == set()
    )


def distributions(files: list[Path]) -> set[str]:
    """Return the packages that the files import, by the name pip knows them under."""
    imported = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])
    known = metadata.packages_distributions()
    own = {path.stem for path in ROOT.rglob("tests/**/*.py")} | {"core", "conftest"}
    foreign = imported - set(sys.stdlib_module_names) - own
    return {re.sub(r"[-_.]+", "-", known.get(name, [name])[0]).lower() for name in foreign if name}


#: Brought and versioned by something that is asked for.
BROUGHT_ALONG = {"starlette": "streamlit", "packaging": "pytest"}


def test_the_app_installs_everything_it_imports():
    files = [ROOT / "app.py", *(ROOT / "core").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]
    asked = set(requirements("requirements.txt"))
    missing = distributions(files) - asked
    assert {name for name in missing if BROUGHT_ALONG.get(name) not in asked} == set()


def test_the_tests_install_everything_they_import():
    files = [
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "docs").rglob("*.py"),
        *(ROOT / "assets").rglob("*.py"),
    ]
    asked = set(requirements("requirements.txt")) | set(requirements("tests/requirements.txt"))
    missing = distributions(files) - asked
    assert {name for name in missing if BROUGHT_ALONG.get(name) not in asked} == set()


def test_what_is_installed_here_is_what_is_asked_for():
    from packaging.requirements import Requirement

    wrong = {}
    for name in ("requirements.txt", "tests/requirements.txt"):
        for package, wanted in requirements(name).items():
            installed = metadata.version(package)
            if not Requirement(f"{package}{wanted}").specifier.contains(installed):
                wrong[package] = f"{installed}, asked for {wanted}"
    assert wrong == {}


# --- .ci/run, with every tool it calls replaced: what is tested is when it goes red ---

TOOL = """#!/bin/sh
name=$(basename "$0")
printf '%s %s\\n' "$name" "$*" >> "{log}"
case "$name $*" in {fail}) exit 3 ;; esac
if [ "$name" = fc-list ]; then echo "A Chinese font"; fi
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    for tool in python pip ruff mypy lint-imports pytest; do cp "$0" "$3/bin/$tool"; done
elif [ "$name" = python ] || [ "$name" = python3.11 ]; then
    exec "{python}" "$@"
fi
"""
#: Each step, as a shell pattern of the call, in the order they are made.
STEPS = [
    "python3.11 -m venv *",
    "python .ci/quick_start.py pytest",
    "pip install -r requirements.txt -r tests/requirements.txt",
    "ruff check .",
    "ruff format --check .",
    "mypy ",
    "lint-imports ",
    "pytest ",
]


def ci(folder: Path, fail: str = "no such call", without: str = "") -> tuple[int, list[str]]:
    """Run a copy of .ci/run among stand-ins; return its exit code and the calls it made."""
    bash = shutil.which("bash")
    if bash is None or os.name != "posix":
        pytest.skip("needs bash")
    shutil.copytree(ROOT / ".ci", folder / "clone" / ".ci", ignore=shutil.ignore_patterns("__*"))
    (folder / "clone" / "README.md").write_text(README, encoding="utf-8")
    tools, log = folder / "tools", folder / "log"
    tools.mkdir()
    log.touch()
    pattern = fail.replace(" ", r"\ ") if fail else ""
    script = TOOL.format(log=log, fail=pattern, python=sys.executable)
    for name in ("python3.11", "chromium", "initdb", "fc-list", "apt-get", "sudo", "pip"):
        if name != without:
            (tools / name).write_text(script)
            (tools / name).chmod(0o755)
    (tools / "sudo").write_text('#!/bin/sh\nshift\nexec "$@"\n')
    for name in ("sh", "bash", "basename", "dirname", "mktemp", "mkdir", "cp", "rm", "id", "env"):
        found = shutil.which(name)
        assert found, name
        (tools / name).symlink_to(found)
    environment = {"PATH": str(tools), "TMPDIR": str(folder), "HOME": str(folder)}
    done = subprocess.run(
        [bash, folder / "clone" / ".ci" / "run"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "command not found" not in done.stderr, done.stderr
    return done.returncode, log.read_text().splitlines()


def test_ci_can_be_run_from_a_clone():
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR


def test_ci_takes_every_step_in_order_and_leaves_nothing_behind(tmp_path):
    code, calls = ci(tmp_path)
    assert code == 0
    made = [f"{call} " if " " not in call else call for call in calls]
    at = [
        next(i for i, call in enumerate(made) if call.startswith(step.rstrip("*")))
        for step in STEPS
    ]
    assert at == sorted(at)
    assert not any(call.startswith("apt-get") for call in calls)
    assert list(tmp_path.glob("tmp.*")) == []


@pytest.mark.parametrize("step", STEPS)
def test_ci_goes_red_when_a_step_fails(tmp_path, step):
    code, calls = ci(tmp_path, fail=step)
    assert code != 0
    after = [later.rstrip("*") for later in STEPS[STEPS.index(step) + 1 :]]
    assert not any(f"{call} ".startswith(later) for call in calls for later in after)


@pytest.mark.parametrize(("tool", "package"), [("chromium", "chromium")])
def test_ci_installs_what_the_machine_lacks_and_goes_red_when_it_cannot(tmp_path, tool, package):
    (tmp_path / "a").mkdir()
    code, calls = ci(tmp_path / "a", without=tool)
    assert code == 0
    assert any(re.match(rf"apt-get install .*\b{package}\b", call) for call in calls)
    (tmp_path / "b").mkdir()
    code, calls = ci(tmp_path / "b", without=tool, fail="apt-get install *")
    assert code != 0
    assert not any("venv" in call for call in calls)


def test_ci_runs_the_browser_tests(tmp_path):
    assert re.search(r"^REQUIRE_BROWSER=1 .*\$tests", (ROOT / ".ci" / "run").read_text(), re.M)
