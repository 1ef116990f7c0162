"""The window and its actions."""
