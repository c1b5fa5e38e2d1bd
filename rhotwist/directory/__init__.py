"""Whom to believe: records, which of two stands, what a stranger may cost, bundles."""
