"""rhotwist: talk to people and programs by key. Names are loaded when first used, so that importing costs nothing."""

from __future__ import annotations

#: The one place the version is written; setup.cfg and towncrier read it here.
__version__ = "0.1.0"
