-- A session that comes back brings the newest keys along: among many messages, most without one, they are found by this.
create index if not exists messages_session_id_seq_of_keys_index on messages (session_id, seq)
  where idempotency_key is not null;
