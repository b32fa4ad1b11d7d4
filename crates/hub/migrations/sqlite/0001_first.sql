-- The schema of the first release. A migration that was released is never edited; add a file.
--
-- Times are integers in UTC: `*_ms` milliseconds, `t` whole seconds since 1970. Measures are integers, too, because they
-- are small on disk and add up exactly: see src/store/scale.rs.

-- "Main", so that no other program's file is taken for ours.
PRAGMA application_id = 1298229614;

CREATE TABLE plugs (
    mac        TEXT NOT NULL PRIMARY KEY, -- twelve lower-case hex digits
    family     TEXT NOT NULL,
    serial     TEXT,
    address    TEXT NOT NULL,
    model      TEXT,
    name       TEXT UNIQUE,
    room       TEXT,
    metering   TEXT,
    power_on   TEXT,
    relay      TEXT,
    adopted_ms INTEGER NOT NULL,
    seen_ms    INTEGER NOT NULL,
    revision   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Groups, schedules, rules, tariffs. `body` is what people wrote, `state` what the hub remembers of it; both JSON.
CREATE TABLE documents (
    collection TEXT NOT NULL,
    id         TEXT NOT NULL,
    revision   INTEGER NOT NULL,
    body       TEXT NOT NULL,
    state      TEXT NOT NULL,
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Whose history it is. It outlives the plug, so that it goes on when the plug is adopted again. Rows of history carry
-- the small number, not the address: that is a quarter of their size.
CREATE TABLE series (
    id  INTEGER NOT NULL PRIMARY KEY,
    mac TEXT NOT NULL UNIQUE
) STRICT;

-- Where the lifetime total of each stands.
CREATE TABLE lifetimes (
    plug       INTEGER NOT NULL PRIMARY KEY,
    total_wh   INTEGER NOT NULL,
    counter_wh INTEGER,
    at_ms      INTEGER NOT NULL
) STRICT;

CREATE TABLE readings (
    plug       INTEGER NOT NULL,
    at_ms      INTEGER NOT NULL,
    voltage    INTEGER, -- hundredths of a volt
    current    INTEGER, -- milliamperes
    frequency  INTEGER, -- hundredths of a hertz
    power      INTEGER, -- milliwatts
    counter_wh INTEGER,
    energy     INTEGER, -- used since the reading before, in milliwatt-hours
    gap_ms     INTEGER, -- how long before `at_ms` that was
    PRIMARY KEY (plug, at_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE minutes (
    plug     INTEGER NOT NULL,
    t        INTEGER NOT NULL,
    readings INTEGER NOT NULL, -- how many had a power
    power    INTEGER NOT NULL, -- their sum, in milliwatts
    low      INTEGER,
    high     INTEGER,
    energy   INTEGER NOT NULL, -- milliwatt-hours
    PRIMARY KEY (plug, t)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarters (
    plug     INTEGER NOT NULL,
    t        INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    power    INTEGER NOT NULL,
    low      INTEGER,
    high     INTEGER,
    energy   INTEGER NOT NULL,
    PRIMARY KEY (plug, t)
) STRICT, WITHOUT ROWID;
