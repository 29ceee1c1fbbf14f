-- The schema that all migrations together make; written by hand from them, compared by a test. Nothing reads it at run time.
-- Text is compared by code point everywhere, as SQLite and the filters' reference do: the collation "C".

-- Policies: lines of immutable revisions, and the answers to requests with an id.
CREATE TABLE revisions (
  policy_set text COLLATE "C" NOT NULL,
  revision bigint NOT NULL CHECK (revision >= 1),
  hash text COLLATE "C" NOT NULL,
  document bytea NOT NULL,
  author text COLLATE "C" NOT NULL,
  message text COLLATE "C" NOT NULL,
  create_time_us bigint NOT NULL,
  rollback_of bigint NOT NULL,
  base text COLLATE "C" NOT NULL DEFAULT '',
  base_revision bigint NOT NULL DEFAULT 0,
  own bytea NOT NULL DEFAULT '',
  PRIMARY KEY (policy_set, revision)
);

CREATE INDEX revisions_base ON revisions (base, policy_set, revision) WHERE base <> '';

CREATE TABLE requests (
  request_id text COLLATE "C" PRIMARY KEY,
  policy_set text COLLATE "C" NOT NULL,
  asked_hash text COLLATE "C" NOT NULL,
  rollback_of bigint NOT NULL,
  revision bigint NOT NULL,
  changed smallint NOT NULL,
  create_time_us bigint NOT NULL
);

-- Proxies, also while they are away.
CREATE TABLE proxies (
  node text COLLATE "C" PRIMARY KEY,
  boot_id text COLLATE "C" NOT NULL,
  labels text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  policy_set text COLLATE "C" NOT NULL,
  admin_address text COLLATE "C" NOT NULL,
  start_time_us bigint NOT NULL,
  last_seen_us bigint NOT NULL,
  applied_revision bigint NOT NULL,
  applied_hash text COLLATE "C" NOT NULL,
  policy_source text COLLATE "C" NOT NULL,
  last_verdict smallint NOT NULL,
  reasons text COLLATE "C" NOT NULL,
  answered_us bigint NOT NULL,
  refused text COLLATE "C" NOT NULL
);

-- Error events. Text that is not known is empty, a time that is not known is 0; nothing is NULL but details, attempts and the spool.
CREATE TABLE events (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE,
  timestamp_us bigint NOT NULL,
  severity smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
  component text COLLATE "C" NOT NULL,
  error_type text COLLATE "C" NOT NULL,
  message text COLLATE "C" NOT NULL,
  details text COLLATE "C",
  job_id text COLLATE "C" NOT NULL,
  job_name text COLLATE "C" NOT NULL,
  stack_trace text COLLATE "C" NOT NULL,
  resolved smallint NOT NULL CHECK (resolved IN (0, 1)),
  resolved_at_us bigint NOT NULL,
  kind smallint NOT NULL,
  route text COLLATE "C" NOT NULL,
  method text COLLATE "C" NOT NULL,
  code text COLLATE "C" NOT NULL,
  category smallint NOT NULL,
  attempts text COLLATE "C",
  endpoint text COLLATE "C" NOT NULL,
  latency_us bigint NOT NULL,
  outcome smallint NOT NULL,
  reason text COLLATE "C" NOT NULL,
  trace_id text COLLATE "C" NOT NULL,
  fingerprint text COLLATE "C" NOT NULL,
  policy_revision bigint NOT NULL,
  proxy text COLLATE "C" NOT NULL,
  resolution text COLLATE "C" NOT NULL,
  spool_id text COLLATE "C",
  seq bigint,
  CHECK ((spool_id IS NULL) = (seq IS NULL))
);

CREATE UNIQUE INDEX events_by_spool ON events (proxy, spool_id, seq) WHERE spool_id IS NOT NULL;
CREATE INDEX events_by_time ON events (timestamp_us, id);
CREATE INDEX events_by_component ON events (component, timestamp_us, id);
CREATE INDEX events_by_fingerprint ON events (fingerprint, timestamp_us, id);
CREATE INDEX events_by_job ON events (job_id, timestamp_us, id) WHERE job_id <> '';
CREATE INDEX events_by_state ON events (resolved, severity, timestamp_us, id);
CREATE INDEX events_by_trace ON events (trace_id, timestamp_us, id) WHERE trace_id <> '';
CREATE INDEX events_by_other_route ON events (route, timestamp_us, id) WHERE route <> '' AND component <> ('route/' || route);

