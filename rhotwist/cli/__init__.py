"""``rho``: what a person types. Nothing here imports Twisted before it is needed: help is there at once."""
