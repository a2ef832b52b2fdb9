"""How the house is laid out: what an outsider would stumble over, and what the layers promise."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = sorted((ROOT / "core").rglob("*.py"))
PAGES = sorted((ROOT / "pages").rglob("*.py"))
CODE = [ROOT / "app.py", *CORE, *PAGES]


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported_modules(path: Path) -> set[str]:
    """Every module a file imports, at its top or inside a function, by its full name."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{short(path)} imports relatively: name the room"
            found.add(node.module or "")
    return found


def imported_on_load(path: Path) -> set[str]:
    """Modules imported when the file is imported; not in functions, not for type checks only."""
    found: set[str] = set()

    def visit(nodes: list[ast.stmt]) -> None:
        for node in nodes:
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
            elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                visit(node.orelse)
            elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                for field in ("body", "orelse", "finalbody", "handlers"):
                    visit(getattr(node, field, []))

    visit(ast.parse(path.read_text(encoding="utf-8")).body)
    return found


def top(module: str) -> str:
    return module.partition(".")[0]


def repository_files() -> list[Path]:
    """What is in the repository, or in a checkout without git what would be."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        ).stdout.decode()
        names = [name for name in listed.split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [short(p) for p in ROOT.rglob("*") if not {".git", "var"} & set(p.parts)]
    return [ROOT / name for name in sorted(names) if (ROOT / name).is_file()]


def test_no_room_reaches_into_a_room_that_comes_after_it():
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_every_room_has_its_place_in_the_layers():
    """A room that no contract names could import whatever it likes."""
    import tomllib

    config = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {c["type"]: c for c in config["tool"]["importlinter"]["contracts"]}
    layers = set(re.findall(r"core\.\w+", " ".join(contracts["layers"]["layers"])))
    guarded = set(contracts["forbidden"]["source_modules"])
    rooms = {
        f"core.{path.stem}"
        for path in (ROOT / "core").iterdir()
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").exists()
    }
    assert rooms - layers == set()
    assert rooms - {"core.ui"} - guarded == set()


@pytest.mark.parametrize("path", CORE, ids=short)
def test_core_can_be_used_without_streamlit_and_starts_without_tensorflow(path):
    if path.relative_to(ROOT).parts[1] != "ui":
        assert "streamlit" not in {top(module) for module in imported_modules(path)}
    loaded = {top(module) for module in imported_on_load(path)}
    assert not loaded & {"tensorflow", "keras"}, "import it inside the function that needs it"


def test_no_page_can_be_opened_without_signing_in():
    """Streamlit finds pages that lie directly in pages/ and opens them without app.py."""
    assert [short(p) for p in (ROOT / "pages").glob("*") if p.is_file()] == []
    assert {len(page.relative_to(ROOT).parts) for page in PAGES} == {3}


@pytest.mark.parametrize("path", CODE, ids=short)
def test_a_file_can_be_read_in_one_sitting(path):
    limit = 150 if path in PAGES else 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


def test_only_app_and_pages_import_the_widgets():
    outside = [
        short(path)
        for path in CORE
        if path.relative_to(ROOT).parts[1] != "ui"
        and any(module.startswith("core.ui") for module in imported_modules(path))
    ]
    assert outside == []


def test_core_never_prints():
    callers = [
        short(path)
        for path in CODE
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "print"
    ]
    assert callers == []


def test_nothing_in_the_repository_depends_on_the_machine_it_was_made_on():
    """No folder of one machine, and no address of a package registry.

    A path counts where it names a home or working folder; ``/usr`` and ``/tmp`` are everywhere.
    """
    own = re.compile(
        # A folder at the root that only some machines have, where a path can begin.
        r"(?<![\w./:<>*)\]}])/(?:home|root|Users|work|workspace|mnt|opt)/\w"
        r"|[A-Z]:\\\\?Users"
        r"|(?:pypi|pythonhosted|npmjs|conda\.anaconda|huggingface|crates)\.(?:org|com|co|io)\b"
    )
    found = []
    for path in repository_files():
        content = path.read_bytes()
        if b"\0" in content:
            continue
        lines = content.decode("utf-8").splitlines()
        found += [f"{short(path)}:{n}" for n, line in enumerate(lines, 1) if own.search(line)]
    assert found == []


def test_no_large_file_slips_in():
    """Models and the fonts of the report are the only large things that ship."""
    large = {
        short(path): path.stat().st_size
        for path in repository_files()
        if path.stat().st_size > 1_000_000 and "models" not in path.parts
    }
    fonts = [large.pop(name) for name in list(large) if name.startswith("assets/fonts/Overread")]
    assert large == {}
    assert sum(fonts) < 5_000_000
