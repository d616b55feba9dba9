"""Errors that say what to do: try again, set aside, or stop.

Everything that can go wrong with one frame is `Retriable` or `Rejected`; what concerns the whole
daemon is `Fatal`. The message names file, keyword, value and what was expected, for it is what the
observer reads in the log and in ``tapewatch status``.
"""


class TapewatchError(Exception):
    """Base of all errors that tapewatch raises on purpose."""


class RetriableError(TapewatchError):
    """The same work may succeed later: a file still growing, a disk that is full for now."""


class UnreachableFileError(RetriableError):
    """A raw file cannot be opened or read for now: a share's lock, a network that is away."""


class IncompleteFileError(RetriableError):
    """A FITS file is shorter than its own headers say.

    Parameters
    ----------
    message : str
        What is there and what was expected.
    """


class StillPackedError(RetriableError):
    """What is in a compressed file is known only when all of it has been unpacked."""


class BeingUnpackedError(RetriableError):
    """A file is being unpacked elsewhere: ask again when that is done."""


class OutputError(RetriableError):
    """A folder cannot be written for now: its work is held, and no frame is blamed."""


class NoSpaceError(OutputError):
    """The output disk has less free space than MINFREE leaves for others: all work is held."""


class RejectedError(TapewatchError):
    """The frame cannot be used as it is; only a change of the file or of tape.par helps."""


class FatalError(TapewatchError):
    """The daemon cannot go on; `exit_code` is what the process ends with."""

    exit_code = 1


class ParameterError(FatalError):
    """tape.par, or the command line, asks for what cannot be done (exit code 78, EX_CONFIG)."""

    exit_code = 78


class FolderTakenError(FatalError):
    """Another tapewatch holds the folder (exit code 75, EX_TEMPFAIL)."""

    exit_code = 75


class DamagedLedgerError(FatalError):
    """The state file is not what was written, or not there any more: it has to be begun anew."""


class UnwritableLedgerError(FatalError):
    """The state file cannot be written for now: its disk is full, or read-only, or in trouble."""


class MasterLostError(RetriableError):
    """A master's file is gone or was changed by others; it has to be built again.

    Parameters
    ----------
    message : str
        Which file.
    master_id : str
        ID of the master.
    """

    def __init__(self, message: str, master_id: str = "") -> None:
        super().__init__(message, master_id)
        self.master_id = master_id

    def __str__(self) -> str:
        return str(self.args[0])
