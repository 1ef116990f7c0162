"""The slice views, the 3D view and what they draw."""
