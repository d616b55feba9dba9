"""The state file: what is known of every frame, master and product."""

from tapewatch.ledger.reading import LedgerReader
from tapewatch.ledger.rows import FrameRecord, MasterRecord
from tapewatch.ledger.writing import Ledger

__all__ = ["FrameRecord", "Ledger", "LedgerReader", "MasterRecord"]
