-- The directory: what the holders of keys say about where they are. Records and leaves are the truth; buckets, nodes,
-- steps and cells are made from them and written in the same transaction. A sum is the first bytes of BLAKE2b.

CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),  -- there is one row
    store_id BLOB NOT NULL                  -- names this journal to peers; drawn when it begins
        CHECK (length(store_id) = 8),
    epoch INTEGER NOT NULL,                 -- the day whose tree this is: days since 2020-01-01 UTC
    depth INTEGER NOT NULL,                 -- bits of a bucket's number; -1 if the tree is rows of nodes alone
    cells BLOB NOT NULL,                    -- the sketch as it was after the first step that is kept
    sum BLOB NOT NULL                       -- over all that and the sum of the first step
        CHECK (length(sum) = 8)
) STRICT;

CREATE TABLE record (
    seq INTEGER PRIMARY KEY,                -- order of arrival, from 1, never given out twice: peers' cursors count it
    body BLOB NOT NULL,                     -- the record as it is hashed: docs/spec/record.md
    proof BLOB NOT NULL                     -- signature, 64 bytes, and work, 8; behind them a sum over all, 4, because
                                            -- no leaf covers these
) STRICT;

CREATE TABLE leaf (
    address BLOB PRIMARY KEY                -- the record's place in the tree
        CHECK (length(address) = 32),
    hash BLOB NOT NULL                      -- of the leaf: docs/spec/tree.md
        CHECK (length(hash) = 32),
    seq INTEGER NOT NULL,                   -- its record
    day INTEGER NOT NULL                    -- the first day whose tree it is not in: days since 2020-01-01 UTC
) STRICT, WITHOUT ROWID;

CREATE TABLE bucket (
    number INTEGER PRIMARY KEY,             -- the first bits of its leaves' addresses
    count INTEGER NOT NULL,                 -- how many leaves it has, at least 1
    hash BLOB NOT NULL                      -- their root
) STRICT;

CREATE TABLE node (
    bits INTEGER NOT NULL,                  -- how many bits all addresses below begin with
    prefix BLOB NOT NULL,                   -- those bits, zeros behind them
    left_bits INTEGER NOT NULL,             -- the child whose next bit is 0, by the same two; a leaf has 256 bits
    left_prefix BLOB NOT NULL,              -- its address, if it is a leaf
    left_hash BLOB NOT NULL,                -- its hash
    right_bits INTEGER NOT NULL,            -- the child whose next bit is 1
    right_prefix BLOB NOT NULL,             -- its address, if it is a leaf
    right_hash BLOB NOT NULL,               -- its hash
    PRIMARY KEY (bits, prefix)
) STRICT, WITHOUT ROWID;

CREATE TABLE step (
    seq INTEGER PRIMARY KEY,                -- the last number of the journal when a transaction was done
    count INTEGER NOT NULL,                 -- leaves there were then
    root BLOB NOT NULL                      -- their root
        CHECK (length(root) = 32),
    came INTEGER NOT NULL,                  -- how many of ids came into the sketch; the others went
    ids BLOB NOT NULL,                      -- 8 bytes each
    sum BLOB NOT NULL                       -- over the sum of the step before, if that is kept, and all that
        CHECK (length(sum) = 8)
) STRICT;

CREATE TABLE local (
    address BLOB PRIMARY KEY                -- a record that only this node takes, and keeps beside the tree
        CHECK (length(address) = 32),
    body BLOB NOT NULL,                     -- as in record
    proof BLOB NOT NULL                     -- as in record
) STRICT, WITHOUT ROWID;

CREATE TABLE pin (
    address BLOB PRIMARY KEY                -- of a contact: no cap on the directory removes its record
        CHECK (length(address) = 32),
    sum BLOB NOT NULL                       -- 4 bytes, over address
) STRICT, WITHOUT ROWID;

CREATE TABLE peer (
    key BLOB PRIMARY KEY                    -- a node that we compared trees with: an Ed25519 key
        CHECK (length(key) = 32),
    store_id BLOB                           -- its journal's name when we last saw it; NULL before
        CHECK (length(store_id) = 8),
    cursor INTEGER NOT NULL,                -- what we have of its journal
    score REAL NOT NULL,                    -- what it is worth to us, higher is better
    good INTEGER NOT NULL,                  -- records of its that we took
    bad INTEGER NOT NULL,                   -- records and roots of its that were wrong
    first INTEGER NOT NULL,                 -- when we first met it: seconds since 2020-01-01 UTC
    last INTEGER NOT NULL                   -- when it last answered: seconds since 2020-01-01 UTC
) STRICT, WITHOUT ROWID;
