"""Inference: a CT and a package in, contours out."""
