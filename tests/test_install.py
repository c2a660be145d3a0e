"""`pip install .`: the wheel has everything the app needs, and an installed lab keeps nothing beside its code."""

from __future__ import annotations

import json
import os
import re
import shutil
import site
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest

from core import places
from core.data.mnist import data_root
from lab.settings import SECRETS, lab_home
from tests.app_server import serving
from tests.patience import patient

pytestmark = pytest.mark.own_data

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("core", "lab", "pages", "checkpoints", "static", ".streamlit")
MADE = shutil.ignore_patterns("__pycache__", "runs.sqlite3*", "plotly.min.js", ".plotly*", "secrets.toml")

# Opens every page of the lab that is installed, and says where its code and its own files are.
OPEN_EVERY_PAGE = """
import json, sys
from pathlib import Path
from streamlit.testing.v1 import AppTest
import core, lab
from core.places import APP
from core.data.mnist import data_root
from lab.settings import SECRETS, lab_home

app = AppTest.from_file(str(APP / "streamlit_app.py"), default_timeout=float(sys.argv[1])).run()
failed = [str(each.value) for each in app.exception]
pages = sorted(str(path.relative_to(APP)) for path in (APP / "pages").glob("*/*.py"))
for page in pages:
    failed += [f"{page}: {each.value}" for each in app.switch_page(page).run().exception]
places = [core.__file__, lab.__file__, str(APP)]
print(json.dumps([failed, pages, places, [str(each) for each in (lab_home(), data_root(), SECRETS)]]))
"""


@dataclass(frozen=True)
class Installed:
    """A lab that pip has put into a folder of its own, and a user who has nothing yet."""

    wheel: Path
    folder: Path
    user: Path

    @property
    def environment(self) -> dict[str, str]:
        """Of a user's process: none of the lab's settings, and no checkout."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LAB_")}
        home = {"HOME": str(self.user), "USERPROFILE": str(self.user)}
        libraries = site.getuserbase()  # which may be in the home folder of the person who runs the test
        return {**kept, **home, "PYTHONUSERBASE": libraries, "PYTHONPATH": str(self.folder)}

    def run(self, *command: str) -> str:
        """What a command prints in the user's own folder."""
        done = subprocess.run(
            command, cwd=self.user, env=self.environment, capture_output=True, text=True, timeout=patient(120)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def command(self) -> str:
        """`architecture-lab`."""
        return str(self.folder / "bin" / "architecture-lab")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    source, wheels, folder = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "installed"))
    for name in FOLDERS:  # a copy: setuptools writes into the folder that it builds
        shutil.copytree(ROOT / name, source / name, ignore=MADE)
    shutil.rmtree(source / "checkpoints" / "runs", ignore_errors=True)
    for path in ROOT.iterdir():
        if path.is_file() and not path.is_symlink() and path.name != ".git":
            shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    made = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels), str(source)]
    subprocess.run(made, check=True, timeout=patient(120))
    (wheel,) = wheels.glob("*.whl")
    subprocess.run([*pip, "install", *offline, "--target", str(folder), str(wheel)], check=True, timeout=patient(120))
    return Installed(wheel, folder, tmp_path_factory.mktemp("user"))


def test_the_wheel_has_every_file_of_the_app(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        packed = set(wheel.namelist())
    expected = set()
    for name in FOLDERS:
        files = [path for path in (ROOT / name).rglob("*") if path.is_file()]
        ours = [path.relative_to(ROOT).as_posix() for path in files if not MADE(str(path.parent), [path.name])]
        ours = [each for each in ours if "__pycache__" not in each and not each.startswith("checkpoints/runs/")]
        assert ours, name
        expected |= set(ours if name in ("core", "lab") else [f"architecture_lab/{each}" for each in ours])
    assert {each for each in packed if ".dist-info/" not in each} == {*expected, "architecture_lab/streamlit_app.py"}
    assert {"core/py.typed", "lab/py.typed"} <= packed


def test_it_needs_what_the_requirements_name(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        needed = Parser().parsestr(wheel.read(name).decode()).get_all("Requires-Dist")
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert needed == [line for line in lines if line and not line.startswith("#")]


def test_its_command_does_what_python_m_lab_does(installed: Installed) -> None:
    told = json.loads(installed.run(installed.command, "steps", "--json"))
    here = [sys.executable, "-m", "lab", "steps", "--json"]
    assert told == json.loads(subprocess.run(here, cwd=ROOT, capture_output=True, check=True).stdout)


def test_every_page_opens_from_there_and_it_keeps_nothing_beside_its_code(installed: Installed) -> None:
    told = installed.run(sys.executable, "-c", OPEN_EVERY_PAGE, str(patient(60)))
    failed, pages, code, own = json.loads(told.splitlines()[-1])
    assert failed == []
    assert pages == sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "pages").glob("*/*.py"))
    assert all(Path(each).is_relative_to(installed.folder) for each in code), code
    kept = installed.user / "architecture-lab"
    assert [Path(each) for each in own] == [kept / "runs", kept / "data", kept / ".streamlit" / "secrets.toml"]
    assert (kept / "runs" / "runs.sqlite3").exists()


def test_alone_its_command_opens_the_app(installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(installed.folder))
    with serving(tmp_path, root=installed.user, command=[installed.command]) as server:
        told = (server.home / "app.log").read_text(encoding="utf-8")
    assert re.search(rf"URL: {server.address}\b", told)
    assert "static folder" not in told, "Streamlit misses a folder that it serves"


def test_in_a_checkout_all_is_in_one_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAB_HOME")
    monkeypatch.delenv("LAB_DATA")
    assert places.CODE == places.APP == places.OWN == ROOT
    assert lab_home() == ROOT / "checkpoints" / "runs"
    assert data_root() == ROOT / "data"
    assert SECRETS == ROOT / ".streamlit" / "secrets.toml"
