-- What was said between two wallets: of each conversation every record that is held, of whichever author.

CREATE TABLE conversation (
    id INTEGER PRIMARY KEY,                 -- counts them in the order in which they began here
    name BLOB NOT NULL UNIQUE               -- SHA-256("rho/conv/1", lower key, higher key)
        CHECK (length(name) = 32),
    lower BLOB NOT NULL                     -- the wallet with the lower key: an Ed25519 key
        CHECK (length(lower) = 32),
    higher BLOB NOT NULL                    -- the other
        CHECK (length(higher) = 32 AND lower < higher),
    pair BLOB NOT NULL                      -- the pair hash that all its records carry
        CHECK (length(pair) = 32),
    changes INTEGER NOT NULL DEFAULT 0      -- counts what was written to it, so that what is in memory is known as stale
) STRICT;

CREATE TABLE said (
    conversation INTEGER NOT NULL           -- the row of the conversation that it belongs to
        REFERENCES conversation (id),
    address BLOB NOT NULL                   -- u64, big-endian: the author's bit and his own count, from 0
        CHECK (length(address) = 8),
    hash BLOB NOT NULL                      -- the record's hash; two at one address are a fork, and both are kept
        CHECK (length(hash) = 32),
    body BLOB NOT NULL,                     -- the signed record whole (rho/said/1)
    PRIMARY KEY (conversation, address, hash)
) STRICT, WITHOUT ROWID;

-- What inbox and outbox hold already. A record begins with its conversation (32), address (8) and pair hash (32).
INSERT OR IGNORE INTO conversation (name, lower, higher, pair)
    SELECT substr(body, 1, 32), min(source, destination), max(source, destination), substr(body, 41, 32)
    FROM (SELECT source, destination, body FROM inbox UNION ALL SELECT source, destination, body FROM outbox)
    WHERE length(body) > 182 AND source <> destination;

INSERT OR IGNORE INTO said (conversation, address, hash, body)
    SELECT conversation.id, substr(body, 33, 8), hash, body
    FROM (SELECT hash, body FROM inbox UNION ALL SELECT hash, body FROM outbox)
    JOIN conversation ON conversation.name = substr(body, 1, 32)
    WHERE length(body) > 182;
