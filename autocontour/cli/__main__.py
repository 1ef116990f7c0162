"""``python -m autocontour.cli``."""

import sys

from autocontour.cli import main

sys.exit(main())
