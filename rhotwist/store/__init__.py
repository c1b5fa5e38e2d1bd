"""Everything on disk: databases, private files, the data folder. Synchronous; only ``service`` imports it."""
