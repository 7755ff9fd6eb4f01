"""The terminal: what is printed never decides over what is saved, and a signal to stop waits for a good moment."""

import contextlib
import os
import signal
import sys
import tempfile
import threading


class Unbreakable:
    """A text stream that loses what it cannot write: a closed pipe, a full disk, a narrow encoding stop nobody.

    Args:
        stream: the text stream behind it, or None.
    """

    def __init__(self, stream):
        self.stream = stream

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        try:
            self.stream.write(text)
        except UnicodeEncodeError:
            self.write(text.encode(self.stream.encoding, "replace").decode(self.stream.encoding))
        except (OSError, ValueError, RuntimeError, AttributeError):
            pass  # closed; or a signal came amid another print; or there is no stream
        return len(text)

    def isatty(self):
        with contextlib.suppress(ValueError, AttributeError):
            return self.stream.isatty()
        return False

    def flush(self):
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            self.stream.flush()


def say(text):
    """Print a line, where that is possible."""
    print(text, file=Unbreakable(sys.stdout), flush=True)


@contextlib.contextmanager
def unbreakable_output():
    """Make `print` harmless for a whole program, its end included: Python complains of a pipe that is closed there."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(Unbreakable, streams)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = streams
        for stream in streams:
            try:
                stream.flush()
            except OSError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            except (ValueError, AttributeError):
                pass  # closed, or there is none


@contextlib.contextmanager
def signals_handled(handler):
    """Call `handler(number, frame)` on SIGINT, SIGTERM and SIGHUP. Those that are ignored, as under nohup, stay so.

    Yields:
        dict from each of the signals to the handler before, which is put back at the end; empty in another thread than
        the main one.
    """
    previous = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) not in (signal.SIG_IGN, None):
                previous[number] = signal.signal(number, handler)
    try:
        yield previous
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


@contextlib.contextmanager
def deferred_stop():
    """Turn the first signal to stop into an event, which training looks for now and then; the second acts at once."""
    event = threading.Event()

    def handle(number, frame):
        event.set()
        for each, before in previous.items():
            signal.signal(each, before)
        say("\nStopping at the next multiple of 50 iterations …")

    with signals_handled(handle) as previous:
        yield event


def import_tensorflow():
    """Import TensorFlow without the lines that it logs before their level can be set. If it fails, they are shown."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules:
        return
    try:
        errors = os.dup(2)
    except OSError:  # closed
        return
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            import tensorflow  # noqa: F401
        except BaseException:
            log.seek(0)
            os.write(errors, log.read())
            raise
        finally:
            os.dup2(errors, 2)
            os.close(errors)
