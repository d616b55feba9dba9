"""Fixtures that all tests share, and how hypothesis works here."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# Real frames of many cameras; they lie beside the checkout where they are at hand at all.
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

# A shared machine may be slow at any moment (no deadline); a check of a change must say the same
# twice (derandomised).
settings.register_profile(
    "tapewatch", deadline=None, max_examples=50, derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("tapewatch")

# Where a shell runs this in its background Ctrl-C is ignored, and would be by all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def real_frames(folder: str = "") -> Path:
    """Folder of real frames, read-only; the test is skipped where it is absent."""
    path = REAL_DATA / folder
    if not path.is_dir():
        pytest.skip(f"real frames not here: ../shared/data/{folder}")
    return path


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real frames of many cameras and programs. Never write there."""
    return real_frames()


@pytest.fixture(scope="session")
def arcsat() -> Path:
    """One night's frames of the ARCSAT 0.5-m telescope (MaxIm DL 6, ACP). Never write there.

    3 bias, 3 dark, 12 flats in 4 filters and 12 lights of M 13.
    """
    return real_frames("arcsat-m13-maxim6-acp")
