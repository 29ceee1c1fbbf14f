"""HPACK (RFC 7541): a decoder that memoises whole blocks and an encoder that never evicts."""
