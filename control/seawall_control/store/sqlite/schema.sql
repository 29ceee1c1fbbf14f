-- The schema that all migrations together make; written by hand from them, compared by a test. Nothing reads it at run time.

-- Policies: lines of immutable revisions, and the answers to requests with an id.
CREATE TABLE revisions (
  policy_set TEXT NOT NULL,
  revision INTEGER NOT NULL CHECK (revision >= 1),
  hash TEXT NOT NULL,
  document BLOB NOT NULL,
  author TEXT NOT NULL,
  message TEXT NOT NULL,
  create_time_us INTEGER NOT NULL,
  rollback_of INTEGER NOT NULL,
  base TEXT NOT NULL DEFAULT '',
  base_revision INTEGER NOT NULL DEFAULT 0,
  own BLOB NOT NULL DEFAULT x'',
  PRIMARY KEY (policy_set, revision)
) STRICT;

CREATE INDEX revisions_base ON revisions (base, policy_set, revision) WHERE base <> '';

CREATE TABLE requests (
  request_id TEXT PRIMARY KEY,
  policy_set TEXT NOT NULL,
  asked_hash TEXT NOT NULL,
  rollback_of INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  create_time_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Proxies, also while they are away.
CREATE TABLE proxies (
  node TEXT PRIMARY KEY,
  boot_id TEXT NOT NULL,
  labels TEXT NOT NULL,
  version TEXT NOT NULL,
  policy_set TEXT NOT NULL,
  admin_address TEXT NOT NULL,
  start_time_us INTEGER NOT NULL,
  last_seen_us INTEGER NOT NULL,
  applied_revision INTEGER NOT NULL,
  applied_hash TEXT NOT NULL,
  policy_source TEXT NOT NULL,
  last_verdict INTEGER NOT NULL,
  reasons TEXT NOT NULL,
  answered_us INTEGER NOT NULL,
  refused TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Error events. Text that is not known is empty, a time that is not known is 0; nothing is NULL but details, attempts and the spool.
CREATE TABLE events (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  timestamp_us INTEGER NOT NULL,
  severity INTEGER NOT NULL CHECK (severity BETWEEN 1 AND 4),
  component TEXT NOT NULL,
  error_type TEXT NOT NULL,
  message TEXT NOT NULL,
  details TEXT,
  job_id TEXT NOT NULL,
  job_name TEXT NOT NULL,
  stack_trace TEXT NOT NULL,
  resolved INTEGER NOT NULL CHECK (resolved IN (0, 1)),
  resolved_at_us INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  route TEXT NOT NULL,
  method TEXT NOT NULL,
  code TEXT NOT NULL,
  category INTEGER NOT NULL,
  attempts TEXT,
  endpoint TEXT NOT NULL,
  latency_us INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  reason TEXT NOT NULL,
  trace_id TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  policy_revision INTEGER NOT NULL,
  proxy TEXT NOT NULL,
  resolution TEXT NOT NULL,
  spool_id TEXT,
  seq INTEGER,
  CHECK ((spool_id IS NULL) = (seq IS NULL))
) STRICT;

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
  proxy TEXT NOT NULL,
  spool_id TEXT NOT NULL,
  seen TEXT NOT NULL,
  assumed_through INTEGER NOT NULL,
  PRIMARY KEY (proxy, spool_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE spool_gaps (
  n INTEGER PRIMARY KEY,
  proxy TEXT NOT NULL,
  spool_id TEXT NOT NULL,
  from_seq INTEGER NOT NULL,
  to_seq INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

CREATE TABLE spool_refusals (
  n INTEGER PRIMARY KEY,
  proxy TEXT NOT NULL,
  spool_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  reason TEXT NOT NULL
) STRICT;

-- Counts, kept by triggers in the transaction of the change: statistics never look at every event.
CREATE TABLE event_counts (
  severity INTEGER NOT NULL,
  resolved INTEGER NOT NULL,
  events INTEGER NOT NULL CHECK (events >= 0),
  PRIMARY KEY (severity, resolved)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_hours (
  hour INTEGER PRIMARY KEY,
  events INTEGER NOT NULL CHECK (events >= 0)
) STRICT;

CREATE TRIGGER events_counted AFTER INSERT ON events BEGIN
  INSERT INTO event_counts VALUES (new.severity, new.resolved, 1) ON CONFLICT DO UPDATE SET events = events + 1;
  INSERT INTO event_hours VALUES (new.timestamp_us / 3600000000, 1) ON CONFLICT DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER events_recounted AFTER UPDATE OF severity, resolved ON events
WHEN (old.severity, old.resolved) <> (new.severity, new.resolved) BEGIN
  UPDATE event_counts SET events = events - 1 WHERE severity = old.severity AND resolved = old.resolved;
  INSERT INTO event_counts VALUES (new.severity, new.resolved, 1) ON CONFLICT DO UPDATE SET events = events + 1;
END;

CREATE TRIGGER events_uncounted AFTER DELETE ON events BEGIN
  UPDATE event_counts SET events = events - 1 WHERE severity = old.severity AND resolved = old.resolved;
  UPDATE event_hours SET events = events - 1 WHERE hour = old.timestamp_us / 3600000000;
END;

-- What operators make (alert rules, silences, tokens, rollouts), by kind and name.
CREATE TABLE documents (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  body TEXT NOT NULL,
  update_time_us INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

-- What happened (audit, alerts sent, healing), by topic; each entry is chained to the one before it, and the last one of a topic is never trimmed.
CREATE TABLE journal (
  topic TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 1),
  time_us INTEGER NOT NULL,
  body TEXT NOT NULL,
  chain TEXT NOT NULL,
  PRIMARY KEY (topic, number)
) STRICT, WITHOUT ROWID;

-- Groups of events that are one problem.
CREATE TABLE event_groups (
  id TEXT PRIMARY KEY,
  state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
  since_us INTEGER NOT NULL,
  first_seen_us INTEGER NOT NULL,
  last_seen_us INTEGER NOT NULL,
  events INTEGER NOT NULL CHECK (events >= 0),
  counted INTEGER NOT NULL CHECK (counted >= 0),
  severity INTEGER NOT NULL CHECK (severity BETWEEN 1 AND 4),
  kind INTEGER NOT NULL,
  route TEXT NOT NULL,
  method TEXT NOT NULL,
  code TEXT NOT NULL,
  category INTEGER NOT NULL,
  component TEXT NOT NULL,
  error_type TEXT NOT NULL,
  reason TEXT NOT NULL,
  message TEXT NOT NULL,
  assignee TEXT NOT NULL,
  due_us INTEGER NOT NULL,
  hour INTEGER NOT NULL,
  hour_events INTEGER NOT NULL,
  limit_hour INTEGER NOT NULL,
  hour_limit INTEGER NOT NULL,
  version INTEGER NOT NULL,
  more TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX event_groups_by_last_seen ON event_groups (last_seen_us, id);
CREATE INDEX event_groups_by_first_seen ON event_groups (first_seen_us, id);
CREATE INDEX event_groups_by_events ON event_groups (events, id);
CREATE INDEX event_groups_due ON event_groups (due_us) WHERE due_us > 0;

-- Fingerprints that were merged into a group.
CREATE TABLE group_aliases (
  fingerprint TEXT PRIMARY KEY,
  group_id TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX group_aliases_by_group ON group_aliases (group_id, fingerprint);

-- Events of a group by hour since the epoch; flagged hours were escalating and are no measure for the next ones.
CREATE TABLE group_hours (
  group_id TEXT NOT NULL,
  hour INTEGER NOT NULL,
  events INTEGER NOT NULL,
  flagged INTEGER NOT NULL CHECK (flagged IN (0, 1)),
  PRIMARY KEY (group_id, hour)
) STRICT, WITHOUT ROWID;

CREATE INDEX group_hours_by_hour ON group_hours (hour);

-- Counts of events by minute, hour and day (width in seconds): exact also for what a flood left unstored.
CREATE TABLE event_rollups (
  width INTEGER NOT NULL,
  start INTEGER NOT NULL,
  component TEXT NOT NULL,
  route TEXT NOT NULL,
  method TEXT NOT NULL,
  code TEXT NOT NULL,
  category INTEGER NOT NULL,
  severity INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (width, start, component, route, method, code, category, severity, kind, outcome)
) STRICT, WITHOUT ROWID;

-- How many events each bucket has, and a number that it was given when it was made: they tell whether its counts have
-- changed since they were read, and are the answer where nothing is told apart.
CREATE TABLE event_buckets (
  width INTEGER NOT NULL,
  start INTEGER NOT NULL,
  born INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (width, start)
) STRICT, WITHOUT ROWID;

-- Ids of reported events that were counted and not stored, so that a repeated report counts once; the newest ones.
CREATE TABLE counted_ids (
  n INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE
) STRICT;
