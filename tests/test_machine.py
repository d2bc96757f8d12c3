import logging
import sys

import pytest
import torch
from torch import nn

from vae_lightning import machine


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="mallopt is the GNU C library's")
def test_the_allocator_is_told_and_says_so_at_debug_level(caplog):
    with caplog.at_level(logging.DEBUG, logger=machine.__name__):
        kept = machine.keep_memory()
    (record,) = caplog.records
    assert record.levelno == logging.DEBUG
    assert kept == ("keeps what is freed" in record.message)


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(machine.ctypes, "CDLL", lambda _: object())
    assert machine.keep_memory() is False


def test_networks_compile_in_place_and_keep_the_names_of_their_weights():
    model = nn.Module()
    model.encoder, model.posterior, model.decoder = nn.Linear(3, 2), nn.Linear(2, 2), nn.Linear(2, 3)
    names = list(model.state_dict())
    machine.compile_networks(model, "default")
    assert list(model.state_dict()) == names
    assert all(part._compiled_call_impl is not None for part in model.children())


def test_the_profiler_that_measures_nothing_lets_errors_through():
    with pytest.raises(ZeroDivisionError), machine.NoProfiler().profile("anything"):
        torch.tensor(1 // 0)
