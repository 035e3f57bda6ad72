-- What an explanation needs: the text that each revision of a definition stands for, and where the
-- inbound record stood that brought a change about.

CREATE TABLE IF NOT EXISTS faultline.definitions
(
    domain LowCardinality(String),
    event_time DateTime64(6, 'UTC') CODEC(Delta, LZ4),
    ingest_time DateTime64(6, 'UTC') CODEC(Delta, LZ4),
    topic LowCardinality(String),
    topic_id LowCardinality(String),
    `partition` Int32,
    `offset` Int64 CODEC(Delta, LZ4),
    n UInt32,
    epoch UInt32,
    id String,
    source LowCardinality(String),
    kind LowCardinality(String),
    op LowCardinality(String),
    name String,
    revision String,
    path String,
    parameters String,
    text String CODEC(ZSTD(3))
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

ALTER TABLE faultline.changes
    ADD COLUMN IF NOT EXISTS origin_topic LowCardinality(String) AFTER log_offset,
    ADD COLUMN IF NOT EXISTS origin_topic_id LowCardinality(String) AFTER origin_topic,
    ADD COLUMN IF NOT EXISTS origin_partition Int32 DEFAULT -1 AFTER origin_topic_id,
    ADD COLUMN IF NOT EXISTS origin_offset Int64 DEFAULT -1 AFTER origin_partition;

ALTER TABLE faultline.alarms
    ADD COLUMN IF NOT EXISTS origin_topic LowCardinality(String) AFTER log_offset,
    ADD COLUMN IF NOT EXISTS origin_topic_id LowCardinality(String) AFTER origin_topic,
    ADD COLUMN IF NOT EXISTS origin_partition Int32 DEFAULT -1 AFTER origin_topic_id,
    ADD COLUMN IF NOT EXISTS origin_offset Int64 DEFAULT -1 AFTER origin_partition;

ALTER TABLE faultline.causes
    ADD COLUMN IF NOT EXISTS origin_topic LowCardinality(String) AFTER log_offset,
    ADD COLUMN IF NOT EXISTS origin_topic_id LowCardinality(String) AFTER origin_topic,
    ADD COLUMN IF NOT EXISTS origin_partition Int32 DEFAULT -1 AFTER origin_topic_id,
    ADD COLUMN IF NOT EXISTS origin_offset Int64 DEFAULT -1 AFTER origin_partition;

ALTER TABLE faultline.states
    ADD COLUMN IF NOT EXISTS origin_topic LowCardinality(String) AFTER log_offset,
    ADD COLUMN IF NOT EXISTS origin_topic_id LowCardinality(String) AFTER origin_topic,
    ADD COLUMN IF NOT EXISTS origin_partition Int32 DEFAULT -1 AFTER origin_topic_id,
    ADD COLUMN IF NOT EXISTS origin_offset Int64 DEFAULT -1 AFTER origin_partition;

ALTER TABLE faultline.starts
    ADD COLUMN IF NOT EXISTS origin_topic LowCardinality(String) AFTER log_offset,
    ADD COLUMN IF NOT EXISTS origin_topic_id LowCardinality(String) AFTER origin_topic,
    ADD COLUMN IF NOT EXISTS origin_partition Int32 DEFAULT -1 AFTER origin_topic_id,
    ADD COLUMN IF NOT EXISTS origin_offset Int64 DEFAULT -1 AFTER origin_partition;

ALTER TABLE faultline.rules
    ADD COLUMN IF NOT EXISTS origin_topic LowCardinality(String) AFTER log_offset,
    ADD COLUMN IF NOT EXISTS origin_topic_id LowCardinality(String) AFTER origin_topic,
    ADD COLUMN IF NOT EXISTS origin_partition Int32 DEFAULT -1 AFTER origin_topic_id,
    ADD COLUMN IF NOT EXISTS origin_offset Int64 DEFAULT -1 AFTER origin_partition;
