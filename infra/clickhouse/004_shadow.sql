-- What rules in shadow mode would have brought about, and who put which definition live.

CREATE TABLE IF NOT EXISTS faultline.shadows
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
    origin_topic LowCardinality(String),
    origin_topic_id LowCardinality(String),
    origin_partition Int32 DEFAULT -1,
    origin_offset Int64 DEFAULT -1,
    rule LowCardinality(String),
    rule_revision LowCardinality(String),
    scenario Int32,
    deduces LowCardinality(String),
    op LowCardinality(String),
    key String,
    name LowCardinality(String),
    severity LowCardinality(String),
    operational_severity LowCardinality(String),
    resource_type LowCardinality(String),
    resource_id String,
    state LowCardinality(String),
    source String,
    target String,
    workflow LowCardinality(String),
    input String,
    match String,
    INDEX times event_time TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, topic_id, `partition`, `offset`, n)
SETTINGS non_replicated_deduplication_window = 1000;

-- What stands; a workflow that would have been started does not, it was wanted at a moment.
CREATE OR REPLACE VIEW faultline.shadows_now AS
SELECT
    domain,
    rule,
    deduces,
    key,
    source,
    target,
    argMax(s.rule_revision, (s.epoch, s.log_offset, s.n)) AS rule_revision,
    argMax(s.scenario, (s.epoch, s.log_offset, s.n)) AS scenario,
    argMax(s.op, (s.epoch, s.log_offset, s.n)) AS op,
    argMax(s.name, (s.epoch, s.log_offset, s.n)) AS name,
    argMax(s.severity, (s.epoch, s.log_offset, s.n)) AS severity,
    argMax(s.operational_severity, (s.epoch, s.log_offset, s.n)) AS operational_severity,
    argMax(s.resource_type, (s.epoch, s.log_offset, s.n)) AS resource_type,
    argMax(s.resource_id, (s.epoch, s.log_offset, s.n)) AS resource_id,
    argMax(s.state, (s.epoch, s.log_offset, s.n)) AS state,
    argMax(s.match, (s.epoch, s.log_offset, s.n)) AS match,
    argMaxIf(s.event_time, (s.epoch, s.log_offset, s.n), s.op IN ('RAISED', 'ADDED')) AS since,
    max(s.event_time) AS event_time
FROM faultline.shadows AS s
WHERE s.deduces != 'WORKFLOW'
GROUP BY domain, rule, deduces, key, source, target
HAVING op NOT IN ('CLEARED', 'REMOVED');

ALTER TABLE faultline.rules
    ADD COLUMN IF NOT EXISTS mode LowCardinality(String) AFTER reason,
    ADD COLUMN IF NOT EXISTS `by` String AFTER mode;

ALTER TABLE faultline.definitions
    ADD COLUMN IF NOT EXISTS mode LowCardinality(String) AFTER parameters,
    ADD COLUMN IF NOT EXISTS `by` String AFTER mode;
