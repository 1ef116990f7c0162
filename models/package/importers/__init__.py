"""Import of published models: nnU-Net, MONAI bundles, TotalSegmentator. Nothing of theirs is executed."""
