"""Starts ``init`` or a stand-in: ``python -S -E <this file> init|<command> CONFIG [arguments]``."""

import importlib
import os
import sys

PACKAGE_DEPTH = 5  # <root>/mglab/localcloud/machines/inside/__main__.py
sys.path[0] = os.path.abspath(__file__).rsplit(os.sep, PACKAGE_DEPTH)[0]
module = "init" if sys.argv[1] == "init" else "standins"
sys.exit(importlib.import_module(f"mglab.localcloud.machines.inside.{module}").main(sys.argv[1:]))
