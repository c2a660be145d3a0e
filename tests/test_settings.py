"""The settings: one dataclass from the environment and a file, with errors that name the place and the range."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SettingsError
from lab.settings import Settings, read_settings, secrets_table


def test_the_environment_wins_over_the_file_and_both_over_the_defaults() -> None:
    found = read_settings({"LAB_MOST_EPOCHS": "30"}, {"most_epochs": 40, "most_minutes": 5, "ray_gpus": 0.25})
    assert (found.most_epochs, found.most_minutes, found.ray_gpus) == (30, 5, 0.25)
    assert found.most_parameters == Settings().most_parameters


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_settings({"LAB_MOST_EPOCHS": " "}, {}) == Settings()


@pytest.mark.parametrize(
    ("environment", "table", "message"),
    [
        ({"LAB_MOST_EPOCHS": "0"}, {}, "LAB_MOST_EPOCHS: 0 is outside 1 to 1,000,000,000,000"),
        ({"LAB_MOST_EPOCHS": "many"}, {}, "LAB_MOST_EPOCHS: expected a whole number, got 'many'"),
        ({}, {"most_epochs": 1.5}, r"\[lab\] most_epochs: expected a whole number, got 1.5"),
        ({}, {"most_epochs": True}, r"\[lab\] most_epochs: expected a whole number, got true"),
        ({}, {"most_epoch": 15}, r"\[lab\] 'most_epoch': there is no such setting"),
        ({}, {"ray_address": 5}, r"\[lab\] ray_address: expected a text, got 5"),
        ({"LAB_RAY_GPUS": "nan"}, {}, "LAB_RAY_GPUS: nan is outside 0 to 64"),
        ({}, {"most_parameters": 10**4000}, "most_parameters: a number of 4001 digits is outside 1 to"),
        ({"LAB_CLASS_PASSPHRASE": "open sesame"}, {}, "LAB_CLASS_PASSPHRASE: 11 characters that are no hash"),
    ],
)
def test_what_cannot_be_used_is_said_with_its_place(
    environment: dict[str, str], table: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        read_settings(environment, table)


def test_the_file_s_table_is_read_and_a_broken_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "secrets.toml"
    assert secrets_table(file) == {}
    file.write_text("other = 1\n[lab]\nmost_epochs = 12\n", encoding="utf-8")
    assert secrets_table(file) == {"most_epochs": 12}
    file.write_text("lab = 3\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="has to be a table, got 3"):
        secrets_table(file)
    file.write_text("[lab\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="line 1"):
        secrets_table(file)
