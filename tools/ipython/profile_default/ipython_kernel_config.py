"""For `make notebooks`: keep TensorFlow's native log lines out of stored outputs; Python's warnings stay visible."""

c = get_config()  # noqa: F821
c.IPKernelApp.capture_fd_output = False
