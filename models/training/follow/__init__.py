"""Training of the network that follows corrected slices (`autocontour.models.follow`), on simulated corrections."""
