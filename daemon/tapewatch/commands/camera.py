"""The simulated camera's FITS files: headers in the words of a camera program, and the bytes.

The cards follow files of MaxIm DL 6 driven by ACP, and the frames that TAPE was written for.
"""

import numpy as np
from numpy.typing import NDArray

from tapewatch.commands.night import Exposure, Fault, Night
from tapewatch.commands.pointing import Place, Pointing, point
from tapewatch.commands.sky import GAIN, pixels
from tapewatch.model import Kind

Value = bool | int | float | str
Card = tuple[str, Value, str]

BLOCK = 2880  # bytes; a FITS file is made of such blocks (FITS standard 4.0, section 3.1)
SITE = Place(longitude=127.447, latitude=34.527)
TARGETS = {
    "M13": ("16 41 41.00", "+36 27 35.0", Place(250.42083, 36.45972)),
    "hat-p-12b": ("13:57:33.5", "+43:29:37", Place(209.38958, 43.49361)),
}
SET_POINT = -25.0  # degrees C
WANDER = 0.1  # degrees C that the sensor strays from it at most
PIXEL_SIZE = 13.0  # micrometres, unbinned
FOCAL_LENGTH = 4470.8  # millimetres
_TEMPERATURE = 5  # stream of random numbers, beside those of the pixels
_MAXIM_TYPES = {
    Kind.BIAS: "Bias Frame",
    Kind.DARK: "Dark Frame",
    Kind.FLAT: "Flat Field",
    Kind.OBJECT: "Light Frame",
}


def fits_bytes(night: Night, exposure: Exposure, extra: tuple[Card, ...] = ()) -> bytes:
    """Return the complete file of one exposure.

    Parameters
    ----------
    night : Night
        Camera, dialect and seed.
    exposure : Exposure
        One of the night's.
    extra : tuple of Card
        Cards to append, as a plate solver does.

    Returns
    -------
    bytes
        A primary image of 16 bits with BZERO 32768, filled up to whole blocks.
    """
    image = pixels(night, exposure)
    header = _header_bytes((*cards(night, exposure, image), *extra))
    data = np.subtract(image, 32768, dtype=np.int32).astype(">i2").tobytes()
    return header + data + bytes(-len(data) % BLOCK)


def cards(night: Night, exposure: Exposure, image: NDArray[np.uint16]) -> tuple[Card, ...]:
    """Return the header in the night's dialect.

    Parameters
    ----------
    night, exposure : Night, Exposure
        What was taken.
    image : ndarray
        (ny, nx) uint16, ADU: its pixels, for the display levels that MaxIm notes.

    Returns
    -------
    tuple of Card
        Keyword, value, comment; the structure of the file first.
    """
    sky_position = TARGETS[night.target][2]
    pointing = point(sky_position, SITE, exposure.date_obs)
    if night.dialect == "maxim":
        dialect = _maxim(night, exposure, pointing, image)
    else:
        dialect = _tape(night, exposure, pointing)
    untyped = exposure.fault is Fault.NOTYPE
    kept = tuple(card for card in dialect if not (untyped and card[0] == "IMAGETYP"))
    return (*_structure(night), *kept)


