-- +goose Up

-- Every sale is written four times between its webhook and its buyer's message, every effect and look is leased before it is done. A
-- version that finds room in its page (a HOT update) writes no index; payments has fourteen. The price is space: a page of sales is
-- filled to a half when they are new.
ALTER TABLE payments SET (fillfactor = 45);
ALTER TABLE looks SET (fillfactor = 45);
ALTER TABLE effects SET (fillfactor = 45);
ALTER TABLE webhooks SET (fillfactor = 60);
