"""The daemon itself: start-up, main loop, shutdown, and its log."""
