"""What frame is this file? The one answer for the daemon and for ``tapewatch check``."""

import os
from dataclasses import replace

from tapewatch.errors import RejectedError
from tapewatch.fitsfile.inspection import Inspection
from tapewatch.headers.classify import classify, is_notebook_product
from tapewatch.headers.stored import pixel_type_of
from tapewatch.model import Frame
from tapewatch.parameters import Parameters
from tapewatch.planning.names import product_path

_LONGEST_NAME = 255  # bytes, on all file systems that matter


def recognise(path: str, inspection: Inspection, parameters: Parameters) -> Frame:
    """Tell what frame a file is.

    Parameters
    ----------
    path : str
        Relative to the watched folder.
    inspection : Inspection
        Of the file; not of a product of our own.
    parameters : Parameters
        BINNING, ALLBIN, INSTRUMENT and TYPERULES.

    Returns
    -------
    Frame
        As its header describes it.

    Raises
    ------
    RejectedError
        The reason why it is none that can be used.
    """
    if is_notebook_product(inspection.header, inspection.bitpix):
        raise RejectedError("a product of TAPE's notebook (DATE-PRC and a float image)")
    frame = classify(
        path,
        inspection.header,
        inspection.shape,
        rules=parameters.typerules,
        instruments=parameters.instruments,
        further=inspection.shapes[1:],
    )
    asked_for = (parameters.binning, parameters.binning)
    if frame.detector.binning != asked_for and not parameters.allbin:
        binning = "x".join(map(str, frame.detector.binning))
        raise RejectedError(f"binning {binning}, BINNING is {parameters.binning}")
    if len(os.fsencode(product_path(path).rpartition("/")[2])) > _LONGEST_NAME:
        raise RejectedError("its name is too long for a product's, which begins with w")
    return replace(frame, pixels=pixel_type_of(inspection.header, inspection.bitpix))
