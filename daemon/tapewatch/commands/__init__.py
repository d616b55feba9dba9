"""What the commands beside the daemon print, and the camera simulator."""
