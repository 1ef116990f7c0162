"""Contours that follow corrected slices: from a few slices of a structure that a person drew, all the others."""