def solver_cards(night: Night, exposure: Exposure) -> tuple[tuple[Card, ...], tuple[Card, ...]]:
    """Return what a plate solver adds to the header when it comes first, and the second time.

    Parameters
    ----------
    night, exposure : Night, Exposure
        The frame that is solved.

    Returns
    -------
    tuple of tuple of Card
        A HISTORY line; then the same and a world coordinate system.
    """
    position = TARGETS[night.target][2]
    ny, nx = night.shape
    scale = np.degrees(PIXEL_SIZE * 1e-3 / FOCAL_LENGTH).item() * night.binning
    visited: Card = ("HISTORY", f"File was processed by PinPoint after {exposure.date_obs}", "")
    solution: tuple[Card, ...] = (
        ("EQUINOX", 2000.0, "Equatorial coordinates are J2000"),
        ("CTYPE1", "RA---TAN", "X-axis coordinate type"),
        ("CRVAL1", position.longitude, "X-axis coordinate value"),
        ("CRPIX1", nx / 2, "X-axis reference pixel"),
        ("CTYPE2", "DEC--TAN", "Y-axis coordinate type"),
        ("CRVAL2", position.latitude, "Y-axis coordinate value"),
        ("CRPIX2", ny / 2, "Y-axis reference pixel"),
        ("CD1_1", -scale, "Change in RA---TAN along X-Axis"),
        ("CD1_2", 0.0, "Change in RA---TAN along Y-Axis"),
        ("CD2_1", 0.0, "Change in DEC--TAN along X-Axis"),
        ("CD2_2", scale, "Change in DEC--TAN along Y-Axis"),
        ("HISTORY", "WCS added by PinPoint (simulated)", ""),
        ("PLTSOLVD", True, "Plate has been solved by PinPoint"),
    )
    return (visited,), (visited, *solution)


def _structure(night: Night) -> tuple[Card, ...]:
    ny, nx = night.shape
    return (
        ("SIMPLE", True, ""),
        ("BITPIX", 16, "8 unsigned int, 16 & 32 int, -32 & -64 real"),
        ("NAXIS", 2, "number of axes"),
        ("NAXIS1", nx, "fastest changing axis"),
        ("NAXIS2", ny, "next to fastest changing axis"),
        ("BSCALE", 1.0, "physical = BZERO + BSCALE*array_value"),
        ("BZERO", 32768.0, "physical = BZERO + BSCALE*array_value"),
    )


def _tape(night: Night, exposure: Exposure, pointing: Pointing) -> tuple[Card, ...]:
    right_ascension, declination, _ = TARGETS[night.target]
    # There the sequence of the last darks gives the flats their OBJECT too; and every frame has
    # a FILTER, whatever stands in the beam.
    last_dark = night.dark_exposures[-1] if night.dark_exposures else 0.0
    names = {
        Kind.BIAS: "bias",
        Kind.DARK: f"dark{exposure.exptime:.0f}",
        Kind.FLAT: f"dark{last_dark:.0f}",
        Kind.OBJECT: exposure.object,
    }
    return (
        ("IMAGETYP", str(exposure.kind), "type of image"),
        ("OBJECT", names[exposure.kind], "name of object"),
        ("DATE-OBS", exposure.date_obs, "start of exposure, UTC"),
        ("EXPTIME", exposure.exptime, "exposure time, seconds"),
        ("FILTER", exposure.filter or night.filters[0], "filter name"),
        ("XBINNING", night.binning, "binning factor in x"),
        ("YBINNING", night.binning, "binning factor in y"),
        ("EGAIN", GAIN, "electrons per ADU"),
        ("RA", right_ascension, "right ascension"),
        ("DEC", declination, "declination"),
        ("ALT", round(pointing.altitude, 4), "altitude, degrees"),
        ("AZ", round(pointing.azimuth, 4), "azimuth, degrees"),
        ("AIRMASS", round(pointing.airmass, 5), "airmass at start"),
        ("HJD", round(pointing.hjd, 7), "heliocentric Julian date at start"),
    )


