-- What our wallets said. A record lies here before it is sent: an address in a conversation is given out once.

CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,                -- order in which they were said, from 1
    source BLOB NOT NULL                    -- the wallet of ours that signed it: an Ed25519 key
        CHECK (length(source) = 32),
    destination BLOB NOT NULL               -- the wallet that it is for: an Ed25519 key
        CHECK (length(destination) = 32),
    position INTEGER NOT NULL               -- the author's count in this conversation, from 0
        CHECK (position >= 0),
    hash BLOB NOT NULL UNIQUE               -- the record's hash
        CHECK (length(hash) = 32),
    said INTEGER NOT NULL,                  -- when, by our clock: seconds since 2020-01-01 UTC
    kept INTEGER,                           -- when the receiver confirmed that it is kept; NULL before
    text TEXT NOT NULL,                     -- what it says
    body BLOB NOT NULL,                     -- the signed record whole
    UNIQUE (source, destination, position)
) STRICT;
