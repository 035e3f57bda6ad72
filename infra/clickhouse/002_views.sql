-- The latest of each. A record that was sent twice after a crash stands at two positions with one
-- id, and the second sending may lie behind newer records: so the order is that of the log that
-- caused the records (log_offset) where they name it, and else that of each record's first sending.

CREATE OR REPLACE VIEW faultline.entities_now AS
SELECT
    domain,
    key,
    argMax(c.type, (c.epoch, c.log_offset, c.n)) AS type,
    argMax(c.entity_id, (c.epoch, c.log_offset, c.n)) AS id,
    argMax(c.name, (c.epoch, c.log_offset, c.n)) AS name,
    argMax(c.category, (c.epoch, c.log_offset, c.n)) AS category,
    argMax(c.state, (c.epoch, c.log_offset, c.n)) AS state,
    argMax(c.placeholder, (c.epoch, c.log_offset, c.n)) AS placeholder,
    argMax(c.attributes, (c.epoch, c.log_offset, c.n)) AS attributes,
    max(c.event_time) AS event_time
FROM faultline.changes AS c
WHERE c.kind = 'ENTITY' AND c.outcome = 'APPLIED'
GROUP BY domain, key
HAVING argMax(c.op, (c.epoch, c.log_offset, c.n)) != 'DELETE';

CREATE OR REPLACE VIEW faultline.relationships_now AS
SELECT
    domain,
    source_type,
    source_id,
    type,
    target_type,
    target_id,
    max(c.event_time) AS event_time
FROM faultline.changes AS c
WHERE c.kind = 'RELATIONSHIP' AND c.outcome = 'APPLIED'
GROUP BY domain, source_type, source_id, type, target_type, target_id
HAVING argMax(c.op, (c.epoch, c.log_offset, c.n)) != 'DELETE';

CREATE OR REPLACE VIEW faultline.states_now AS
SELECT
    domain,
    key,
    argMax(s.state, (s.epoch, s.log_offset, s.n)) AS state,
    argMax(s.aggregated_state, (s.epoch, s.log_offset, s.n)) AS aggregated_state,
    argMax(s.operational_state, (s.epoch, s.log_offset, s.n)) AS operational_state,
    argMax(s.rule, (s.epoch, s.log_offset, s.n)) AS rule,
    argMax(s.match, (s.epoch, s.log_offset, s.n)) AS match,
    argMax(s.event_time, (s.epoch, s.log_offset, s.n)) AS event_time
FROM faultline.states AS s
GROUP BY domain, key;

-- Several rules and matches may draw one edge: rule and match are those that were told last.
CREATE OR REPLACE VIEW faultline.causes_now AS
SELECT
    domain,
    source,
    target,
    argMax(c.rule, (c.epoch, c.log_offset, c.n)) AS rule,
    argMax(c.match, (c.epoch, c.log_offset, c.n)) AS match,
    argMax(c.event_time, (c.epoch, c.log_offset, c.n)) AS event_time
FROM faultline.causes AS c
GROUP BY domain, source, target
HAVING argMax(c.op, (c.epoch, c.log_offset, c.n)) = 'ADDED';

-- since is when the alarm's present life began and episode the number of that life: deduced alarms
-- name it in their records, of reported ones each RAISED begins another.
CREATE OR REPLACE VIEW faultline.alarms_now AS
SELECT
    domain,
    key,
    deduced,
    if(deduced, argMax(l.episode, l.version), sum(l.lives)) AS episode,
    argMax(l.since, l.version) AS since,
    argMax(l.latest.1, l.version) AS source,
    argMax(l.latest.2, l.version) AS name,
    argMax(l.latest.3, l.version) AS severity,
    argMax(l.latest.4, l.version) AS operational_severity,
    argMax(l.latest.5, l.version) AS status,
    argMax(l.latest.6, l.version) AS resource_type,
    argMax(l.latest.7, l.version) AS resource_id,
    argMax(l.latest.8, l.version) AS rule,
    argMax(l.latest.9, l.version) AS rule_revision,
    argMax(l.latest.10, l.version) AS match,
    argMax(l.latest.11, l.version) AS external_id,
    argMax(l.latest.12, l.version) AS attributes,
    argMax(l.latest.13, l.version) AS id,
    argMax(l.latest.14, l.version) AS record,
    argMax(l.latest.15, l.version) AS event_time,
    argMax(l.latest.16, l.version) AS ingest_time,
    argMax(l.latest.17, l.version) AS topic,
    argMax(l.latest.18, l.version) AS topic_id,
    argMax(l.latest.19, l.version) AS `partition`,
    argMax(l.latest.20, l.version) AS `offset`
