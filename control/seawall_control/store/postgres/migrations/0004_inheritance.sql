ALTER TABLE revisions
  ADD COLUMN base text COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN base_revision bigint NOT NULL DEFAULT 0,
  ADD COLUMN own bytea NOT NULL DEFAULT '';

CREATE INDEX revisions_base ON revisions (base, policy_set, revision) WHERE base <> '';
