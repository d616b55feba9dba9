"""What is no raw image: other programs' work, and frames of spectrographs and guiders."""

from tapewatch.headers import dialects
from tapewatch.headers.values import Cards, as_text, matches


def foreign_work(header: Cards) -> str:
    """Tell whether another program has changed or made these pixels.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    str
        What it is and what says so, as ``already calibrated: CALSTAT is 'BDF'``; empty for a raw
        frame.
    """
    for mark in dialects.FOREIGN_WORK:
        text = as_text(header.get(mark.keyword))
        if text and matches(mark.pattern, text):
            return f"{mark.what}: {mark.keyword} is '{text}'"
    for keyword in ("HISTORY", "COMMENT"):
        marks = [mark for mark in dialects.FOREIGN_LINES if mark.keyword == keyword]
        for line in map(str.strip, header.lines(keyword)):
            for mark in marks:
                if matches(mark.pattern, line):
                    return f"{mark.what}: {keyword} is '{line}'"
    return ""


def no_image(header: Cards) -> str:
    """Tell whether a frame was taken for something else than imaging.

    Parameters
    ----------
    header : Cards
        Header of the image.

    Returns
    -------
    str
        What it is and what says so, as ``an arc lamp exposure: OBSTYPE is 'ARC'``; empty for an
        image, as far as the header tells.
    """
    for keyword in dialects.TYPE_KEYWORDS:
        if not (text := as_text(header.get(keyword))):
            continue
        word = dialects.normalise(text)
        for pattern, what in dialects.SET_ASIDE_TYPES:
            if matches(pattern, word):
                return f"{what}: {keyword} is '{text}'"
    for mark in dialects.IMAGING_ONLY:
        text = as_text(header.get(mark.keyword))
        if text and not matches(mark.pattern, text):
            return f"{mark.what}: {mark.keyword} is '{text}'"
    return ""
