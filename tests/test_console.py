"""Printing never decides over saving, and signals that are ignored stay ignored."""

import io
import os
import signal

import pytest

from sgan_helpers.console import Unbreakable, deferred_stop, say, signals_handled, unbreakable_output


def broken_pipe():
    """Return a text stream to a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    return open(writing, "w")


def test_what_cannot_be_written_is_lost_and_nothing_else(monkeypatch):
    closed = io.StringIO()
    closed.close()
    full = open("/dev/full", "w")  # noqa: SIM115
    for stream in (broken_pipe(), full, closed, None):
        monkeypatch.setattr("sys.stdout", stream)
        say("a line " * 2000)
        Unbreakable(stream).flush()
        if stream is not None and stream is not closed:
            with pytest.raises(OSError):
                stream.close()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_what_an_encoding_lacks_is_replaced(monkeypatch, encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    monkeypatch.setattr("sys.stdout", stream)
    say("95.0 ± 0.2 … 数")
    printed = stream.buffer.getvalue().decode(encoding)
    assert printed.startswith("95.0 ") and printed.endswith("?\n")


def test_a_program_whose_reader_has_gone_ends_without_a_complaint(monkeypatch):
    stream = broken_pipe()
    monkeypatch.setattr("sys.stdout", stream)
    with unbreakable_output():
        print("nobody reads this")
    stream.close()  # as Python does at its end
    assert __import__("sys").stdout is stream


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_to_stop_waits_and_one_that_is_ignored_stays_so(name, capsys):
    number = getattr(signal, name)
    before = signal.signal(number, lambda *_: None)
    try:
        with deferred_stop() as stop:
            assert not stop.is_set()
            signal.raise_signal(number)
            assert stop.is_set() and "Stopping at the next multiple" in capsys.readouterr().out
        signal.signal(number, signal.SIG_IGN)  # as nohup does
        with signals_handled(lambda *_: pytest.fail("the signal was to be ignored")):
            signal.raise_signal(number)
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_a_handler_may_print_amid_a_print(monkeypatch):
    class Busy(io.StringIO):
        def write(self, text):
            raise RuntimeError("reentrant call inside")

    monkeypatch.setattr("sys.stdout", Busy())
    with deferred_stop() as stop:
        signal.raise_signal(signal.SIGINT)
    assert stop.is_set()
