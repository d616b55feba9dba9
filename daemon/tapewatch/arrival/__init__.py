"""How frames come in: hints from the watch, the truth from scans, and whether a file is whole."""
