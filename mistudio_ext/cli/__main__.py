"""``python -m mistudio_ext.cli`` is ``jupyter mistudio``."""

import sys

from mistudio_ext.cli.main import main

sys.exit(main())
