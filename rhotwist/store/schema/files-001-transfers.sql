-- Files on their way between wallets of this data folder and others. What it says of parts is a hint: every part that a
-- restart finds here is hashed again before it counts.

CREATE TABLE transfer (
    number INTEGER PRIMARY KEY AUTOINCREMENT, -- what its owner calls it, from 1; never given out twice
    outgoing INTEGER NOT NULL               -- 1 if we send it
        CHECK (outgoing IN (0, 1)),
    id BLOB NOT NULL                        -- what the two processes call it; the sender drew it
        CHECK (length(id) = 16),
    source BLOB NOT NULL                    -- the wallet that sends it: an Ed25519 key
        CHECK (length(source) = 32),
    destination BLOB NOT NULL               -- the wallet that it is for: an Ed25519 key
        CHECK (length(destination) = 32),
    root BLOB NOT NULL                      -- the RFC 6962 root over its parts
        CHECK (length(root) = 32),
    name TEXT NOT NULL,                     -- what the file is called: a plain name
    total INTEGER NOT NULL                  -- bytes
        CHECK (total >= 0),
    part INTEGER NOT NULL                   -- bytes of a part
        CHECK (part > 0),
    state TEXT NOT NULL                     -- offered until its receiver's owner takes it; the last two are ends
        CHECK (state IN ('offered', 'going', 'paused', 'done', 'cancelled')),
    why TEXT NOT NULL DEFAULT '',           -- why it is not going, for people
    place TEXT NOT NULL DEFAULT '',         -- outgoing: the file; incoming: the folder it will lie in, then its path
    at TEXT NOT NULL DEFAULT '',            -- outgoing: NODE@HOST:PORT of the receiver's process
    gentle INTEGER NOT NULL DEFAULT 0       -- outgoing: 1 if all else on the line goes first
        CHECK (gentle IN (0, 1)),
    begun INTEGER NOT NULL,                 -- seconds since 2020-01-01 UTC
    ended INTEGER,                          -- when it became done or cancelled; NULL before
    have BLOB NOT NULL,                     -- a bit for each part that the receiver has, bit 0 the lowest of byte 0
    plan BLOB,                              -- docs/spec/files.md; NULL until it is whole, and after the end
    UNIQUE (outgoing, source, destination, id)
) STRICT;

CREATE TABLE page (
    number INTEGER NOT NULL                 -- the transfer whose plan this is a piece of, until the plan is whole
        REFERENCES transfer (number),
    page INTEGER NOT NULL,                  -- from 0
    data BLOB NOT NULL,                     -- the bytes of that piece
    PRIMARY KEY (number, page)
) STRICT, WITHOUT ROWID;
