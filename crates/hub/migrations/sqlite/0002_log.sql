-- Past events with their causes, newest last. The number is given by the hub, in the order in which they happened.
CREATE TABLE log (
    id      INTEGER NOT NULL PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    kind    TEXT NOT NULL,
    plug    TEXT, -- as in `plugs`; it outlives the plug
    relay   TEXT,
    cause   TEXT,
    problem INTEGER NOT NULL, -- 1 for what may need attention
    text    TEXT NOT NULL
) STRICT;

CREATE INDEX log_of_plug ON log (plug, id) WHERE plug IS NOT NULL;
CREATE INDEX log_of_problems ON log (id) WHERE problem = 1;

-- Time since which the relay is in its position.
ALTER TABLE plugs ADD COLUMN relay_since_ms INTEGER;
