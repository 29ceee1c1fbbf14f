-- Events are counted by component, too: those that are not about a route have nothing else that says where they come from.
-- Of what was counted before, only the components of routes are known. The number of a key has the component in it.
ALTER TABLE event_rollups ADD COLUMN component text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE event_rollups ALTER COLUMN component DROP DEFAULT;

UPDATE event_rollups AS r SET component = known.component, key = ('x' || encode(substr(sha256(convert_to(
  category || ',' || severity || ',' || kind || ',' || outcome || ','
  || length(known.component) || ',' || length(route) || ',' || length(method) || ','
  || known.component || route || method || code, 'UTF8')), 1, 8), 'hex'))::bit(64)::bigint
FROM (
  SELECT ctid, CASE route WHEN '' THEN '' WHEN '_other' THEN '_other' ELSE 'route/' || route END AS component FROM event_rollups
) AS known
WHERE known.ctid = r.ctid;
