"""Random command sequences for two servers: see README.md."""
import importlib
import os


def modules():
    """The modules of this package that make commands, by file name."""
    found = {}
    here = os.path.dirname(os.path.abspath(__file__))
    for name in sorted(os.listdir(here)):
        if name.endswith(".py") and not name.startswith("_"):
            module = importlib.import_module("sequences." + name[:-3])
            if hasattr(module, "commands") and hasattr(module, "NAME"):
                found[name[:-3]] = module
    return found
