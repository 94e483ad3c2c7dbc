-- +goose Up

-- Owners' events of a time are found by their ids, which begin with it.
DROP INDEX notifications_created;
