-- +goose Up

-- Which static headers accounts name is asked every half minute.
CREATE INDEX accounts_with_header ON accounts (lower(settings ->> 'webhook_header')) WHERE settings ? 'webhook_header';
