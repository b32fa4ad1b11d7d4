-- 1 for a plug that is often unplugged, which is no alert.
ALTER TABLE plugs ADD COLUMN often_unplugged INTEGER NOT NULL DEFAULT 0;
