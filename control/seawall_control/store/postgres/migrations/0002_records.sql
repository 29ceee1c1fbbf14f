CREATE TABLE documents (
  kind text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  version bigint NOT NULL CHECK (version >= 1),
  body text COLLATE "C" NOT NULL,
  update_time_us bigint NOT NULL,
  PRIMARY KEY (kind, name)
);

CREATE TABLE journal (
  topic text COLLATE "C" NOT NULL,
  number bigint NOT NULL CHECK (number >= 1),
  time_us bigint NOT NULL,
  body text COLLATE "C" NOT NULL,
  chain text COLLATE "C" NOT NULL,
  PRIMARY KEY (topic, number)
);
