CREATE TABLE documents (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version INTEGER NOT NULL CHECK (version >= 1),
  body TEXT NOT NULL,
  update_time_us INTEGER NOT NULL,
  PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE journal (
  topic TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 1),
  time_us INTEGER NOT NULL,
  body TEXT NOT NULL,
  chain TEXT NOT NULL,
  PRIMARY KEY (topic, number)
) STRICT, WITHOUT ROWID;