FROM
(
    SELECT
        domain,
        key,
        deduced,
        episode,
        max((a.epoch, a.log_offset, a.n)) AS version,
        uniqExactIf(a.id, a.outcome = 'RAISED') AS lives,
        if(lives > 0,
           argMaxIf(a.event_time, (a.epoch, a.log_offset, a.n), a.outcome = 'RAISED'),
           min(a.event_time)) AS since,
        argMax(
            (a.source, a.name, a.severity, a.operational_severity, a.status,
             a.resource_type, a.resource_id, a.rule, a.rule_revision, a.match,
             a.external_id, a.attributes, a.id, a.record, a.event_time,
             a.ingest_time, a.topic, a.topic_id, a.`partition`, a.`offset`),
            (a.epoch, a.log_offset, a.n)) AS latest
    FROM faultline.alarms AS a
    WHERE a.outcome NOT IN ('REPEATED', 'IGNORED')
    GROUP BY domain, key, deduced, epoch, episode
) AS l
GROUP BY domain, key, deduced;

-- What a step does not carry (a workflow's name, its input) stays as an earlier one said.
CREATE OR REPLACE VIEW faultline.executions_now AS
SELECT
    domain,
    id,
    argMaxIf(l.root, l.version, l.root != '') AS root,
    argMaxIf(l.workflow, l.version, l.workflow != '') AS workflow,
    argMaxIf(l.parent, l.version, l.parent != '') AS parent,
    argMaxIf(l.task, l.version, l.task != '') AS task,
    argMaxIf(l.input, l.version, l.input != '') AS input,
    argMaxIf(l.output, l.version, l.output != '') AS output,
    argMaxIf(l.started_by, l.version, l.started_by != '') AS started_by,
    argMax(l.state, l.version) AS state,
    argMax(l.state_info, l.version) AS state_info,
    ifNull(min(l.started_at), min(l.event_time)) AS started_at,
    if(argMax(l.state, l.version) IN ('SUCCESS', 'ERROR', 'CANCELLED', 'SKIPPED'),
       ifNull(argMax(tuple(l.ended_at), l.version).1, argMax(l.event_time, l.version)),
       NULL) AS ended_at,
    argMax(l.step, l.version) AS step,
    argMax(l.event_time, l.version) AS event_time,
    argMax(l.ingest_time, l.version) AS ingest_time,
    argMax(l.topic, l.version) AS topic,
    argMax(l.topic_id, l.version) AS topic_id,
    argMax(l.`partition`, l.version) AS `partition`,
    argMax(l.version.2, l.version) AS `offset`
FROM
(
    SELECT
        domain,
        id,
        step,
        any(s.root) AS root,
        any(s.workflow) AS workflow,
        any(s.parent) AS parent,
        any(s.task) AS task,
        any(s.input) AS input,
        any(s.output) AS output,
        any(s.started_by) AS started_by,
        any(s.state) AS state,
        any(s.state_info) AS state_info,
        any(s.started_at) AS started_at,
        any(s.ended_at) AS ended_at,
        any(s.event_time) AS event_time,
        any(s.ingest_time) AS ingest_time,
        any(s.topic) AS topic,
        any(s.topic_id) AS topic_id,
        any(s.`partition`) AS `partition`,
        min((s.epoch, s.`offset`)) AS version
    FROM faultline.executions AS s
    GROUP BY domain, id, step
) AS l
GROUP BY domain, id;

CREATE OR REPLACE VIEW faultline.tasks_now AS
SELECT
    domain,
    id,
    argMaxIf(l.root, l.version, l.root != '') AS root,
    argMaxIf(l.execution, l.version, l.execution != '') AS execution,
    argMaxIf(l.workflow, l.version, l.workflow != '') AS workflow,
    argMaxIf(l.name, l.version, l.name != '') AS name,
    argMaxIf(l.result, l.version, l.result != '') AS result,
    argMaxIf(l.published, l.version, l.published != '') AS published,
    argMax(l.state, l.version) AS state,
    argMax(l.state_info, l.version) AS state_info,
    argMax(l.attempt, l.version) AS attempt,
    ifNull(min(l.started_at), min(l.event_time)) AS started_at,
    if(argMax(l.state, l.version) IN ('SUCCESS', 'ERROR', 'CANCELLED', 'SKIPPED'),
       ifNull(argMax(tuple(l.ended_at), l.version).1, argMax(l.event_time, l.version)),
       NULL) AS ended_at,
    argMax(l.step, l.version) AS step,
    argMax(l.event_time, l.version) AS event_time,
    argMax(l.ingest_time, l.version) AS ingest_time,
    argMax(l.topic, l.version) AS topic,
    argMax(l.topic_id, l.version) AS topic_id,
    argMax(l.`partition`, l.version) AS `partition`,
    argMax(l.version.2, l.version) AS `offset`
FROM
(
    SELECT
        domain,
        id,
        step,
        any(s.root) AS root,
        any(s.execution) AS execution,
        any(s.workflow) AS workflow,
        any(s.name) AS name,
        any(s.result) AS result,
        any(s.published) AS published,
        any(s.attempt) AS attempt,
        any(s.state) AS state,
        any(s.state_info) AS state_info,
        any(s.started_at) AS started_at,
        any(s.ended_at) AS ended_at,
        any(s.event_time) AS event_time,
        any(s.ingest_time) AS ingest_time,
        any(s.topic) AS topic,
        any(s.topic_id) AS topic_id,
        any(s.`partition`) AS `partition`,
        min((s.epoch, s.`offset`)) AS version
    FROM faultline.tasks AS s
    GROUP BY domain, id, step
) AS l
GROUP BY domain, id;

CREATE OR REPLACE VIEW faultline.actions_now AS
SELECT
    domain,
    id,
    argMaxIf(l.root, l.version, l.root != '') AS root,
    argMaxIf(l.execution, l.version, l.execution != '') AS execution,
    argMaxIf(l.task, l.version, l.task != '') AS task,
    argMaxIf(l.name, l.version, l.name != '') AS name,
    argMaxIf(l.input, l.version, l.input != '') AS input,
    argMaxIf(l.result, l.version, l.result != '') AS result,
    argMax(l.state, l.version) AS state,
    argMax(l.state_info, l.version) AS state_info,
    argMax(l.attempt, l.version) AS attempt,
    argMax(l.`index`, l.version) AS `index`,
    argMax(l.late, l.version) AS late,
    ifNull(min(l.started_at), min(l.event_time)) AS started_at,
    if(argMax(l.state, l.version) IN ('SUCCESS', 'ERROR', 'CANCELLED', 'SKIPPED'),
       ifNull(argMax(tuple(l.ended_at), l.version).1, argMax(l.event_time, l.version)),
       NULL) AS ended_at,
    argMax(l.step, l.version) AS step,
    argMax(l.event_time, l.version) AS event_time,
    argMax(l.ingest_time, l.version) AS ingest_time,
    argMax(l.topic, l.version) AS topic,
    argMax(l.topic_id, l.version) AS topic_id,
    argMax(l.`partition`, l.version) AS `partition`,
    argMax(l.version.2, l.version) AS `offset`
FROM
(
    SELECT
        domain,
        id,
        step,
        any(s.root) AS root,
        any(s.execution) AS execution,
        any(s.`index`) AS `index`,
        any(s.late) AS late,
        any(s.task) AS task,
        any(s.name) AS name,
        any(s.input) AS input,
        any(s.result) AS result,
        any(s.state) AS state,
        any(s.state_info) AS state_info,
        any(s.attempt) AS attempt,
        any(s.started_at) AS started_at,
        any(s.ended_at) AS ended_at,
        any(s.event_time) AS event_time,
        any(s.ingest_time) AS ingest_time,
        any(s.topic) AS topic,
        any(s.topic_id) AS topic_id,
        any(s.`partition`) AS `partition`,
        min((s.epoch, s.`offset`)) AS version
    FROM faultline.actions AS s
    GROUP BY domain, id, step
) AS l
GROUP BY domain, id;

-- A rule is put live in every partition of the log: it is in error when any of them says so.
CREATE OR REPLACE VIEW faultline.rules_now AS
SELECT
    name,
    argMax(l.op, (l.op = 'ERROR', l.event_time)) AS op,
    argMax(l.revision, (l.op = 'ERROR', l.event_time)) AS revision,
    argMax(l.reason, (l.op = 'ERROR', l.event_time)) AS reason,
    max(l.event_time) AS event_time,
    count() AS partitions
FROM
(
    SELECT
        name,
        log_partition,
        argMax(r.op, (r.epoch, r.log_offset, r.n)) AS op,
        argMax(r.revision, (r.epoch, r.log_offset, r.n)) AS revision,
        argMax(r.reason, (r.epoch, r.log_offset, r.n)) AS reason,
        argMax(r.event_time, (r.epoch, r.log_offset, r.n)) AS event_time
    FROM faultline.rules AS r
    WHERE r.kind = 'RULE' AND r.op != 'REPEATED'
    GROUP BY name, log_partition
) AS l
GROUP BY name
HAVING op != 'REMOVED';