-- What has arrived of every spool: disjoint inclusive ranges as JSON, so that a repeated batch is known even after its events were deleted.
CREATE TABLE spools (
  proxy text COLLATE "C" NOT NULL,
  spool_id text COLLATE "C" NOT NULL,
  seen text COLLATE "C" NOT NULL,
  assumed_through bigint NOT NULL,
  PRIMARY KEY (proxy, spool_id)
);

CREATE TABLE spool_gaps (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  proxy text COLLATE "C" NOT NULL,
  spool_id text COLLATE "C" NOT NULL,
  from_seq bigint NOT NULL,
  to_seq bigint NOT NULL,
  reason text COLLATE "C" NOT NULL
);

CREATE TABLE spool_refusals (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  proxy text COLLATE "C" NOT NULL,
  spool_id text COLLATE "C" NOT NULL,
  seq bigint NOT NULL,
  reason text COLLATE "C" NOT NULL
);

-- Counts, kept by triggers in the transaction of the change: statistics never look at every event.
CREATE TABLE event_counts (
  severity smallint NOT NULL,
  resolved smallint NOT NULL,
  events bigint NOT NULL CHECK (events >= 0),
  PRIMARY KEY (severity, resolved)
);

CREATE TABLE event_hours (
  hour bigint PRIMARY KEY,
  events bigint NOT NULL CHECK (events >= 0)
);

-- Statement by statement, so that a batch costs one change to a counter and not one an event. Changes to events are made
-- one transaction after the other (an advisory lock), so that counters are never waited for in different orders.
CREATE FUNCTION events_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event_counts AS c (severity, resolved, events)
    SELECT severity, resolved, count(*) FROM added GROUP BY severity, resolved
    ON CONFLICT (severity, resolved) DO UPDATE SET events = c.events + excluded.events;
  INSERT INTO event_hours AS h (hour, events)
    SELECT timestamp_us / 3600000000, count(*) FROM added GROUP BY 1
    ON CONFLICT (hour) DO UPDATE SET events = h.events + excluded.events;
  RETURN NULL;
END $$;

CREATE FUNCTION events_recounted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO event_counts AS c (severity, resolved, events)
    SELECT severity, resolved, count(*) FROM added GROUP BY severity, resolved
    ON CONFLICT (severity, resolved) DO UPDATE SET events = c.events + excluded.events;
  UPDATE event_counts AS c SET events = c.events - gone.events
    FROM (SELECT severity, resolved, count(*) AS events FROM removed GROUP BY severity, resolved) AS gone
    WHERE c.severity = gone.severity AND c.resolved = gone.resolved;
  RETURN NULL;
END $$;

CREATE FUNCTION events_uncounted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE event_counts AS c SET events = c.events - gone.events
    FROM (SELECT severity, resolved, count(*) AS events FROM removed GROUP BY severity, resolved) AS gone
    WHERE c.severity = gone.severity AND c.resolved = gone.resolved;
  UPDATE event_hours AS h SET events = h.events - gone.events
    FROM (SELECT timestamp_us / 3600000000 AS hour, count(*) AS events FROM removed GROUP BY 1) AS gone
    WHERE h.hour = gone.hour;
  RETURN NULL;
END $$;

CREATE TRIGGER events_counted AFTER INSERT ON events
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events_counted();
CREATE TRIGGER events_recounted AFTER UPDATE ON events
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION events_recounted();
CREATE TRIGGER events_uncounted AFTER DELETE ON events
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION events_uncounted();

-- What operators make (alert rules, silences, tokens, rollouts), by kind and name.
CREATE TABLE documents (
  kind text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  version bigint NOT NULL CHECK (version >= 1),
  body text COLLATE "C" NOT NULL,
  update_time_us bigint NOT NULL,
  PRIMARY KEY (kind, name)
);

-- What happened (audit, alerts sent, healing), by topic; each entry is chained to the one before it, and the last one of a topic is never trimmed.
CREATE TABLE journal (
  topic text COLLATE "C" NOT NULL,
  number bigint NOT NULL CHECK (number >= 1),
  time_us bigint NOT NULL,
  body text COLLATE "C" NOT NULL,
  chain text COLLATE "C" NOT NULL,
  PRIMARY KEY (topic, number)
);

