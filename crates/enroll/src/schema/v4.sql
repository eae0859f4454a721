-- CMP transactions (RFC 9810 §5.1.1) that wait for somebody: state waiting (for an approval), unconfirmed (for the
-- device's certConf) or done. One that needs neither leaves no row: the registration remembers it.
-- sender is SHA-256 of who began it, signer the certificate that signed its first message. request_sha256 is of the
-- newest message, answer what was answered to it: a device that lost the answer sends the message again.
-- nonce is our senderNonce in it. certificate is its SHA-256. Times are Unix milliseconds.
CREATE TABLE cmp_transactions(
    endpoint TEXT NOT NULL,
    transaction_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    sender BLOB NOT NULL,
    signer BLOB,
    request_sha256 BLOB NOT NULL,
    answer BLOB NOT NULL,
    nonce BLOB NOT NULL,
    cert_req_id INTEGER NOT NULL,
    implicit_confirm INTEGER NOT NULL,
    certificate BLOB,
    confirm_by INTEGER,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY(endpoint, transaction_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX cmp_transactions_unconfirmed ON cmp_transactions(confirm_by) WHERE state = 'unconfirmed';
CREATE INDEX cmp_transactions_expires ON cmp_transactions(expires);
