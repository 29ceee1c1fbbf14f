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

-- The trigger has waited for those who were writing.
INSERT INTO event_buckets SELECT width, start, 0, sum(events) FROM event_rollups GROUP BY width, start;
