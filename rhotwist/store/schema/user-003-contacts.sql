-- Whom a user calls what. Names are his own: nobody else sees or proves them.

CREATE TABLE contact (
    name TEXT NOT NULL PRIMARY KEY,         -- 1 to 40 of a-z, 0-9, - and _, a letter or digit first
    wallet BLOB NOT NULL UNIQUE             -- the wallet that goes by it: an Ed25519 key; a wallet has one name
        CHECK (length(wallet) = 32),
    places TEXT NOT NULL,                   -- where it was said to be, NODE@HOST:PORT, the best first, blanks between
    added INTEGER NOT NULL                  -- when it was last told, by our clock: seconds since 2020-01-01 UTC
) STRICT, WITHOUT ROWID;
