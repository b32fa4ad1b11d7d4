-- Several hubs that share the database of a site: which of them acts, which there are, and what was done. Times of these tables are
-- by the database's clock alone.

CREATE TABLE lease (
    is_only       BOOLEAN NOT NULL PRIMARY KEY DEFAULT true CHECK (is_only), -- there is one row
    holder        TEXT,                 -- id of the active hub; null when it has ended
    number        BIGINT NOT NULL,      -- the fencing number, which rises with each change of the holder
    until         TIMESTAMPTZ NOT NULL,
    secret        TEXT NOT NULL,        -- by which the hubs recognise requests of each other
    oldest_schema BIGINT NOT NULL       -- programs that know this version of the schema may still use the database
);
INSERT INTO lease (number, until, secret, oldest_schema)
    VALUES (0, now(), replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 2);

CREATE TABLE hubs (
    id          TEXT NOT NULL PRIMARY KEY,
    url         TEXT NOT NULL,
    version     TEXT NOT NULL,
    role        TEXT NOT NULL,
    seen        TIMESTAMPTZ NOT NULL,
    reaches     BOOLEAN,        -- whether it reaches the plugs; null when it does not know
    certificate TEXT,           -- SHA-256 of its certificate, in hex; null without TLS
    summary     JSONB NOT NULL  -- figures of the active hub for the other sites
);

CREATE TABLE claims (
    kind   TEXT NOT NULL, -- 'schedule' or 'rule'
    id     TEXT NOT NULL,
    due_ms BIGINT NOT NULL,
    number BIGINT NOT NULL, -- the fencing number of the hub that does it
    at     TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (kind, id, due_ms)
);

-- A hub that has lost its lease, perhaps without knowing it, changes nothing that the active hub holds in memory. The connections of
-- an active hub carry its fencing number.
CREATE FUNCTION check_lease() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    held TEXT := current_setting('mains.lease', true);
BEGIN
    IF held <> '' AND NOT EXISTS (SELECT FROM lease WHERE number = held::bigint) THEN
        RAISE EXCEPTION 'another hub of this site is active now (lease % was lost)', held;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION tell_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('mains', TG_TABLE_SCHEMA || ' ' || TG_TABLE_NAME);
    RETURN NULL;
END $$;

CREATE TRIGGER check_lease BEFORE INSERT OR UPDATE OR DELETE ON plugs FOR EACH STATEMENT EXECUTE FUNCTION check_lease();
CREATE TRIGGER check_lease BEFORE INSERT OR UPDATE OR DELETE ON documents FOR EACH STATEMENT EXECUTE FUNCTION check_lease();
CREATE TRIGGER check_lease BEFORE INSERT OR UPDATE OR DELETE ON settings FOR EACH STATEMENT EXECUTE FUNCTION check_lease();
CREATE TRIGGER check_lease BEFORE INSERT OR UPDATE OR DELETE ON log FOR EACH STATEMENT EXECUTE FUNCTION check_lease();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON plugs FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON documents FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
CREATE TRIGGER tell_change AFTER INSERT OR UPDATE OR DELETE ON settings FOR EACH STATEMENT EXECUTE FUNCTION tell_change();
