"""Tests of rhotwist.net."""
