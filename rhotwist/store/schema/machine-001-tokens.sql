-- What one process remembers of the machines it met. Losing it costs round trips, nothing else.

CREATE TABLE token (
    server BLOB NOT NULL                    -- the node that gave it: an Ed25519 key
        CHECK (length(server) = 32),
    address BLOB NOT NULL                   -- where we reached it: 16 bytes of IP and 2 of port; empty if not known
        CHECK (length(address) IN (0, 18)),
    kind INTEGER NOT NULL,                  -- what it replaces: 1 the cookie, 2 the cookie and the puzzle
    token BLOB NOT NULL                     -- good for one Hello; an observer could link two by it
        CHECK (length(token) = 16),
    expires INTEGER NOT NULL,               -- when the server stops honouring it: seconds since 2020-01-01 UTC
    PRIMARY KEY (server, address, kind)
) STRICT, WITHOUT ROWID;
