-- Every question about events walks one index in the order of pages. One by state and severity serves what four did: by severity,
-- the unresolved ones, and the resolved ones, for pages and for clean-up alike.
DROP INDEX events_by_severity;
DROP INDEX events_unresolved;
DROP INDEX events_resolved;
DROP INDEX events_resolved_by_severity;
CREATE INDEX events_by_state ON events (resolved, severity, timestamp_us, id);

CREATE INDEX events_by_trace ON events (trace_id, timestamp_us, id) WHERE trace_id <> '';

-- Events of a route are in events_by_component under `route/NAME`; here are those whose component says something else.
CREATE INDEX events_by_other_route ON events (route, timestamp_us, id) WHERE route <> '' AND component <> ('route/' || route);
