"""How camera programs say the same thing in different words, as data.

To teach tapewatch another program, add its words here: nothing else needs to change. Keywords are
tried in the order given; the first that is present and usable wins.
"""

from tapewatch.model import Kind

# Values of the frame type, as `normalise` leaves them: lower case, single blanks, and without a
# trailing "frame" or "field". MaxIm DL and ACP write "Light Frame" but flats as FLAT, "Flat Field"
# or "Flat Frame"; TAPE's own headers say bias, dark, flat, object.
KIND_OF_TYPE: dict[str, Kind] = {
    "bias": Kind.BIAS,
    "dark": Kind.DARK,
    "flat": Kind.FLAT,
    "light": Kind.OBJECT,
    "object": Kind.OBJECT,
}

TYPE_KEYWORDS = ("IMAGETYP",)
EXPOSURE_KEYWORDS = ("EXPTIME", "EXPOSURE")
FILTER_KEYWORDS = ("FILTER",)
TIME_KEYWORDS = ("DATE-OBS",)
OBJECT_KEYWORDS = ("OBJECT",)
CAMERA_KEYWORDS = ("INSTRUME",)
BINNING_KEYWORDS = (("XBINNING", "YBINNING"),)
WINDOW_KEYWORDS = (("XORGSUBF", "YORGSUBF"),)

# The sensor's reading first, the set-point where there is no plausible reading.
TEMPERATURE_KEYWORDS = ("CCD-TEMP", "SET-TEMP")

# Settings in which frames and masters may not differ, where both name them.
SETTING_KEYWORDS = (
    "GAIN",
    "OFFSET",
    "READOUTM",
    "ROWORDER",
    "FLIPSTAT",
    "BAYERPAT",
    "PEDESTAL",
)


def normalise(text: str) -> str:
    """Frame type as `KIND_OF_TYPE` spells it.

    Parameters
    ----------
    text : str
        Value of a type keyword, as ``Flat Field``.

    Returns
    -------
    str
        ``flat``.
    """
    words = text.lower().split()
    if len(words) > 1 and words[-1] in {"frame", "field"}:
        words.pop()
    return " ".join(words)
