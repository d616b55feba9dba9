"""The arithmetic, as pure functions on arrays; numpy is all it imports."""
