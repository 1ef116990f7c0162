"""Inference: contours of a CT by the networks of a package."""
