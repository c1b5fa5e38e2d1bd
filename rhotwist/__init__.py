"""rhotwist: talk to people and programs by key. Names are loaded when first used, so that importing costs nothing."""

from __future__ import annotations