-- Groups of events that are one problem. Their numbers change with every batch: no index over these, and room on the page, so that rows are written anew in their place.
CREATE TABLE event_groups (
  id text COLLATE "C" PRIMARY KEY,
  state bigint NOT NULL CHECK (state BETWEEN 1 AND 6),
  since_us bigint NOT NULL,
  first_seen_us bigint NOT NULL,
  last_seen_us bigint NOT NULL,
  events bigint NOT NULL CHECK (events >= 0),
  counted bigint NOT NULL CHECK (counted >= 0),
  severity bigint NOT NULL CHECK (severity BETWEEN 1 AND 4),
  kind bigint NOT NULL,
  route text COLLATE "C" NOT NULL,
  method text COLLATE "C" NOT NULL,
  code text COLLATE "C" NOT NULL,
  category bigint NOT NULL,
  component text COLLATE "C" NOT NULL,
  error_type text COLLATE "C" NOT NULL,
  reason text COLLATE "C" NOT NULL,
  message text COLLATE "C" NOT NULL,
  assignee text COLLATE "C" NOT NULL,
  due_us bigint NOT NULL,
  hour bigint NOT NULL,
  hour_events bigint NOT NULL,
  limit_hour bigint NOT NULL,
  hour_limit bigint NOT NULL,
  version bigint NOT NULL,
  more text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);

CREATE INDEX event_groups_by_first_seen ON event_groups (first_seen_us, id);
CREATE INDEX event_groups_due ON event_groups (due_us) WHERE due_us > 0;

-- Fingerprints that were merged into a group.
CREATE TABLE group_aliases (
  fingerprint text COLLATE "C" PRIMARY KEY,
  group_id text COLLATE "C" NOT NULL
);

CREATE INDEX group_aliases_by_group ON group_aliases (group_id, fingerprint);

-- Events of a group by hour since the epoch; flagged hours were escalating and are no measure for the next ones.
CREATE TABLE group_hours (
  group_id text COLLATE "C" NOT NULL,
  hour bigint NOT NULL,
  events bigint NOT NULL,
  flagged bigint NOT NULL CHECK (flagged IN (0, 1)),
  PRIMARY KEY (group_id, hour)
);

CREATE INDEX group_hours_by_hour ON group_hours (hour);

-- Counts of events by minute, hour and day (width in seconds): exact also for what a flood left unstored.
CREATE TABLE event_rollups (
  width bigint NOT NULL,
  start bigint NOT NULL,
  route text COLLATE "C" NOT NULL,
  method text COLLATE "C" NOT NULL,
  code text COLLATE "C" NOT NULL,
  category bigint NOT NULL,
  severity bigint NOT NULL,
  kind bigint NOT NULL,
  outcome bigint NOT NULL,
  events bigint NOT NULL,
  key bigint NOT NULL,
  component text COLLATE "C" NOT NULL,
  PRIMARY KEY (width, start, key)
) WITH (fillfactor = 70);

-- How many events each bucket has, and a number that it was given when it was made: they tell whether its counts have
-- changed since they were read, and are the answer where nothing is told apart.
CREATE TABLE event_buckets (
  width bigint NOT NULL,
  start bigint NOT NULL,
  born bigint NOT NULL,
  events bigint NOT NULL,
  PRIMARY KEY (width, start)
) WITH (fillfactor = 50);

-- A control plane that does not keep event_buckets must not change event_rollups: others would not see it. An older one that
-- was connected before this migration is told that its connection is of no use; it connects again, finds a newer schema,
-- and ends.
CREATE FUNCTION event_rollups_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('seawall.event_buckets', true) IS DISTINCT FROM 'kept' THEN
    RAISE EXCEPTION 'event_rollups may be changed only together with event_buckets'
      USING ERRCODE = 'operator_intervention', HINT = 'Upgrade this control plane.';
  END IF;
  RETURN NULL;
END
$$;

CREATE TRIGGER event_rollups_changed BEFORE INSERT OR UPDATE OR DELETE ON event_rollups
FOR EACH STATEMENT EXECUTE FUNCTION event_rollups_changed();

-- Ids of reported events that were counted and not stored, so that a repeated report counts once; the newest ones.
CREATE TABLE counted_ids (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE
);
