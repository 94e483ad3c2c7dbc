-- +goose Up

-- The turn of a look among those that are due at its account: 0 somebody waits, 1 a new sale, 2 a young one, 3 the rest. A claim reads
-- looks_due lane by lane, from its newest or its oldest end, and stops when it has enough: it costs the same however many are due.
ALTER TABLE looks ADD COLUMN lane smallint NOT NULL DEFAULT 3 CHECK (lane BETWEEN 0 AND 3);
UPDATE looks SET lane = CASE WHEN reason IN ('hint', 'hinted', 'buyer_present', 'again') THEN 0
    WHEN GREATEST(due_at, now()) < created_at + interval '5 minutes' THEN 1
    WHEN GREATEST(due_at, now()) < created_at + interval '1 hour' THEN 2 ELSE 3 END;
DROP INDEX looks_due;
CREATE INDEX looks_due ON looks (account_id, lane, due_at);

-- A merchant's part of the looks when there are more to make than can be made at once: two to one means twice as many.
ALTER TABLE merchants ADD COLUMN look_weight smallint NOT NULL DEFAULT 1 CHECK (look_weight BETWEEN 1 AND 100);
