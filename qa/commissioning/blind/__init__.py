"""Blind review: contours judged without their origin, and structures drawn anew to measure automation bias."""
