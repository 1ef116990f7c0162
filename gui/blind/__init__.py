"""The window of a blind review: contours without their origin, questions, and structures drawn from nothing."""
