"""tapewatch: from a camera's folder to calibrated frames, live."""

__version__ = "0.1.0"
