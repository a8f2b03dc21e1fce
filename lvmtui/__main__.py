"""`python -m lvmtui` is `lvmtui`: how the program starts itself again as a supervisor or a worker."""

import sys

from lvmtui.cli import main

sys.exit(main())
