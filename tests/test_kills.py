"""Workers and the app are killed while runs train, a few times here: `python -m tests.kills` does it 200 times."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kills import rampage

pytestmark = pytest.mark.own_data


@pytest.mark.slow
def test_no_kill_of_a_worker_or_of_the_app_loses_a_run_or_changes_its_weights(tmp_path: Path) -> None:
    report = rampage(tmp_path, kills=5, seed=1, share_of_app=0.4, share_of_stops=0.5, longest_stop=2)
    assert report.kills == 5
    assert report.stops + report.worker_kills >= 1  # which of the two, the machine's speed decides
    assert report.app_kills >= 1
    assert report.runs >= 1
    assert report.well, report
