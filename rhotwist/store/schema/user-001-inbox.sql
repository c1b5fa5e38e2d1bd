-- What a user of this machine keeps. One database for all wallets of one data folder.

CREATE TABLE inbox (
    seq INTEGER PRIMARY KEY,                -- order of arrival, from 1
    hash BLOB NOT NULL UNIQUE               -- the message object's hash; a message is kept once, however often it comes
        CHECK (length(hash) = 32),
    received INTEGER NOT NULL,              -- when it was kept, by our clock: seconds since 2020-01-01 UTC
    said INTEGER NOT NULL,                  -- when it was said, by the sender's clock: seconds since 2020-01-01 UTC
    source BLOB NOT NULL                    -- the wallet that signed it: an Ed25519 key
        CHECK (length(source) = 32),
    destination BLOB NOT NULL               -- the wallet of ours that it is for: an Ed25519 key
        CHECK (length(destination) = 32),
    name TEXT,                              -- what the sender calls itself, unproven; NULL if it did not say
    text TEXT NOT NULL,                     -- what it says, as the sender wrote it
    body BLOB NOT NULL,                     -- the signed record whole (rho/said/1), so that it can be proven later
    read INTEGER NOT NULL DEFAULT 0         -- 1 once its owner has seen it
        CHECK (read IN (0, 1))
) STRICT;

CREATE INDEX inbox_by_wallet ON inbox (destination, seq);
