-- Groups of events that are one problem.
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
);

CREATE INDEX event_groups_by_last_seen ON event_groups (last_seen_us, id);
CREATE INDEX event_groups_by_first_seen ON event_groups (first_seen_us, id);
CREATE INDEX event_groups_by_events ON event_groups (events, id);
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
  PRIMARY KEY (width, start, route, method, code, category, severity, kind, outcome)
);

-- Ids of reported events that were counted and not stored, so that a repeated report counts once; the newest ones.
CREATE TABLE counted_ids (
  n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id text COLLATE "C" NOT NULL UNIQUE
);

CREATE INDEX events_resolved_by_severity ON events (severity, timestamp_us, n) WHERE resolved = 1;

-- Events that were stored before there were groups: their groups have the exact numbers of what is stored, and begin as ongoing,
-- or as resolved when all their events are. The newest 10,000 fingerprints get one; events of others get theirs when they come again.
INSERT INTO event_groups
SELECT
  g.fingerprint, CASE WHEN g.all_resolved = 1 THEN 6 ELSE 2 END,
  CASE WHEN g.all_resolved = 1 THEN g.resolved_us ELSE g.last_us END,
  g.first_us, g.last_us, g.events, 0, g.severity,
  e.kind, e.route, e.method, e.code, e.category, e.component, e.error_type, e.reason, e.message, '',
  0, 0, 0, 0, 0, 1, '{"activity":[],"parts":{"given":"before groups were kept"}}'
FROM (
  SELECT
    fingerprint, min(resolved) AS all_resolved, max(resolved_at_us) AS resolved_us, min(timestamp_us) AS first_us,
    max(timestamp_us) AS last_us, count(*) AS events, max(severity) AS severity
  FROM events WHERE fingerprint <> '' GROUP BY fingerprint ORDER BY last_us DESC LIMIT 10000
) AS g
JOIN events AS e ON e.n = (SELECT n FROM events WHERE fingerprint = g.fingerprint ORDER BY timestamp_us DESC, id DESC LIMIT 1);

INSERT INTO group_hours
SELECT fingerprint, timestamp_us / 3600000000, count(*), 0 FROM events
WHERE fingerprint IN (SELECT id FROM event_groups) AND timestamp_us >= (SELECT max(timestamp_us) FROM events) - 604800000000
GROUP BY 1, 2;

INSERT INTO event_rollups
SELECT w.width, timestamp_us / 1000000 / w.width * w.width, route, method, code, category, severity, kind, outcome, count(*)
FROM events, (SELECT 3600::bigint AS width, 5184000::bigint AS kept UNION ALL SELECT 86400, 63072000) AS w
WHERE timestamp_us >= (SELECT max(timestamp_us) FROM events) - w.kept * 1000000
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
