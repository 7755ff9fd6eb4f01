"""Chapters under nbval: a kernel that does not answer is started again."""

import importlib.util
import os
import socket

import nbval.kernel
import pytest
from book_files import ROOT
from jupyter_client import KernelManager


@pytest.fixture
def start(monkeypatch):
    """The function by which nbval starts a kernel, as notebooks/conftest.py leaves it."""
    monkeypatch.setattr(nbval.kernel, "start_new_kernel", nbval.kernel.start_new_kernel)
    spec = importlib.util.spec_from_file_location("chapters_conftest", ROOT / "notebooks" / "conftest.py")
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return nbval.kernel.start_new_kernel


class TakenPort(KernelManager):
    """A kernel manager whose first `left` kernels find the port of their output taken: they live, and are silent."""

    left = 0
    port = None

    def start_kernel(self, **kwargs):
        if TakenPort.left:
            TakenPort.left -= 1
            self.cache_ports, self.iopub_port = False, TakenPort.port
        return super().start_kernel(**kwargs)


@pytest.fixture
def taken(monkeypatch):
    monkeypatch.setattr(nbval.kernel, "KernelManager", TakenPort)
    with socket.socket() as other, open(os.devnull, "w") as nowhere:
        other.bind(("127.0.0.1", 0))
        TakenPort.port = other.getsockname()[1]
        yield {"kernel_name": "python3", "startup_timeout": 5, "stderr": nowhere}


def test_a_kernel_whose_port_was_taken_is_started_again(start, taken):
    TakenPort.left = 1
    manager, client = start(**taken)
    try:
        assert manager.is_alive()
        assert TakenPort.left == 0
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_what_never_answers_is_said_in_the_end(start, monkeypatch):
    def never(**kwargs):
        attempts.append(kwargs)
        raise RuntimeError("Kernel died before replying to kernel_info")

    attempts = []
    with pytest.raises(RuntimeError, match="Kernel died"):
        start.__globals__["start_again"](never)(kernel_name="python3")
    assert attempts == [{"kernel_name": "python3"}] * 3
