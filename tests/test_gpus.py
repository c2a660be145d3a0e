"""What the pages and the queue do where there are GPUs: told by the machine file, for none need be here."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lab.experiment.train.previews import OTHERS
from lab.runs.machine import Machine, write_machine
from tests.patience import patient

pytestmark = pytest.mark.own_data


def preview() -> None:
    import streamlit as st

    from core.architecture.trace import classifier
    from core.data.mnist import EMBEDDED
    from core.training.recipe import Recipe
    from lab.experiment.train.previews import before_a_run
    from tests.tiny import TINY

    before_a_run(classifier(TINY), Recipe(epochs=1), EMBEDDED, st.query_params["device"])


def test_the_preview_of_a_gpus_run_says_that_the_gpu_draws_other_images(home: Path) -> None:
    page = AppTest.from_function(preview, default_timeout=patient(60))
    said = {}
    for devices in ((), ("cpu",), ("mps", "cpu"), ("cuda", "cpu")):
        if devices:
            write_machine(Machine(devices, devices, "2", 2), home)
        for device in ("auto", *devices):
            page.query_params["device"] = device
            assert not page.run().exception
            said[devices, device] = OTHERS in [each.value for each in page.caption]
    assert [each for each, told in said.items() if told] == [
        (("mps", "cpu"), "auto"),
        (("mps", "cpu"), "mps"),
        (("cuda", "cpu"), "auto"),
        (("cuda", "cpu"), "cuda"),
    ]
