-- A group's numbers change with every batch that has an event of it, and lists of groups are asked for by people. Without indexes over these numbers, and with room on the page, the server writes the row anew in its place and touches no index; sorting the 10,000 groups that there can be takes some milliseconds.
DROP INDEX event_groups_by_last_seen;
DROP INDEX event_groups_by_events;
ALTER TABLE event_groups SET (fillfactor = 50);
