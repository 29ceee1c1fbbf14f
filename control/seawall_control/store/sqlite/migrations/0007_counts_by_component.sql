-- Events are counted by component, too: those that are not about a route have nothing else that says where they come from.
-- Of what was counted before, only the components of routes are known.
ALTER TABLE event_rollups RENAME TO event_rollups_before;

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

INSERT INTO event_rollups
SELECT width, start, CASE route WHEN '' THEN '' WHEN '_other' THEN '_other' ELSE 'route/' || route END, route, method, code,
  category, severity, kind, outcome, events
FROM event_rollups_before ORDER BY width, start, route, method, code, category, severity, kind, outcome;

DROP TABLE event_rollups_before;
