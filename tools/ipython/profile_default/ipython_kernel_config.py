"""For `make notebooks`: what stored outputs look like.

TensorFlow's native log lines stay out of them; Python's warnings stay visible. A figure without pixels is stored as
SVG, which is sharp at any size, unless it is large; one with digits as PNG.
"""

from IPython.core import pylabtools

LARGEST = 200_000  # characters of an SVG; a cloud of points has more


def print_one_format(figure, fmt="png", print_figure=pylabtools.print_figure, **options):
    """Print a figure in the format that suits it, and return None for the other."""
    import matplotlib  # when a figure is shown, it is there

    vector = None
    if not any(axis.images for axis in figure.axes):
        with matplotlib.rc_context({"svg.hashsalt": "figure"}):  # the same figure gives the same text
            vector = print_figure(figure, "svg", metadata={"Date": None}, **options)
        vector = vector if len(vector) <= LARGEST else None
    if fmt == "svg":
        return vector
    return None if vector else print_figure(figure, fmt, **options)


pylabtools.print_figure = print_one_format
c = get_config()  # noqa: F821
c.IPKernelApp.capture_fd_output = False
c.InlineBackend.figure_formats = {"svg", "png"}
