"""What workers do: plain functions with plain arguments that read, compute, write and report."""
