-- +goose Up

-- What stands in the URL of the buyer's page. It is not the sale key: that one is told to the provider, and whoever has this one
-- gets what was bought. Sales that are there already get one, new ones bring theirs; empty is no page.
ALTER TABLE payments ADD COLUMN page_key text NOT NULL
    DEFAULT replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');
ALTER TABLE payments ALTER COLUMN page_key SET DEFAULT '';
CREATE UNIQUE INDEX payments_page_key ON payments (page_key) WHERE page_key <> '';
