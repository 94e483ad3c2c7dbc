-- +goose Up

-- A message's row is written once more when its result is known. With room in its page no index is touched (a HOT update).
ALTER TABLE notifications SET (fillfactor = 65);
