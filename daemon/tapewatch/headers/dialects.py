"""How camera programs say the same thing in different words, as data.

To teach tapewatch another program or observatory, add its words here: nothing else needs to
change. Keywords are tried in the order given, and the first that is present and usable wins;
``HIERARCH ESO DPR TYPE`` is called ``ESO DPR TYPE``. Patterns are regular expressions that must
match the whole text, whatever its case.
"""

import re
from typing import NamedTuple

from tapewatch.model import Kind


class Mark(NamedTuple):
    """A keyword by which a file that is no raw image gives itself away."""

    keyword: str
    pattern: str
    what: str  # it is then, as the reason says: "a stack"


# Keywords that tell the frame type. A word that is unknown is refused, except of the loose ones,
# which mean something else elsewhere: FRAME is a date (Andor Solis) or a number.
TYPE_KEYWORDS = (
    *("IMAGETYP", "OBSTYPE", "IMGTYPE", "ESO DPR TYPE"),
    *("FRAME", "IMTYPE", "EXPTYPE"),
)
LOOSE_TYPE_KEYWORDS = frozenset({"FRAME", "IMTYPE", "EXPTYPE"})

# Values of the frame type, as `normalise` leaves them: lower case, single blanks for commas,
# hyphens and underscores, and without a trailing "frame" or "field".
KIND_OF_TYPE: dict[str, Kind] = {
    **dict.fromkeys(("bias", "zero"), Kind.BIAS),
    "dark": Kind.DARK,
    **dict.fromkeys(("flat", "flatfield", "skyflat", "domeflat", "twiflat"), Kind.FLAT),
    **dict.fromkeys(("sky flat", "dome flat", "twilight flat", "panel flat"), Kind.FLAT),
    **dict.fromkeys(("flat sky", "flat dome", "flat twilight"), Kind.FLAT),  # ESO
    **dict.fromkeys(("darkflat", "flatdark", "dark flat", "flat dark"), Kind.FLATDARK),
    **dict.fromkeys(("light", "object", "science", "target"), Kind.OBJECT),
    **dict.fromkeys(("std", "standard", "expose", "experimental"), Kind.OBJECT),  # ESO, LCO
    "snapshot": Kind.OBJECT,  # N.I.N.A.
}

# Types of frames that have no place in the reduction of images.
SET_ASIDE_TYPES: tuple[tuple[str, str], ...] = (
    (r"master.*", "a master of another program"),
    (r".*(stack|integration).*", "a stack"),
    (r".*lamp.*", "a lamp exposure"),
    (r"arc|comp.*|wave.*", "an arc lamp exposure"),
    (r".*spectr.*|telluric", "a spectrum"),
    (r"focus.*", "a focus exposure"),
    (r"guid.*", "a guide frame"),
    (r"acq.*", "an acquisition frame"),
)

# Where one of these keywords is present, only these values are images of the sky or the dome.
IMAGING_ONLY: tuple[Mark, ...] = (
    Mark("ESO DPR TECH", r"image(,.*)?", "not imaging"),
    Mark("ESO DPR CATG", r"calib|science", "neither calibration nor science"),
)

# An object frame whose OBJECT is one of these, whole, is a flat. Never "contains dark" or
# "contains flat": there are dark nebulae, and TAPE's own flats carry OBJECT dark180.
FLAT_OBJECT = r"(sky|dome|twilight|panel) ?flat"

# Work of other programs: not raw, so neither calibrated nor combined.
_DONE = r"(?!(none|no|f|false|0|unknown|n/a)$).+"
_SEVERAL = r"[2-9]|[1-9]\d+"
FOREIGN_WORK: tuple[Mark, ...] = (
    Mark("CALSTAT", _DONE, "already calibrated"),  # MaxIm DL and many others
    *(  # IRAF's ccdproc, then astropy's
        Mark(keyword, _DONE, "already calibrated")
        for keyword in ("CCDPROC", "ZEROCOR", "DARKCOR", "FLATCOR", "SUBBIAS", "SUBDARK")
    ),
    Mark("RLEVEL", r"[1-9]\d*", "already calibrated"),  # LCO: 0 is raw
    Mark("ESO PRO CATG", _DONE, "a product of ESO's pipeline"),
    Mark("INTEGRAT", _DONE, "a stack"),  # Astro Pixel Processor
    Mark("CALFRAME", _DONE, "a master of another program"),  # Astro Pixel Processor
    *(
        Mark(keyword, _SEVERAL, "a stack")  # Seestar, SBFITSEXT, IRAF, Astro Pixel Processor
        for keyword in ("STACKCNT", "SNAPSHOT", "NCOMBINE", "NUMFRAME")
    ),
    Mark("SOFTWARE", r".*(astro pixel processor|deepskystacker).*", "work of another program"),
)
# The same in any line of HISTORY or COMMENT. "Processed by PinPoint" and "WCS added" are no such
# work: a plate solver leaves the pixels alone.
FOREIGN_LINES: tuple[Mark, ...] = (
    Mark("HISTORY", r"(bias|zero|dark|flat) corrected with .*", "already calibrated"),
    Mark("HISTORY", r"((bias|dark) subtraction|flat field) ?\(.*", "already calibrated"),  # MaxIm
    Mark("HISTORY", r".*auto[- ]?dark subtraction.*", "already calibrated"),  # SBIG
    Mark("HISTORY", r".*\bimagecalibration\b.*", "already calibrated"),  # PixInsight
    Mark("HISTORY", r".*\bimageintegration\b.*", "a stack"),  # PixInsight
    Mark("COMMENT", r"master frame generated .*", "a master of another program"),  # PixInsight
)

