"""The panels and bars of the window."""
