-- Secrets that a previous master key sealed are found without a look at all of them.
CREATE INDEX sign_keys_master_key ON sign_keys (master_key_id);