def _maxim(
    night: Night, exposure: Exposure, pointing: Pointing, image: NDArray[np.uint16]
) -> tuple[Card, ...]:
    black, white = np.percentile(image[::8, ::8], (25, 99))
    pixel_size = PIXEL_SIZE * night.binning
    frame_type = _MAXIM_TYPES[exposure.kind]
    filter_card: Card = ("FILTER", exposure.filter, "Filter name")
    return (
        ("DATE-OBS", exposure.date_obs, "YYYY-MM-DDThh:mm:ss observation start, UT"),
        ("EXPTIME", exposure.exptime, "Exposure time in seconds"),
        ("EXPOSURE", exposure.exptime, "Exposure time in seconds"),
        ("SET-TEMP", SET_POINT, "CCD temperature setpoint in C"),
        ("CCD-TEMP", _temperature(night, exposure), "CCD temperature at start of exposure in C"),
        ("XPIXSZ", pixel_size, "Pixel Width in microns (after binning)"),
        ("YPIXSZ", pixel_size, "Pixel Height in microns (after binning)"),
        ("XBINNING", night.binning, "Binning factor in width"),
        ("YBINNING", night.binning, "Binning factor in height"),
        ("XORGSUBF", 0, "Subframe X position in binned pixels"),
        ("YORGSUBF", 0, "Subframe Y position in binned pixels"),
        ("READOUTM", "Monochrome", "Readout mode of image"),
        *((filter_card,) if exposure.filter else ()),
        ("IMAGETYP", frame_type, "Type of image"),
        ("FOCALLEN", FOCAL_LENGTH, "Focal length of telescope in mm"),
        ("APTDIA", 508.0, "Aperture diameter of telescope in mm"),
        ("SBSTDVER", "SBFITSEXT Version 1.0", "Version of SBFITSEXT standard in effect"),
        ("SWCREATE", "MaxIm DL Version 6.x (simulated)", "Name of software"),
        ("SITELAT", "34 31 37", "Latitude of the imaging location"),
        ("SITELONG", "127 26 49", "Longitude of the imaging location"),
        ("JD", round(pointing.jd, 8), "Julian Date at start of exposure"),
        ("OBJECT", exposure.object, "Target object name"),
        ("TELESCOP", "", "telescope used to acquire this image"),
        ("INSTRUME", "Simulated Camera", "Detector instrument name"),
        ("OBSERVER", "", ""),
        ("FLIPSTAT", "", ""),
        ("CBLACK", int(black), "Initial display black level in ADUs"),
        ("CWHITE", int(white), "Initial display white level in ADUs"),
        ("PEDESTAL", 0, "Correction to add for zero-based ADU"),
        *(_acp(night, pointing) if exposure.kind is Kind.OBJECT else ()),
    )


def _acp(night: Night, pointing: Pointing) -> tuple[Card, ...]:
    """Return what ACP adds to an object frame."""
    right_ascension, declination, _ = TARGETS[night.target]
    return (
        ("OBJCTALT", round(pointing.altitude, 4), "Altitude of target, degrees"),
        ("OBJCTAZ", round(pointing.azimuth, 4), "Azimuth of target, degrees"),
        ("AIRMASS", round(pointing.airmass, 6), "Airmass (multiple of zenithal airmass)"),
        ("HJD-OBS", round(pointing.hjd, 7), "Heliocentric Julian Date at start"),
        ("RA", right_ascension, "[hms J2000] Target right ascension"),
        ("OBJCTRA", right_ascension, "[hms J2000] Target right ascension"),
        ("DEC", declination, "[dms +N J2000] Target declination"),
        ("OBJCTDEC", declination, "[dms +N J2000] Target declination"),
    )


def _temperature(night: Night, exposure: Exposure) -> float:
    random = np.random.default_rng([night.seed, _TEMPERATURE, exposure.index])
    return round(SET_POINT + random.uniform(-WANDER, WANDER), 6)


def _header_bytes(content: tuple[Card, ...]) -> bytes:
    text = "".join(_card_image(*card) for card in content) + "END".ljust(80)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii")


def _card_image(keyword: str, value: Value, comment: str) -> str:
    """Return the 80 characters of a card in fixed format (FITS standard 4.0, section 4.2)."""
    if keyword == "HISTORY":
        return f"{keyword:8}{value}"[:80].ljust(80)
    match value:
        case bool():
            field = f"{'T' if value else 'F':>20}"
        case str():
            escaped = value.replace("'", "''")
            field = f"'{escaped:8}'".ljust(20)
        case _:
            # Python's repr of an int or float is a FITS number, but for the case of the exponent.
            field = f"{repr(value).upper():>20}"
    remark = f" / {comment}" if comment else ""
    return f"{keyword:8}= {field}{remark}"[:80].ljust(80)
