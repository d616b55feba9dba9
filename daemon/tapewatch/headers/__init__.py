"""Pure functions that read headers: cards, the dialects of camera programs, and what a frame is."""
