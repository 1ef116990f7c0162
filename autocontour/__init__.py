"""autocontour: automatic contouring for radiotherapy planning."""

from pathlib import Path

__version__ = "0.1.0"

# In a checkout gui/, models/, rtstruct/ and qa/ are next to this folder; in an installed wheel they are inside it.
_CHECKOUT = Path(__file__).resolve().parent.parent
if (_CHECKOUT / "pyproject.toml").exists():
    __path__.append(str(_CHECKOUT))
del Path
