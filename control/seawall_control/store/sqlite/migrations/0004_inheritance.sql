ALTER TABLE revisions ADD COLUMN base TEXT NOT NULL DEFAULT '';
ALTER TABLE revisions ADD COLUMN base_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE revisions ADD COLUMN own BLOB NOT NULL DEFAULT x'';

CREATE INDEX revisions_base ON revisions (base, policy_set, revision) WHERE base <> '';
