"""What the window works on, and work beside it."""
