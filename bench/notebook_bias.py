"""The notebook's master bias, as it stands there: fits.open, print, numpy.median, fits.writeto.

``python bench/notebook_bias.py FOLDER`` combines all ``*.fits`` of the folder into
``notebook/wbias.fits`` in it. It is what `master_bias.py` measures tapewatch against.
"""

import sys
import time
from pathlib import Path

import numpy as np
from astropy.io import fits


def main(folder: Path) -> None:
    """Combine the bias frames of a folder.

    Parameters
    ----------
    folder : Path
        All its ``*.fits`` are bias frames.
    """
    bias_stack = []
    hdr = fits.Header()
    for file in sorted(folder.glob("*.fits")):
        hdu = fits.open(file)[0]  # never closed, as in the notebook
        dat, hdr = hdu.data, hdu.header
        bias_stack.append(dat)
        _tell(file.name, dat)
    master_bias = np.array(np.median(bias_stack, axis=0), dtype=np.float32)
    _tell("MASTER BIAS", master_bias)
    hdr.set("DATE-PRC", time.strftime("%Y-%m-%dT%H:%M:%S"))
    hdr.set("OBJECT", "wbias")
    (folder / "notebook").mkdir(exist_ok=True)
    fits.writeto(folder / "notebook" / "wbias.fits", master_bias, hdr, overwrite=True)


def _tell(name: str, dat: np.ndarray) -> None:
    print(f"{name:s} {np.mean(dat):8.1f} {np.std(dat):8.1f} {np.max(dat):8.1f} {np.min(dat):8.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
