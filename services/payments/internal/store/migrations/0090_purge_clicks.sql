-- +goose Up

-- What came with a click (address, browser, cookies) is somebody's: it goes after a time, unless a sale was made with it. The counts of
-- an ad stay.
ALTER TABLE click_links ADD COLUMN purged_people bigint NOT NULL DEFAULT 0, ADD COLUMN purged_machines bigint NOT NULL DEFAULT 0;
GRANT UPDATE (purged_people, purged_machines) ON click_links TO baixa_payments;
CREATE INDEX clicks_by_age ON clicks (clicked_at, token);
GRANT DELETE ON clicks TO baixa_payments;
CREATE INDEX click_starts_of_click ON click_starts (merchant_id, token);
GRANT DELETE ON click_starts TO baixa_payments;
CREATE INDEX payments_of_click ON payments (merchant_id, (tracking->>'tracking_token')) WHERE tracking ? 'tracking_token';
