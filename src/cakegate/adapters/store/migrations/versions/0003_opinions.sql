-- What models think a picture shows, and what people say of it. What takes long comes first, what shuts readers out last:
-- each lock is held to the end.

-- People's decisions in the order in which they were taken: labels for the next model.
CREATE INDEX transitions_decided ON transitions (at) WHERE origin = 'review';

-- Accepted submissions that people are shown, so that errors are seen; what they say changes nothing of the submission.
CREATE TABLE samples (
    submission_id uuid PRIMARY KEY REFERENCES submissions ON DELETE CASCADE,
    sampled_at    timestamptz NOT NULL DEFAULT now(),
    opinion       text CHECK (opinion IN ('cake', 'not-cake')),
    said_by       text,
    said_at       timestamptz,
    note          text,
    CONSTRAINT an_opinion_is_somebodys CHECK (num_nonnulls(opinion, said_by, said_at) IN (0, 3))
);
CREATE INDEX samples_sampled_at ON samples (sampled_at);
CREATE INDEX samples_unseen ON samples (sampled_at) WHERE opinion IS NULL;
CREATE INDEX samples_said_at ON samples (said_at) WHERE opinion IS NOT NULL;

-- A list of {"name", "score"}; empty for verdicts of the release before. A constant default rewrites no table.
ALTER TABLE verdicts ADD COLUMN labels jsonb NOT NULL DEFAULT '[]';
