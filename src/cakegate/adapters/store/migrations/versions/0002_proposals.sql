-- A create without a marker whose answer was lost: the cake upstream that looks like it, for a person to decide on.

CREATE TABLE proposals (
    submission_id uuid PRIMARY KEY REFERENCES submissions ON DELETE CASCADE,
    -- One cake is proposed for one submission: of identical ones, which is whose nobody can tell.
    cake_id       text NOT NULL UNIQUE,
    item          jsonb NOT NULL,
    proposed_at   timestamptz NOT NULL DEFAULT now()
);

-- DELETEs of which nobody knows yet what became: looked for again and again, and few.
CREATE INDEX deletions_open ON deletions (requested_at) WHERE outcome IN ('requested', 'uncertain');

-- The cakes created last: a scan that sees none of them proves nothing.
CREATE INDEX submissions_living ON submissions (settled_at DESC)
    WHERE state = 'created' AND marker IS NOT NULL AND deleted_at IS NULL;
-- What is due and not on its queue is found without a look at all that is.
CREATE INDEX submissions_enqueued ON submissions (state, enqueued_at NULLS FIRST) WHERE state IN ('pending', 'accepted');
