"""What a file that a user names is: a raw frame, or a master."""

from pathlib import Path

from tapewatch.errors import TapewatchError
from tapewatch.ledger import FrameRecord, LedgerReader, MasterRecord
from tapewatch.parameters import Parameters
from tapewatch.parfile import printable


def find_subject(
    ledger: LedgerReader, parameters: Parameters, file: str
) -> FrameRecord | MasterRecord:
    """Find a raw frame, or a master, by the name of a file.

    Parameters
    ----------
    ledger : LedgerReader
        Open.
    parameters : Parameters
        Where frames and products lie.
    file : str
        Path of a raw frame, of its product, of a version of a master or of its plain name: relative
        to the watched or the output folder, to here, or absolute. The file need not be there.

    Returns
    -------
    FrameRecord or MasterRecord
        What the ledger knows of it.

    Raises
    ------
    TapewatchError
        Nothing of that name is known.
    """
    # The folder with all links followed, as WATCHDIR was read; the file may be gone.
    absolute = Path(file).absolute()
    absolute = absolute.parent.resolve() / absolute.name
    roots = (parameters.watchdir, parameters.output)
    tried = [file, *(absolute.relative_to(r).as_posix() for r in roots if r in absolute.parents)]
    for path in tried:
        if found := ledger.frames(path):
            return found[0]
    for path in tried:
        if one := _master(ledger, path) or _raw_of_product(ledger, path):
            return one
    raise TapewatchError(
        f"{printable(file)} is not known: nothing of that name was seen in {parameters.watchdir}"
    )


def _master(ledger: LedgerReader, path: str) -> MasterRecord | None:
    """Find a master by its file, or by the plain name that it has now."""
    folder, _, name = path.rpartition("/")
    plain = ledger.names(folder).get(name)
    for one in ledger.masters():
        if one.master.path == path or one.master.id == plain:
            return one
    return None


def _raw_of_product(ledger: LedgerReader, path: str) -> FrameRecord | None:
    for raw, product in ledger.products().items():
        if product == path:
            return ledger.frames(raw)[0]
    return None
