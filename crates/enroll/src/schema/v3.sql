-- No certificate is for a key that any account has, of whatever directory (RFC 8555 §11.1).
CREATE INDEX acme_accounts_thumbprint ON acme_accounts(thumbprint);