# Names (EXTNAME) of image extensions that are no raw images: masks, errors and weights, catalogues,
# previews. All others of a file without a primary image are its mosaic.
NO_RAW_IMAGE = (
    r"mask.*|.*_mask|bpm|bad_?pix.*|dq|data_?quality|err(or)?|var(iance)?|unc(ert.*)?|sigma|rms"
    r"|wht|weight.*|ivar|exp(osure)?_?map|cat(alog.*)?|sky|background|preview|thumb(nail)?"
)

EXPOSURE_KEYWORDS = ("EXPTIME", "EXPOSURE", "EXP", "ELAPTIME")  # seconds
FILTER_KEYWORDS = (
    *("FILTER", "FILTNAM", "FILTNAME", "FILTER1", "FILTERS", "INSFLNAM", "FILT-1"),
    "ESO INS FILT1 NAME",
)
OBJECT_KEYWORDS = ("OBJECT", "OBJNAME", "TARGNAME")
CAMERA_KEYWORDS = ("INSTRUME", "CAMERA", "DETECTOR")

# A date with the time of day first; else a date alone and a time of day beside it. DATE is when
# the file was written, unless it is a mere day (MaxIm DL and PinPoint: '03/05/19').
MOMENT_KEYWORDS = ("DATE-OBS", "DATE-BEG", "DATE_BEG", "UT-OBS")
DAY_KEYWORDS = ("DATE-OBS", "DATE-BEG", "UT-DATE", "DATE")
CLOCK_KEYWORDS = ("TIME-OBS", "UTSTART", "UT", "UTC", "UT-OBS")

# A pair of keywords, or one that holds both numbers: '2 2', '1,1', '2*2'. Without any of them a
# frame counts as unbinned.
BINNING_KEYWORDS: tuple[tuple[str, ...], ...] = (
    ("XBINNING", "YBINNING"),
    ("CCDXBIN", "CCDYBIN"),
    ("CCDBINX", "CCDBINY"),
    ("HBIN", "VBIN"),
    ("ESO DET WIN1 BINX", "ESO DET WIN1 BINY"),
    ("CCDSUM",),
    ("BINNING",),
)
# First pixel of a read-out window, counted from 0 in binned pixels.
WINDOW_KEYWORDS: tuple[tuple[str, ...], ...] = (
    ("XORGSUBF", "YORGSUBF"),
    ("CCDSUBFL", "CCDSUBFT"),
)

# Sections of an image, as [x1:x2,y1:y2]: what is left after the trim, where the level without light
# is; of several amplifiers with their number behind (BIASSEC1; Arcon of CTIO: BSEC11, TSEC21).
DATA_SECTIONS = ("TRIMSEC", "DATASEC")
OVERSCAN_SECTIONS = ("BIASSEC",)
DATA_OF_AMPLIFIER = (*DATA_SECTIONS, "TSEC", "DSEC")
OVERSCAN_OF_AMPLIFIER = (*OVERSCAN_SECTIONS, "BSEC")
AMPLIFIERS = (*(str(amplifier) for amplifier in range(1, 17)), "21", "22")
# ESO: columns before and after the light, then rows; the corner of the amplifier, in x and y.
OUTPUTS_KEYWORD = "ESO DET OUTPUTS"
MARGIN_KEYWORDS = (
    *("ESO DET OUT1 PRSCX", "ESO DET OUT1 OVSCX"),
    *("ESO DET OUT1 PRSCY", "ESO DET OUT1 OVSCY"),
)
CORNER_KEYWORDS = ("ESO DET OUT1 X", "ESO DET OUT1 Y")

# The sensor's readings first, the set-points where there is no plausible reading.
TEMPERATURE_KEYWORDS = (
    *("CCD-TEMP", "CCDTEMP", "CCDATEMP", "TEMPERAT", "TEMPDET", "TEMP"),
    *("SET-TEMP", "CCDSTEMP"),
)

# Gain, e-/ADU. GAIN means that only beside a read noise, as at NOAO and LCO: N.I.N.A. and others
# write a setting of the camera there, and no read noise. ESO's GAIN is in ADU/e-, CONAD in e-/ADU
# (by the noise of EFOSC2's flats, too).
GAIN_KEYWORDS = ("EGAIN", "E-GAIN", "ESO DET OUT1 CONAD", "CCDGAIN")
GAIN_BESIDE_READNOISE = "GAIN"
INVERSE_GAIN_KEYWORDS = ("ESO DET OUT1 GAIN",)
READNOISE_KEYWORDS = ("RDNOISE", "READNOIS", "CCDRON", "ESO DET OUT1 RON")  # e-

# Settings in which frames and masters may not differ, where both name them. GAIN is a setting or
# e-/ADU, as the program likes: frames that differ in either do not go together.
SETTING_KEYWORDS = (
    *("GAIN", "OFFSET", "READOUTM", "ROWORDER", "FLIPSTAT", "BAYERPAT", "PEDESTAL"),
    "ESO DET READ CLOCK",
)


def normalise(text: str) -> str:
    """Frame type as `KIND_OF_TYPE` spells it.

    Parameters
    ----------
    text : str
        Value of a type keyword, as ``Flat Field`` or ``SKY,FLAT``.

    Returns
    -------
    str
        ``flat``, ``sky flat``.
    """
    words = re.sub(r"[\s,_-]+", " ", text.lower()).split()
    if len(words) > 1 and words[-1] in {"frame", "field"}:
        words.pop()
    return " ".join(words)
