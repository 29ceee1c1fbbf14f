-- How many events each bucket has, and a number that it was given when it was made: they tell whether its counts have
-- changed since they were read, and are the answer where nothing is told apart.
CREATE TABLE event_buckets (
  width INTEGER NOT NULL,
  start INTEGER NOT NULL,
  born INTEGER NOT NULL,
  events INTEGER NOT NULL,
  PRIMARY KEY (width, start)
) STRICT, WITHOUT ROWID;

INSERT INTO event_buckets SELECT width, start, 0, sum(events) FROM event_rollups GROUP BY width, start;
