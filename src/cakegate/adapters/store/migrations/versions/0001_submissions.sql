-- Submissions and all that belongs to them. Expand only: code of the release before must keep working on any later schema.

CREATE TABLE submissions (
    id                     uuid PRIMARY KEY,
    state                  text NOT NULL DEFAULT 'pending' CHECK (state IN (
                               'pending', 'judging', 'review', 'accepted', 'creating', 'uncertain',
                               'created', 'rejected', 'failed')),
    reason                 text,
    detail                 text,

    -- the cake as it was submitted, cleaned
    name                   text NOT NULL,
    comment                text NOT NULL,
    image_url              text NOT NULL,
    yum_factor             smallint NOT NULL,

    -- how it came
    source                 text NOT NULL DEFAULT 'api',
    request_id             text,
    traceparent            text,
    idempotency_key        text,
    request_digest         bytea,
    idempotency_expires_at timestamptz,

    -- the fenced lease of whoever works on it
    lease_token            uuid,
    lease_expires_at       timestamptz,
    lease_holder           text,

    -- attempts; a null next_attempt_at means now
    fetch_attempts         integer NOT NULL DEFAULT 0,
    first_fetch_at         timestamptz,
    decoder_deaths         integer NOT NULL DEFAULT 0,
    create_attempts        integer NOT NULL DEFAULT 0,
    absences               integer NOT NULL DEFAULT 0,
    next_attempt_at        timestamptz,
    -- when it was last put on its queue since it last moved, and how often; null: it is not there
    enqueued_at            timestamptz,
    enqueue_count          integer NOT NULL DEFAULT 0,

    -- the picture that was judged
    image_sha256           bytea,
    image_bytes            bigint,
    image_format           text,
    image_width            integer,
    image_height           integer,
    renditions_at          timestamptz,

    -- the create upstream
    marker                 text UNIQUE,
    send_deadline_at       timestamptz,
    upstream_id            text,
    upstream_status        smallint,
    cake                   jsonb,
    deleted_at             timestamptz,
    needs_person           boolean NOT NULL DEFAULT false,

    timings                jsonb NOT NULL DEFAULT '{}',
    created_at             timestamptz NOT NULL DEFAULT now(),
    updated_at             timestamptz NOT NULL DEFAULT now(),
    judged_at              timestamptz,
    accepted_at            timestamptz,
    settled_at             timestamptz,

    CONSTRAINT leased_exactly_when_worked_on
        CHECK ((state IN ('judging', 'creating')) = (lease_token IS NOT NULL)),
    CONSTRAINT ends_and_waits_have_reasons
        CHECK (state NOT IN ('rejected', 'failed', 'review', 'uncertain') OR reason IS NOT NULL),
    CONSTRAINT created_has_its_cake
        CHECK (state <> 'created' OR upstream_id IS NOT NULL OR deleted_at IS NOT NULL)
);

CREATE UNIQUE INDEX submissions_idempotency_key ON submissions (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX submissions_idempotency_expiry ON submissions (idempotency_expires_at) WHERE idempotency_key IS NOT NULL;
-- The legacy API may give a deleted cake's id again, so only living cakes are unique.
CREATE UNIQUE INDEX submissions_upstream_id ON submissions (upstream_id)
    WHERE upstream_id IS NOT NULL AND deleted_at IS NULL;
-- Work at hand and what waits for a person: small next to the table, whatever its age.
CREATE INDEX submissions_open ON submissions (state, created_at)
    WHERE state IN ('pending', 'judging', 'review', 'accepted', 'creating', 'uncertain');
CREATE INDEX submissions_leases ON submissions (lease_expires_at) WHERE lease_token IS NOT NULL;
CREATE INDEX submissions_due ON submissions (state, next_attempt_at NULLS FIRST) WHERE state IN ('pending', 'accepted');
CREATE INDEX submissions_unrendered ON submissions (judged_at)
    WHERE renditions_at IS NULL AND image_sha256 IS NOT NULL AND state IN ('review', 'accepted', 'creating', 'created');
CREATE INDEX submissions_created_at ON submissions (created_at);

-- What models said; a shadow's verdict is kept and never acted on.
CREATE TABLE verdicts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id    uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    role             text NOT NULL DEFAULT 'primary' CHECK (role IN ('primary', 'shadow')),
    score            double precision NOT NULL,
    decision         text NOT NULL CHECK (decision IN ('accept', 'review', 'reject')),
    accept_threshold double precision NOT NULL,
    review_threshold double precision NOT NULL,
    model_name       text NOT NULL,
    model_version    text NOT NULL,
    model_sha256     text NOT NULL,
    judged_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX verdicts_submission ON verdicts (submission_id, id DESC);

-- Every step of every submission, and who took it: a process, or a person by name.
CREATE TABLE transitions (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    submission_id uuid NOT NULL REFERENCES submissions ON DELETE CASCADE,
    origin        text,
    target        text NOT NULL,
    reason        text,
    actor         text NOT NULL,
    note          text,
    at            timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX transitions_submission ON transitions (submission_id, id);

-- Which renditions exist, by the hash of the picture they were made from.
CREATE TABLE renditions (
    image_sha256 bytea NOT NULL,
    preset       text NOT NULL,
    format       text NOT NULL,
    blob_key     text NOT NULL,
    width        integer NOT NULL,
    height       integer NOT NULL,
    size_bytes   bigint NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (image_sha256, preset, format)
);

-- The default home of their bytes. EXTERNAL: they are compressed already.
CREATE TABLE blobs (
    key        text PRIMARY KEY,
    media_type text NOT NULL,
    content    bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE blobs ALTER COLUMN content SET STORAGE EXTERNAL;

-- Every DELETE that came through us, also one that never reached the upstream.
CREATE TABLE deletions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cake_id         text NOT NULL,
    marker          text,
    item            jsonb,
    submission_id   uuid REFERENCES submissions ON DELETE SET NULL,
    request_id      text,
    outcome         text NOT NULL DEFAULT 'requested'
                        CHECK (outcome IN ('requested', 'deleted', 'absent', 'refused', 'unreachable', 'uncertain')),
    upstream_status smallint,
    requested_at    timestamptz NOT NULL DEFAULT now(),
    settled_at      timestamptz
);
CREATE INDEX deletions_marker ON deletions (marker) WHERE marker IS NOT NULL;
CREATE INDEX deletions_requested_at ON deletions (requested_at);

-- The circuit breaker of creates; its row is also the lock under which the fleet-wide cap is counted.
CREATE TABLE breakers (
    name       text PRIMARY KEY,
    state      text NOT NULL DEFAULT 'closed' CHECK (state IN ('closed', 'open', 'half-open')),
    failures   integer NOT NULL DEFAULT 0,
    openings   integer NOT NULL DEFAULT 0,
    retry_at   timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO breakers (name) VALUES ('upstream-create');
