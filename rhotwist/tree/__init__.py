"""Which set of records: trees over hashes, and proofs that something stands in one."""
