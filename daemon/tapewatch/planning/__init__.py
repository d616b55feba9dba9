"""Pure functions that decide: what forms a set, which master suits a frame, what to do next."""
