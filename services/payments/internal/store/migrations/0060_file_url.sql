-- +goose Up

-- A file of the merchant's that the delivery page leads to, signed at the click. Empty: none.
ALTER TABLE payments ADD COLUMN file_url text NOT NULL DEFAULT '';
