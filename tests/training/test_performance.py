import logging
import sys

import pytest
import torch
from torch import nn

from vae_lightning.training import performance


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is the GNU C library's")
def test_the_allocator_is_tuned_and_logs_it(caplog):
    with caplog.at_level(logging.DEBUG, logger=performance.__name__):
        kept = performance.tune_malloc()
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert kept == ("keeps freed memory" in record.message)


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(performance.ctypes, "CDLL", lambda _: object())
    assert performance.tune_malloc() is False


def test_networks_compile_in_place_and_keep_the_names_of_their_weights():
    model = nn.Module()
    model.encoder, model.posterior, model.decoder = nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 3)
    names = list(model.state_dict())
    performance.compile_networks(model, "default")
    assert list(model.state_dict()) == names
    assert all(part._compiled_call_impl is not None for part in model.children())


def test_the_profiler_that_measures_nothing_lets_errors_through():
    with pytest.raises(ZeroDivisionError), performance.NullProfiler().profile("anything"):
        torch.tensor(1 // 0)
