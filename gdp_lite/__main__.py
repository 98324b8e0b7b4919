"""``python -m gdp_lite``: see `gdp_lite.cli`."""

import sys

from gdp_lite.cli import main

sys.exit(main())
