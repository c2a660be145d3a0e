"""The commands that take files from elsewhere, and where what they import is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from core.data.embedded_digits import embedded_digits
from core.errors import ClassError
from lab.cli.parser import main
from lab.runs.person import Person
from lab.server.backup import backup, restore
from lab.studies.imported import delete_imported, imported, may_delete
from lab.studies.shelf import SHIPPED, find

C6 = "c6-steplr-7416"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The shipped C6 under other names, as somebody else saves it."""
    path = tmp_path / "theirs.pt"
    torch.save({f"module.layer{name}": value for name, value in load_file(SHIPPED / f"{C6}.safetensors").items()}, path)
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, object]:
    assert main([*map(str, arguments), "--json"]) == 0
    document: dict[str, object] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.slow
def test_imported_weights_are_a_checkpoint_with_the_accuracy_of_those_that_they_are(
    home: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(capsys, "import", weights, "--name", "Ada's")
    of_it = printed(capsys, "mistakes", found["checkpoint"], "--data", "embedded digits", "--limit", 0)
    of_c6 = printed(capsys, "mistakes", C6, "--data", "embedded digits", "--limit", 0)
    assert of_it["wrong"] == of_c6["wrong"]
    assert printed(capsys, "mistakes", weights, "--data", "embedded digits", "--limit", 0)["wrong"] == of_c6["wrong"]
    assert found["normalisation"] == "mnist"
    assert found["matched"] == "in the order of the names, by shape"

    archive, _ = backup(home, tmp_path / "kept.zip")
    restore(archive, tmp_path / "other")
    assert {path.suffix for path in (tmp_path / "other").glob("imported-ada-s.*")} == {
        ".json",
        ".safetensors",
        ".owner",
    }

    Image.fromarray(np.kron(embedded_digits()[0][0], np.ones((4, 4), np.uint8))).save(tmp_path / "digit.png")
    assert printed(capsys, "predict", tmp_path / "digit.png", "--checkpoint", weights)["digit"] == 0

    (home / "imported-ada-s.owner").write_text("ada's key")
    assert may_delete("imported-ada-s", Person("ada's key"))
    with pytest.raises(ClassError, match="somebody else's"):
        delete_imported("imported-ada-s", Person("another"))
    delete_imported("imported-ada-s", Person("ada's key"))
    assert imported() == ()


def test_code_is_traced_and_kept_as_a_design(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.py"
    path.write_text("net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 26 * 26, 10))\n")
    assert printed(capsys, "trace", path)["parameters"] == 4 * 9 + 4 + 2704 * 10 + 10
    assert printed(capsys, "import", path, "--name", "From code")["design"] == "From code"
    assert (home / "designs" / "From code.json").is_file()


@pytest.mark.parametrize("command", ["import", "trace", "mistakes"])
@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"\x80\x04N.", b"{}", b"x = 1\n", bytes(range(256))])
def test_a_file_that_is_there_is_never_said_to_be_missing(
    command: str, content: bytes, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    status = main([command, str(path)])
    said = capsys.readouterr().err
    assert status == 2 or content == b"{}"
    assert "there is no checkpoint" not in said
    assert "there is no step" not in said
    assert "Traceback" not in said


def test_weights_that_fit_nothing_name_both_numbers_and_what_to_do(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"a.weight": torch.ones(3, 5)}, tmp_path / "odd.pt")
    assert main(["import", str(tmp_path / "odd.pt")]) == 2
    assert "1 tensor with 15 values" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "odd.pt"), "--onto", C6]) == 2
    assert "do not fit the network" in capsys.readouterr().err


def test_a_card_of_before_still_opens_and_an_imported_one_has_no_history() -> None:
    card = find(C6).card
    assert card.imported is None
    assert card.after == f"after {len(card.history)} epochs"
