"""For nbval: a kernel that does not answer is started once more, with other ports.

A kernel is told its five ports before it opens them. Where several notebooks start at a time,
another program may take one of them in between: then the kernel lives and never answers, and all
cells of its chapter fail.
"""

import functools

import nbval.kernel

ATTEMPTS = 3


def start_again(start, attempts=ATTEMPTS):
    """Return a function that calls `start` until a kernel answers, `attempts` times at most."""

    @functools.wraps(start)
    def start_patiently(*args, **kwargs):
        for _ in range(attempts - 1):
            try:
                return start(*args, **kwargs)
            except RuntimeError:  # nbval has ended the kernel that did not answer
                pass
        return start(*args, **kwargs)

    return start_patiently


nbval.kernel.start_new_kernel = start_again(nbval.kernel.start_new_kernel)
