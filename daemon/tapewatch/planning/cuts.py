"""Which part of a master belongs to a frame that was read out through a smaller window."""

from tapewatch.model import Detector


def cut_of(master: Detector, frame: Detector) -> tuple[int, int] | None:
    """Tell where in a master a frame's pixels are.

    Parameters
    ----------
    master : Detector
        How the master's frames were read out: the whole detector, or a larger window.
    frame : Detector
        How the frame was read out. Smaller than the master, it must name its window: without one
        (or with one that begins at (0, 0), which says the same) nobody knows where it lies.

    Returns
    -------
    tuple of int or None
        (y, x) of the frame's first pixel, counted from 0 in the master, both binned; None where
        camera or binning differ, or the master does not hold all pixels of the frame. Settings of
        the read-out are not compared.
    """
    if (master.camera, master.binning) != (frame.camera, frame.binning):
        return None
    if (master.shapes, master.window) == (frame.shapes, frame.window):
        return 0, 0
    if frame.window == (0, 0) or master.further or frame.further:
        return None
    x, y = (ours - theirs for ours, theirs in zip(frame.window, master.window, strict=True))
    (height, width), (rows, columns) = master.shape, frame.shape
    inside = x >= 0 and y >= 0 and y + rows <= height and x + columns <= width
    return (y, x) if inside else None
