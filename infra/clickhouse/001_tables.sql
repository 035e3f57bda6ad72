-- The facts. A row's key is where its record stood in Kafka and its number within that record:
-- a topic that was deleted and made again starts at offset 0 with another topic_id, and epoch
-- numbers those lives of a topic so that the later one wins in the views.
-- No table is partitioned: one insert is then one part, there whole or not at all, which is what
-- lets the sink ask each table for its greatest position after a crash.

CREATE DATABASE IF NOT EXISTS faultline;

-- How far each partition of each topic is in the tables: next is the first offset that is not.
CREATE TABLE IF NOT EXISTS faultline.positions
(
    topic LowCardinality(String),
    topic_id LowCardinality(String),
    partition Int32,
    epoch UInt32,
    next Int64
)
ENGINE = ReplacingMergeTree(next)
ORDER BY (topic, topic_id, partition);

-- Every change of the graph's entities and relationships, and what was ignored or repeated.
CREATE TABLE IF NOT EXISTS faultline.changes
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
    record String,
    log_partition Int32,
    log_offset Int64 CODEC(Delta, LZ4),
    source LowCardinality(String),
    outcome LowCardinality(String),
    kind LowCardinality(String),
    op LowCardinality(String),
    key String,
    type LowCardinality(String),
    entity_id String,
    name String,
    category LowCardinality(String),
    state LowCardinality(String),
    placeholder Bool,
    attributes String,
    source_type LowCardinality(String),
    source_id String,
    target_type LowCardinality(String),
    target_id String,
    reason String,
    late Bool,
    INDEX keys key TYPE bloom_filter GRANULARITY 4,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Every alarm record, reported and deduced. Only rows whose outcome is neither REPEATED nor IGNORED
-- changed the alarm.
CREATE TABLE IF NOT EXISTS faultline.alarms
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
    record String,
    log_partition Int32,
    log_offset Int64 CODEC(Delta, LZ4),
    key String,
    source LowCardinality(String),
    name LowCardinality(String),
    severity LowCardinality(String),
    operational_severity LowCardinality(String),
    status LowCardinality(String),
    resource_type LowCardinality(String),
    resource_id String,
    deduced Bool,
    episode UInt32,
    rule LowCardinality(String),
    rule_revision LowCardinality(String),
    scenario Int32,
    match String,
    external_id String,
    attributes String,
    outcome LowCardinality(String),
    reason String,
    late Bool,
    INDEX keys key TYPE bloom_filter GRANULARITY 4,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Causal edges between alarms, as rules add and remove them: source causes target.
CREATE TABLE IF NOT EXISTS faultline.causes
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
    record String,
    log_partition Int32,
    log_offset Int64 CODEC(Delta, LZ4),
    op LowCardinality(String),
    source String,
    target String,
    rule LowCardinality(String),
    match String,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Aggregated and operational states of entities, each time they change.
CREATE TABLE IF NOT EXISTS faultline.states
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
    record String,
    log_partition Int32,
    log_offset Int64 CODEC(Delta, LZ4),
    key String,
    state LowCardinality(String),
    aggregated_state LowCardinality(String),
    operational_state LowCardinality(String),
    rule LowCardinality(String),
    match String,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Executions that rules asked for, with the match that asked.
CREATE TABLE IF NOT EXISTS faultline.starts
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
    record String,
    log_partition Int32,
    log_offset Int64 CODEC(Delta, LZ4),
    workflow LowCardinality(String),
    input String,
    execution String,
    rule LowCardinality(String),
    match String,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Rules and value mappings put live, changed, withdrawn or in error: once for each partition of the log
-- that met them.
CREATE TABLE IF NOT EXISTS faultline.rules
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
    record String,
    log_partition Int32,
    log_offset Int64 CODEC(Delta, LZ4),
    kind LowCardinality(String),
    op LowCardinality(String),
    name String,
    revision String,
    reason String,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- What executions did: every change of state of an execution, a task, an action.
CREATE TABLE IF NOT EXISTS faultline.steps
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
    root String,
    execution String,
    kind LowCardinality(String),
    name LowCardinality(String),
    state LowCardinality(String),
    state_info String,
    `from` LowCardinality(String),
    task String,
    action String,
    workflow LowCardinality(String),
    input String,
    output String,
    result String,
    published String,
    `by` String,
    attempt Int32,
    `index` Int32,
    late Bool,
    started_at Nullable(DateTime64(6, 'UTC')),
    ended_at Nullable(DateTime64(6, 'UTC')),
    INDEX executions execution TYPE bloom_filter GRANULARITY 4,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Executions, a row for each of their steps; step is the id of the record in steps.
CREATE TABLE IF NOT EXISTS faultline.executions
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
    step String,
    root String,
    workflow LowCardinality(String),
    parent String,
    task String,
    state LowCardinality(String),
    state_info String,
    input String,
    output String,
    started_by String,
    started_at Nullable(DateTime64(6, 'UTC')),
    ended_at Nullable(DateTime64(6, 'UTC')),
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Tasks of executions, a row for each of their steps.
CREATE TABLE IF NOT EXISTS faultline.tasks
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
    step String,
    root String,
    execution String,
    workflow LowCardinality(String),
    name LowCardinality(String),
    state LowCardinality(String),
    state_info String,
    result String,
    published String,
    attempt Int32,
    started_at Nullable(DateTime64(6, 'UTC')),
    ended_at Nullable(DateTime64(6, 'UTC')),
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Actions of tasks, a row for each of their steps.
CREATE TABLE IF NOT EXISTS faultline.actions
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
    step String,
    root String,
    execution String,
    task String,
    name LowCardinality(String),
    state LowCardinality(String),
    state_info String,
    input String,
    result String,
    attempt Int32,
    `index` Int32,
    late Bool,
    started_at Nullable(DateTime64(6, 'UTC')),
    ended_at Nullable(DateTime64(6, 'UTC')),
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- Records that could not be read or applied: value is the original bytes, origin_* where they stood.
CREATE TABLE IF NOT EXISTS faultline.dead_letters
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
    reason LowCardinality(String),
    error String,
    origin_topic LowCardinality(String),
    origin_partition Int32,
    origin_offset Int64,
    key String,
    value String,
    headers String,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;
