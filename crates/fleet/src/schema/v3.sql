-- automated: nobody has to be there when it is renewed (docs/radar.md). Worked out with the other columns that follow, so
-- everything is settled anew.
ALTER TABLE inventory ADD COLUMN automated INTEGER NOT NULL DEFAULT 0;
UPDATE inventory_head SET again = 0 WHERE id = 1;
