"""Data sets from an archive of CTs with structure sets: finding, names, de-identification, inspection, checks."""
