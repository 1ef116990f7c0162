"""Answers to clicks: networks that are asked with points, boxes and scribbles on a CT."""

from autocontour.models.prompted.session import Answer, PromptSession, contours_of

__all__ = ["Answer", "PromptSession", "contours_of"]
