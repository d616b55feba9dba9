"""A folder that is watched, with what tapewatch's intake makes of the files in it."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from structlog.typing import EventDict

from support_ledger import captured_log, parameters
from support_service import done
from tapewatch.fitsfile.inspection import inspect
from tapewatch.ledger import FrameRecord, Ledger
from tapewatch.service.inspector import Inspector
from tapewatch.service.intake import Intake

AGES = 1000  # seconds: longer than any test


@dataclass
class Camera:
    """A folder that is watched, its ledger, and tapewatch's intake as often as it is started."""

    folder: Path
    ledger: Ledger
    keys: dict[str, object] = field(default_factory=dict)
    lines: list[EventDict] = field(default_factory=list)

    def start(self, *, patient: bool = True, local: bool = True, **keys: object) -> Intake:
        """Start the intake, anew, with these keys of tape.par."""
        self.keys = {"SETTLE": 0, "STALL": AGES, **self.keys, **keys}
        log, self.lines = captured_log()
        inspector = Inspector(partial(done, inspect), lambda: None)
        read = parameters(self.folder, **self.keys)
        return Intake(read, self.ledger, log, inspector, local=local, patient=patient)

    def frame(self, path: str) -> FrameRecord:
        """Give what the ledger holds of a frame."""
        (record,) = self.ledger.frames(path)
        return record

    def states(self) -> dict[str, str]:
        """Give the state of every frame known."""
        return {record.path: str(record.state) for record in self.ledger.frames()}
