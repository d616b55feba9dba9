"""What no folder tells: when it all began, and what a person called bad.

The state file holds it; a copy lies in ``.tapewatch/`` of the output folder, for a state file that
is lost does not take it along.
"""

import json
import time
from contextlib import suppress
from pathlib import Path

from tapewatch.errors import OutputError
from tapewatch.fitsfile.atomic import write_text
from tapewatch.ledger import Ledger
from tapewatch.log import Log
from tapewatch.whereabouts import FOLDER, NOTE

_FILE = "keepsake.json"


class Keepsake:
    """The copy of what only the state file tells.

    Parameters
    ----------
    output : Path
        Output folder.
    ledger : Ledger
        Open for writing.
    """

    def __init__(self, output: Path, ledger: Ledger) -> None:
        self._file = output / FOLDER / _FILE
        self._ledger = ledger

    def bring_back(self, log: Log) -> None:
        """Enter what was kept into a ledger that is new; else nothing.

        Parameters
        ----------
        log : Log
            Told where that cannot be read.
        """
        if not self._ledger.is_new or not self._file.exists():
            return
        try:
            kept = json.loads(self._file.read_text())
            with self._ledger.batch():
                for subject, data_hash, why, marked_at in kept["marks"]:
                    self._ledger.bring_back_mark(subject, data_hash, why, float(marked_at))
                self._ledger.first_start(float(kept["first_start"]))
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("ledger.unkept", reason=f"{self._file} cannot be read: {error}")

    def keep(self) -> None:
        """Write down what the ledger says now, where that has changed."""
        if not self._file.with_name(NOTE).exists():
            return  # the output folder is not there, or not as it was
        told = {
            "first_start": self._ledger.first_start(time.time()),
            "marks": self._ledger.all_marks(),
        }
        with suppress(OutputError):  # which others will tell of; the next search tries again
            write_text(self._file, json.dumps(told) + "\n", "keepsake")
