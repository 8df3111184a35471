-- What models say of themselves, for processes that load none.

CREATE TABLE models (
    -- of the model file, as verdicts name it
    sha256           text PRIMARY KEY,
    name             text NOT NULL,
    version          text NOT NULL,
    accept_threshold double precision NOT NULL,
    review_threshold double precision NOT NULL,
    -- {"cake": [...], "not_cake": [...]}: how many validation pictures scored in each of equal bins from 0 to 1; or {}
    histogram        jsonb NOT NULL DEFAULT '{}',
    loaded_at        timestamptz NOT NULL DEFAULT now()
);

-- A comparison reads all of a shadow's verdicts since some time, in batches.
CREATE INDEX verdicts_shadow ON verdicts (judged_at, id) WHERE role = 'shadow';
