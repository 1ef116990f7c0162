"""The viewer: PySide6 and VTK, nowhere else."""
