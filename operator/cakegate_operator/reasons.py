"""The reasons that conditions give: each a documented word (docs/operator/conditions.md), never made up on the way."""

from typing import Final

AVAILABLE: Final = "Available"
RESOLVED: Final = "Resolved"
SUCCEEDED: Final = "Succeeded"
APPLIED: Final = "Applied"
INVALID_SPEC: Final = "InvalidSpec"
SECRET_NOT_FOUND: Final = "SecretNotFound"  # noqa: S105 - a reason, as the next two
SECRET_KEY_NOT_FOUND: Final = "SecretKeyNotFound"  # noqa: S105
INVALID_SECRET: Final = "InvalidSecret"  # noqa: S105 - a reason
CREDENTIAL_LOST: Final = "CredentialLost"
RESOURCE_CONFLICT: Final = "ResourceConflict"
APPLY_REFUSED: Final = "ApplyRefused"
APPLY_DENIED: Final = "ApplyDenied"
CRD_NOT_INSTALLED: Final = "CRDNotInstalled"
DISCOVERY_FAILED: Final = "DiscoveryFailed"
EXTERNAL: Final = "External"
STARTING: Final = "Starting"
NOT_READY: Final = "NotReady"
WAITING_FOR_DATABASE: Final = "WaitingForDatabase"
WAITING_FOR_MIGRATION: Final = "WaitingForMigration"
RUNNING: Final = "Running"
MIGRATION_FAILED: Final = "MigrationFailed"
MANUAL: Final = "Manual"
NOT_CREATED: Final = "NotCreated"
UNAVAILABLE: Final = "Unavailable"
ROLLOUT_STUCK: Final = "RolloutStuck"
ROLLING: Final = "Rolling"
FIXED: Final = "Fixed"
ACTIVE: Final = "Active"
INACTIVE: Final = "Inactive"
NOT_REQUESTED: Final = "NotRequested"
CREATED: Final = "Created"
ACCEPTED: Final = "Accepted"
NOT_ACCEPTED: Final = "NotAccepted"
WAITING_FOR_GATEWAY: Final = "WaitingForGateway"
CONFIGURED: Final = "Configured"
DISABLED: Final = "Disabled"
ENOUGH: Final = "Enough"
TOO_MANY_CONNECTIONS: Final = "TooManyConnections"
NOT_PROBED: Final = "NotProbed"
REACHABLE: Final = "Reachable"
UNREACHABLE: Final = "Unreachable"
REFUSES_US: Final = "RefusesUs"
ANSWERS_ERRORS: Final = "AnswersErrors"
PAUSED: Final = "Paused"
NOT_PAUSED: Final = "NotPaused"

MEANINGS: Final = {
    AVAILABLE: "It serves.",
    RESOLVED: "Every Secret and key that the resource names is there.",
    SUCCEEDED: "The migration Job of this image and database completed.",
    APPLIED: "All objects are as wanted.",
    INVALID_SPEC: "The spec cannot be understood: the message names the field. Nothing is changed.",
    SECRET_NOT_FOUND: "A Secret that the resource names is missing. Pods stay as they are until it is there.",
    SECRET_KEY_NOT_FOUND: "A Secret is there, but not the key that the resource names.",
    INVALID_SECRET: "A Secret's key holds something else than the field needs, e.g. no URL. Pods stay as they are.",
    CREDENTIAL_LOST: "The Secret with the managed Postgres's password is gone, and its volume still has the old one:"
    " bring the Secret back (docs/operator/credentials.md). A new password would lock everybody out.",
    RESOURCE_CONFLICT: "An object of the wanted name belongs to somebody else. Rename the bakery, remove the object, or"
    ' annotate it with `cakegate.dev/adopt: "true"`.',
    APPLY_REFUSED: "The API server refused an object; the message has its words, which name the field.",
    APPLY_DENIED: "The operator's account lacks a right; the message names it.",
    CRD_NOT_INSTALLED: "An API that the resource asks for is not installed; it is picked up when it appears.",
    DISCOVERY_FAILED: "The API server gave no clear answer about an optional API; what is there is left alone.",
    EXTERNAL: "A server of yours: the operator does not watch it.",
    STARTING: "It is there and starts; nobody complains of anything yet.",
    NOT_READY: "It is there and not ready (yet); the message has what the kubelet complains of.",
    WAITING_FOR_DATABASE: "The migration begins when the database is ready.",
    WAITING_FOR_MIGRATION: "Pods are made or changed when the migration is done.",
    RUNNING: "The migration Job runs.",
    MIGRATION_FAILED: "The migration Job failed; pods stay as they are. See its pod's log, then change the resource or"
    " delete the Job.",
    MANUAL: "`migrationPolicy: Manual`: new pods become ready once you have run `cakegate migrate`.",
    NOT_CREATED: "The object is not there yet.",
    UNAVAILABLE: "Too few pods are ready, and nobody complains of anything yet.",
    ROLLOUT_STUCK: "New pods did not become ready in `rollout.progressDeadlineSeconds`; old ones go on serving.",
    ROLLING: "Pods are being replaced or added.",
    FIXED: "Numbers of pods are fixed by the resource.",
    ACTIVE: "The autoscaler works.",
    INACTIVE: "The autoscaler cannot work; the message has its words.",
    NOT_REQUESTED: "`exposure.type: None`.",
    CREATED: "The Ingress is made.",
    ACCEPTED: "The Gateway took the route.",
    NOT_ACCEPTED: "The Gateway refused the route; the message has its words.",
    WAITING_FOR_GATEWAY: "No Gateway said anything about the route yet.",
    CONFIGURED: "All monitoring objects that were asked for are made.",
    DISABLED: "Monitoring is switched off.",
    ENOUGH: "All pods' pools together fit into the server's `max_connections`.",
    TOO_MANY_CONNECTIONS: "All pods' pools together could ask for more connections than the server has: lower"
    " `database.poolMax` or a maximum of replicas, or raise `max_connections`.",
    NOT_PROBED: "The operator has not asked the upstream yet, or is told not to.",
    REACHABLE: "The upstream answered the operator.",
    UNREACHABLE: "The upstream did not answer the operator in time.",
    REFUSES_US: "The upstream answered 401 or 403: look at its credentials.",
    ANSWERS_ERRORS: "The upstream answered with an error of its own, or with none of the expected.",
    PAUSED: "`paused: true`: nothing is changed.",
    NOT_PAUSED: "The bakery is looked after.",
}
