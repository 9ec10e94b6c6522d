-- The archive (contract, section 4), made where it is missing. A FleetLM database is taken over in place: its tables
-- keep their rows and their further columns. Index names are those that Ecto gave them.

-- The first FleetLM releases named a session's participants like a message's.
do $$
begin
  if exists (select from information_schema.columns
             where table_schema = current_schema and table_name = 'sessions' and column_name = 'sender_id') then
    alter table sessions rename column sender_id to user_id;
    alter table sessions rename column recipient_id to agent_id;
    alter index if exists sessions_sender_id_recipient_id_index rename to sessions_user_id_agent_id_index;
  end if;
end $$;

create table if not exists agents (
  id text primary key,
  name text not null,
  origin_url text not null,
  webhook_path text not null default '/webhook',
  message_history_mode text not null default 'tail',
  message_history_limit integer default 50,
  timeout_ms integer not null default 30000,
  headers jsonb default '{}',
  status text not null default 'enabled',
  debounce_window_ms integer not null default 500,
  webhook_secret text,
  inserted_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists sessions (
  id text primary key,
  user_id text not null,
  agent_id text not null,
  status text not null default 'active',
  metadata jsonb not null default '{}',
  shard_key integer,
  last_seq bigint,
  last_sender_id text,
  last_activity_at timestamptz,
  dispatch jsonb,
  log_index bigint,
  inserted_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists messages (
  id text primary key,
  session_id text not null,
  sender_id text not null,
  recipient_id text not null,
  seq bigint not null,
  kind text not null,
  content jsonb not null default '{}',
  metadata jsonb not null default '{}',
  shard_key integer,
  idempotency_key text,
  inserted_at timestamptz not null default now()
);

create table if not exists cursors (
  id text primary key,
  session_id text not null,
  participant_id text not null,
  last_seq bigint not null,
  shard_key integer,
  inserted_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table if not exists raft_snapshots (
  group_id integer not null,
  raft_index bigint not null,
  snapshot_data bytea not null,
  created_at timestamptz not null default now()
);

create table if not exists group_watermarks (
  group_id integer primary key,
  archived_index bigint not null,
  updated_at timestamptz not null default now()
);

-- What a FleetLM table lacks.
alter table agents
  add column if not exists message_history_mode text not null default 'tail',
  add column if not exists message_history_limit integer default 50,
  add column if not exists debounce_window_ms integer not null default 500,
  add column if not exists webhook_secret text;
alter table sessions
  add column if not exists last_seq bigint,
  add column if not exists last_sender_id text,
  add column if not exists last_activity_at timestamptz,
  add column if not exists dispatch jsonb,
  add column if not exists log_index bigint;
alter table messages add column if not exists idempotency_key text;

-- Ecto's column types: varchar(255), int4 seqs, and UTC times without a zone and often without microseconds.
-- All changes of a table in one statement, so that it is rewritten once at most.
do $$
declare
  changes record;
begin
  for changes in
    select c.table_name, string_agg(
      case
        when c.data_type = 'timestamp without time zone'
          then format('alter column %1$I type timestamptz using %1$I at time zone ''UTC''', c.column_name)
        when c.data_type = 'integer' then format('alter column %I type bigint', c.column_name)
        else format('alter column %I type text', c.column_name)
      end, ', ') as actions
    from information_schema.columns c
    where c.table_schema = current_schema
      and c.table_name in ('agents', 'sessions', 'messages', 'cursors', 'raft_snapshots')
      and (c.data_type in ('timestamp without time zone', 'character varying')
        or (c.data_type = 'integer' and (c.table_name, c.column_name) in (('messages', 'seq'), ('cursors', 'last_seq'))))
    group by c.table_name
  loop
    execute format('alter table %I %s', changes.table_name, changes.actions);
  end loop;
end $$;

alter table agents alter column inserted_at set default now(), alter column updated_at set default now();
alter table sessions alter column inserted_at set default now(), alter column updated_at set default now();
alter table messages alter column inserted_at set default now();
alter table cursors alter column inserted_at set default now(), alter column updated_at set default now();

create index if not exists agents_status_index on agents (status);
create index if not exists sessions_user_id_agent_id_index on sessions (user_id, agent_id);
create index if not exists sessions_user_id_inserted_at_index on sessions (user_id, inserted_at);
create index if not exists sessions_status_index on sessions (status);
create index if not exists sessions_shard_key_index on sessions (shard_key);
create unique index if not exists messages_session_id_seq_index on messages (session_id, seq);
create index if not exists messages_shard_key_index on messages (shard_key);
create unique index if not exists cursors_session_id_participant_id_index on cursors (session_id, participant_id);
create index if not exists cursors_participant_id_index on cursors (participant_id);
create index if not exists cursors_shard_key_index on cursors (shard_key);
create unique index if not exists raft_snapshots_group_id_raft_index_index on raft_snapshots (group_id, raft_index);

-- FleetLM derived these from its messages.
update sessions s
set last_seq = m.seq, last_sender_id = m.sender_id, last_activity_at = m.inserted_at
from (select distinct on (session_id) session_id, seq, sender_id, inserted_at
      from messages order by session_id, seq desc) m
where m.session_id = s.id and s.last_seq is null;
update sessions set last_seq = 0 where last_seq is null;
update sessions set status = 'active' where status not in ('active', 'archived');
