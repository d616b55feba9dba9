"""What must hold of any bytes in the watched folder: from a file to a frame, its names, its cards.

The way is the daemon's own; the fuzzer and the property tests go it with whatever they make up.
"""

import math
import re
from pathlib import Path

from support_ledger import a_master, a_product
from tapewatch.arrival.recognise import recognise
from tapewatch.errors import IncompleteFileError, RejectedError
from tapewatch.fitsfile.inspection import Inspection, inspect
from tapewatch.fitsfile.product import product_cards
from tapewatch.headers import provenance
from tapewatch.headers.cards import CARD_SIZE
from tapewatch.headers.classify import is_own_product
from tapewatch.headers.doubts import exposed_bias, flat_by_name
from tapewatch.headers.sections import readout
from tapewatch.headers.trimmed import trimmed_header
from tapewatch.ledger.rows import read_frame, to_json
from tapewatch.model import BuildMaster, CalibrationFrame, Content, Frame, Kind, MasterNoise
from tapewatch.parameters import Parameters
from tapewatch.planning.names import base_stems, product_path
from tapewatch.planning.sets import find_sets

LONGEST_REASON = 2000  # characters
_NAME = "night/x.fits"
_STEM = re.compile(r"w(bias|(flat)?dark[0-9.]+s|flat[A-Za-z0-9._+-]{1,60})")
_NOW = "2026-03-25T18:00:00"


def look(path: Path, parameters: Parameters) -> Frame | str:
    """Take a file as the daemon does, up to its product's header.

    Parameters
    ----------
    path : Path
        The file.
    parameters : Parameters
        From tape.par.

    Returns
    -------
    Frame or str
        The frame, or the reason why it is none; any other error comes through.
    """
    try:
        inspection = inspect(path)
        if is_own_product(inspection.header):
            return "our own"
        frame = recognise(_NAME, inspection, parameters)
    except (RejectedError, IncompleteFileError) as error:
        return _checked(str(error))
    _is_sound(frame)
    exposed_bias(frame, inspection.header)
    flat_by_name(frame)
    _names_are_safe(frame)
    _cards_are_cards(frame, inspection)
    return frame


def _checked(reason: str) -> str:
    assert 0 < len(reason) <= LONGEST_REASON, len(reason)
    return reason


def _is_sound(frame: Frame) -> None:
    numbers = [frame.exptime, frame.start, frame.temperature, frame.gain, frame.readnoise]
    assert all(math.isfinite(one) for one in numbers if one is not None), frame
    assert frame.exptime >= 0
    detector = frame.detector
    assert min(detector.binning) >= 1
    assert all(min(shape) >= 1 for shape in detector.shapes)
    assert frame.kind is not Kind.OTHER
    text = to_json(frame)
    text.encode()
    assert len(text) < 16 * LONGEST_REASON
    assert read_frame.__wrapped__(text) == frame


def _names_are_safe(frame: Frame) -> None:
    assert product_path(frame.path) == "night/wx.fits"
    if frame.kind is not Kind.OBJECT:
        (one,) = find_sets([CalibrationFrame(frame, "0", 0.0)], 2.0, 18.0)
        (stem,) = base_stems([one])
        assert _STEM.fullmatch(stem), stem


def _cards_are_cards(frame: Frame, inspection: Inspection) -> None:
    header = inspection.header
    cut = trimmed_header(header, readout(header, inspection.shape))
    content = Content(inspection.identity, "0" * 64, inspection.header_hash)
    product = a_product("wx.fits", content)
    told = provenance.of_product(frame, cut, (), product, "0.1", _NOW)
    cards = product_cards(cut, told.cards, told.history)
    if frame.kind is not Kind.OBJECT:
        job = BuildMaster(a_master("0" * 16, frame.kind, filter=frame.filter), (frame,))
        told = provenance.of_master(job, MasterNoise(1), header, "recipe", "0.1", _NOW)
        cards += product_cards(header, told.cards, told.history)
    assert {len(card) for card in cards} == {CARD_SIZE}
