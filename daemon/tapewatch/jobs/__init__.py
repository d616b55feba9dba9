"""What workers do: plain functions with plain arguments that read, compute, write and report."""

from tapewatch.jobs.perform import perform
from tapewatch.jobs.workplace import Workplace

__all__ = ["Workplace", "perform"]
